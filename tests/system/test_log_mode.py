"""mode: log, in which limits are only reported: each lets its request pass to
the upstream and says so in the error log, the access log and the metrics."""

import pathlib
import sys
import textwrap

import pytest

from conftest import wait_until
from test_request_limits import get, metric, refused, say, status

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

CONF = """
    admin: 127.0.0.1:{port9}
    error_log: {to: stderr, level: notice}
    log_formats: {words: "$status [$reason] [$reported]"}
    access_log: {to: "{dir}/access.log", format: words, buffer: 0}
    upstreams: {app: {servers: ["127.0.0.1:{port1}"]}}
    http: {lingering_timeout: 100ms, %s}
    sites: [{listen: {port}, routes: [{path: /*, proxy: {to: app}}]}]
"""


def start(weir, http):
    return weir(textwrap.dedent(CONF) % http)


def reported(w, word):
    return metric(w, "weir_http_reported_total", '{reason="%s"}' % word)


def post(fields, body):
    return get(fields).replace(b"GET", b"POST", 1) + body


CHUNKED = b"Transfer-Encoding: chunked\r\n"

CASES = [
    ("long_target", "max_target_size: 64",
     get(line=b"GET /" + 64 * b"x" + b" HTTP/1.1")),
    ("many_fields", "max_headers: 4", get(3 * b"A: b\r\n")),
    ("large_head", "max_header_size: 1k", get(b"A: " + 2000 * b"x" + b"\r\n")),
    ("large_body", "max_body_size: 3",
     post(b"Content-Length: 4\r\n", b"four")),
    ("large_body", "max_body_size: 3",
     post(CHUNKED, b"4\r\nfour\r\n0\r\n\r\n")),
    ("underscore", "underscores: refuse", get(b"a_b: c\r\n")),
    ("large_extensions", "max_chunk_extensions: 4",
     post(CHUNKED, b"4;exten\r\nfour\r\n0\r\n\r\n")),
]
EACH = pytest.mark.parametrize("word, limit, data", CASES,
                               ids=[c[0] for c in CASES])


@pytest.mark.parametrize("how", ["mode: log", "log_only: [%s]"])
@EACH
def test_a_request_over_a_limit_passes_and_is_reported(
        weir, how, word, limit, data):
    w = start(weir, limit + ", " + how.replace("%s", word))
    with RawBackend([Reply(ok())], port=w.port_of("port1")) as b:
        assert status(say(w, data)) == 200
    assert len(b.requests) == 1
    assert b"four" in b.requests[0].body or not data.startswith(b"POST")
    assert b"a_b" not in b.requests[0].head
    assert reported(w, word) == 1
    assert refused(w, word) == 0
    w.wait_log("would be refused with ")
    w.wait_log("(%s), " % word)
    wait_until(lambda: "200 [-] [%s]\n" % word in w.access_log())


@EACH
def test_the_same_request_is_refused_where_limits_hold(
        weir, word, limit, data):
    others = {c[0] for c in CASES} - {word}
    w = start(weir, "%s, log_only: [%s]" % (limit, ", ".join(others)))
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        assert status(say(w, data)) >= 400
    assert refused(w, word) == 1
    assert reported(w, word) == 0
    wait_until(lambda: " [%s] [-]\n" % word in w.access_log())


def test_a_slow_upload_passes_and_is_reported(weir):
    w = start(weir, "mode: log, min_rate: 1m, min_rate_grace: 200ms")
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        with w.connect() as s:
            s.sendall(post(b"Content-Length: 2\r\n", b"x"))
            w.wait_log("would be refused with 408 (slow_body)")
            s.sendall(b"y")
            assert status(s.recv(65536)) == 200
    assert reported(w, "slow_body") == 1
    wait_until(lambda: "200 [-] [slow_body]\n" in w.access_log())


def test_a_head_has_a_ceiling_whatever_the_mode(weir):
    w = start(weir, "mode: log")
    with RawBackend([Reply(ok())], port=w.port_of("port1")) as b:
        assert status(say(w, get(1000 * b"A: b\r\n"))) == 431
        assert status(say(w, get(b"A: " + 62000 * b"x" + b"\r\n"))) == 431
        assert b.requests == []


def test_what_could_be_read_in_two_ways_is_refused_whatever_the_mode(weir):
    w = start(weir, "mode: log")
    with RawBackend([Reply(ok())], port=w.port_of("port1")) as b:
        assert status(say(w, post(b"Content-Length: 4\r\n" + CHUNKED,
                                  b"0\r\n\r\n"))) == 400
        assert b.requests == []


def test_json_lines_have_it_too(weir):
    w = weir(textwrap.dedent(CONF).replace("format: words, buffer: 0", "format: json, buffer: 0")
             % "mode: log, max_headers: 2")
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        assert status(say(w, get(b"A: b\r\n"))) == 200
    wait_until(lambda: '"reported":"many_fields"' in w.access_log())
    assert '"reason"' not in w.access_log()


def test_only_policies_can_be_listed(weir):
    for word, said in [("two_framings", "is no limit and holds in any mode"),
                       ("large_boddy", "large_body")]:
        w = weir(textwrap.dedent(CONF) % ("log_only: [%s]" % word),
                 start=False)
        r = w.command("-t")
        assert r.returncode == 1
        assert said in r.stdout + r.stderr
