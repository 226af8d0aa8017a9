"""Limits on what a client can make grow, and what is said of each refusal:
one word in the access log, in the error log and in the metrics."""

import pathlib
import re
import socket
import sys
import textwrap
import time

import pytest

import conftest
from conftest import SLOW, wait_until
from load import Connection

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

TOP = """
    admin: 127.0.0.1:{port9}
    error_log: {to: stderr, level: info}
    log_formats: {words: "$status $reason"}
    access_log: {to: "{dir}/access.log", format: words}
"""


def start(weir, text):
    return weir(textwrap.dedent(TOP) + textwrap.dedent(text))


def metric(w, name, labels=""):
    text = w.get("/metrics", port="port9").text
    found = re.search(r"^%s%s (\d+)$" % (name, re.escape(labels)), text, re.M)
    return int(found.group(1)) if found else None


def refused(w, word):
    return metric(w, "weir_http_refused_total", '{reason="%s"}' % word)


def say(w, data, timeout=10, half_close=False, until=None):
    """Sends DATA; all that comes back until the connection ends, or UNTIL."""
    got = b""
    with w.connect("port", timeout * SLOW) as s:
        s.sendall(data)
        if half_close:
            s.shutdown(socket.SHUT_WR)
        try:
            while part := s.recv(65536):
                got += part
                if until and got.endswith(until):
                    break
        except (socket.timeout, ConnectionResetError):
            pass
    return got


def get(extra=b"", line=b"GET / HTTP/1.1"):
    return line + b"\r\nHost: a\r\nConnection: close\r\n" + extra + b"\r\n"


# ---- reasons ---------------------------------------------------------------

@pytest.mark.parametrize("data, status, word", [
    (get(line=b"GET / HTTP/1.1 "), 400, "bad_request_line"),
    (get(b"A : b\r\n"), 400, "blank_before_colon"),
    (get(line=b"TRACE / HTTP/1.1"), 405, "trace"),
    (get(line=b"GET /gone HTTP/1.1"), 404, "no_route"),
    (get(line=b"GET /" + 9000 * b"x" + b" HTTP/1.1"), 414, "long_target"),
    (get(101 * b"A: b\r\n"), 431, "many_fields"),
    (get(b"A: " + 40000 * b"x" + b"\r\n"), 431, "large_head"),
    (get(b"Content-Length: 99999999\r\n"), 413, "large_body"),
])
def test_a_refusal_has_one_word_everywhere(weir, data, status, word):
    w = start(weir, """
        http: {lingering_timeout: 100ms}
        sites: [{listen: {port}, routes: [{path: /, respond: 200}]}]
    """)
    assert refused(w, word) == 0
    assert say(w, data, half_close=True).startswith(
        b"HTTP/1.1 %d " % status)
    assert refused(w, word) == 1
    w.wait_log("refused with %d (%s), " % (status, word))
    wait_until(lambda: "%d %s\n" % (status, word) in w.access_log())


# ---- settings of what is taken ---------------------------------------------

PROXY = """
    upstreams: {app: {servers: ["127.0.0.1:{port1}"], %s}}
    http: {lingering_timeout: 100ms, %s}
    sites: [{listen: {port}, routes: [{path: /, proxy: {to: app, %s}}]}]
"""
LF = b"GET / HTTP/1.1\nHost: a\nConnection: close\n\n"
CHUNKS = b"Transfer-Encoding: chunked\r\n"


def proxy(weir, upstream="", http="", route=""):
    return start(weir, PROXY % (upstream, http, route))


def status(answer):
    return int(answer.split(b" ", 2)[1])


def test_a_bare_lf_is_taken_in_heads_where_it_may(weir):
    for http, expected in ("", 400), ("bare_lf: accept", 200):
        w = proxy(weir, http=http)
        with RawBackend([Reply(ok())], port=w.port_of("port1")) as b:
            assert status(say(w, LF)) == expected
            # What goes on is written anew.
            assert all(b"\n" not in r.head.replace(b"\r\n", b"")
                       for r in b.requests)


def test_a_bare_lf_is_never_taken_in_chunks(weir):
    w = proxy(weir, upstream="bare_lf: accept", http="bare_lf: accept")
    bad = b"HTTP/1.1 200 OK\r\n" + CHUNKS + b"\r\n2\nok\r\n0\r\n\r\n"
    with RawBackend([Reply(ok()), Reply(bad)], port=w.port_of("port1")):
        got = say(w, get(CHUNKS).replace(b"GET", b"POST") +
                  b"2\nok\r\n0\r\n\r\n")
        assert status(got) == 400
        assert refused(w, "bad_chunk") == 1
        assert b"0\r\n\r\n" not in say(w, get())


def test_a_bare_lf_of_an_upstream_is_another_setting(weir):
    answer = b"HTTP/1.1 200 OK\nContent-Length: 2\nX: y\n\nok"
    for http, upstream, expected in [("bare_lf: accept", "", 502),
                                     ("", "bare_lf: accept", 200)]:
        w = proxy(weir, http=http, upstream=upstream)
        with RawBackend([Reply(answer)], port=w.port_of("port1")):
            got = say(w, get())
            assert status(got) == expected
            assert b"\n" not in got.partition(b"\r\n\r\n")[0].replace(
                b"\r\n", b"")


@pytest.mark.parametrize("how, expected, passes", [
    ("drop", 200, False), ("pass", 200, True), ("refuse", 400, False)])
def test_underscores_in_names(weir, how, expected, passes):
    w = proxy(weir, http="underscores: " + how)
    with RawBackend([Reply(ok())], port=w.port_of("port1")) as b:
        got = say(w, get(b"x_id: 1\r\nX_Forwarded_For: 10.0.0.1\r\n"))
        assert status(got) == expected
        for r in b.requests:
            assert (b"x_id: 1" in r.head) == passes
            assert b"10.0.0.1" not in r.head
        assert refused(w, "underscore") == (expected == 400)


def test_only_listed_upgrades_pass(weir):
    w = proxy(weir, route="upgrades: [tea/2]")
    answer = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
              b"Upgrade: tea/2\r\n\r\nhot")

    def ask(protocol):
        return (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n"
                b"Upgrade: " + protocol + b"\r\n\r\n")

    with RawBackend([Reply(answer, close="fin")],
                    port=w.port_of("port1")) as b:
        got = say(w, ask(b"tea/2"), until=b"hot")
        assert status(got) == 101 and got.endswith(b"\r\n\r\nhot")
        assert b"Upgrade: tea/2\r\n" in b.requests[-1].head
        for protocol in b"websocket", b"h2c":
            # Not asked for, and so nothing that the upstream may do.
            assert status(say(w, ask(protocol), until=b"</html>\n")) == 502
            assert b"pgrade" not in b.requests[-1].head


def test_h2c_cannot_be_listed(weir):
    w = weir(textwrap.dedent(PROXY % ("", "", "upgrades: [h2c]")),
             start=False)
    r = w.command("-t")
    assert r.returncode != 0
    assert "never passes" in r.stdout + r.stderr


def test_chunk_extensions_have_a_limit(weir):
    w = proxy(weir, http="max_chunk_extensions: 20")
    post = get(CHUNKS).replace(b"GET", b"POST")
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        for n, expected in (19, 200), (20, 400):
            body = b"1;" + n * b"e" + b"\r\nx\r\n0\r\n\r\n"
            assert status(say(w, post + body)) == expected
    assert refused(w, "large_extensions") == 1


# ---- rates -----------------------------------------------------------------

def drip(w, pauses, piece):
    """Uploads a piece after each pause; the answer's status."""
    with w.connect("port", 10 * SLOW) as s:
        s.sendall(get(b"Content-Length: %d\r\n" % (len(pauses) * len(piece)))
                  .replace(b"GET", b"POST"))
        try:
            for pause in pauses:
                time.sleep(pause)
                s.sendall(piece)
            return status(s.recv(65536))
        except (BrokenPipeError, ConnectionResetError):
            return 408


def test_a_bad_line_lives_and_a_slow_loris_dies(weir):
    w = proxy(weir, http="min_rate: 1k, min_rate_grace: 1s")
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        assert drip(w, [0.7, 0.7, 0.7], 1024 * b"x") == 200
        began = time.monotonic()
        assert drip(w, 60 * [0.1], b"x") == 408
        assert 0.9 < time.monotonic() - began < 4 * SLOW
    assert refused(w, "slow_body") == 1


# ---- room ------------------------------------------------------------------

def test_who_never_asks_makes_room_for_who_does(weir, monkeypatch, tmp_path):
    script = tmp_path / "few-files"
    script.write_text('#!/bin/sh\nulimit -n 128\nexec "%s" "$@"\n' %
                      conftest.WEIR)
    script.chmod(0o755)
    w = weir(textwrap.dedent("""
        sites:
          - listen: {port}
            http: {keepalive_timeout: 600s}
            routes: [{respond: {body: here}}]
    """), start=False)
    monkeypatch.setattr(conftest, "WEIR", str(script))
    w.start()
    served = [Connection(w, timeout=5) for _ in range(20)]
    for c in served:
        c.ask()
    silent = [Connection(w, timeout=5) for _ in range(120)]
    fresh = Connection(w, timeout=5)
    for c in served + [fresh]:
        c.ask()
    # The oldest of those that never asked are gone, the last are not.
    wait_until(lambda: all(c.is_over() for c in silent[:20]))
    assert not any(c.is_over() for c in silent[-20:])
    for c in served + silent + [fresh]:
        c.close()
