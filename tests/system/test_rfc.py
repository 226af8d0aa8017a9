"""What RFC 9110, 9112 and 3986 demand of whoever stands between a client and
a server, read off the wire. tests/rfc.md says which test shows which sentence.
One daemon and one backend serve all of them: tests say what the backend
answers, and look at what it was asked."""

import email.utils
import os
import pathlib
import ssl
import sys
import time

import pytest

from conftest import Weir, recv_all, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

SITE = """
    access_log: {to: {dir}/access.log, format: '$status $reason "$request"', buffer: 0}
    upstreams:
      raw: {servers: ["127.0.0.1:{port2}"]}
    sites:
      - listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port1}"}
        tls: {self_signed: on}
        routes:
          - path: /files/*
            files: {dir}
          - path: /hello
            respond: {body: "hello\\n"}
          - path: /via
            proxy:
              to: raw
              request_headers: {add: {Via: "$server_protocol edge", X-None: "$arg_none"}}
          - proxy: raw
"""
CONTENT = b"0123456789"


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    directory = tmp_path_factory.mktemp("weir")
    (directory / "files").mkdir()
    (directory / "files" / "a.txt").write_bytes(CONTENT)
    w = Weir(directory, SITE).start()
    yield w
    w.check()


@pytest.fixture(scope="module")
def shared(w):
    with RawBackend([Reply(ok())], port=w.port_of("port2")) as b:
        yield b


@pytest.fixture
def backend(shared):
    """answers(reply, ...) sets what it says; `requests` is what it was asked."""
    shared.requests.clear()
    shared.script[:] = [Reply(ok())]
    return shared


def answers(backend, *replies):
    backend.script[:] = [r if isinstance(r, Reply) else Reply(r)
                         for r in replies]


class Answer:
    def __init__(self, data):
        head, end, self.body = data.partition(b"\r\n\r\n")
        assert end, "no whole head: %r" % data
        self.line, *lines = head.split(b"\r\n")
        self.status = int(self.line.split()[1])
        self.fields = [(name.lower().decode(), value.strip().decode())
                       for name, _, value in
                       (line.partition(b":") for line in lines)]

    def all(self, name):
        return [value for key, value in self.fields if key == name]

    def __getitem__(self, name):
        """The value of the one field of that name; None: there is none."""
        values = self.all(name)
        assert len(values) <= 1, "%s stands %d times" % (name, len(values))
        return values[0] if values else None


def over_tls(w, data):
    context = ssl._create_unverified_context()
    with context.wrap_socket(w.connect("port1")) as s:
        s.sendall(data)
        return recv_all(s)


def ask(w, line, *fields, body=b"", version="1.1", host="a", close=True,
        tls=False):
    """Sends one request; the first answer to it."""
    lines = ["%s HTTP/%s" % (line, version)]
    if host is not None:
        lines.append("Host: " + host)
    lines.extend(fields)
    if close:
        lines.append("Connection: close")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    return Answer(over_tls(w, head + body) if tls else w.raw(head + body))


# ---- methods -----------------------------------------------------------------


def test_max_forwards_of_0_is_answered_here(w, backend):
    r = ask(w, "OPTIONS /", "Max-Forwards: 0")
    assert r.status == 204
    assert backend.requests == []


def test_max_forwards_is_one_less_for_the_next(w, backend):
    ask(w, "OPTIONS /", "Max-Forwards: 7")
    assert backend.requests[0].field("max-forwards") == b"6"


def test_max_forwards_is_of_one_hop_if_its_sender_says_so(w, backend):
    with w.connect() as s:
        s.sendall(b"OPTIONS / HTTP/1.1\r\nHost: a\r\nMax-Forwards: 7\r\n"
                  b"Connection: close, max-forwards\r\n\r\n")
        assert Answer(recv_all(s)).status == 200
    assert backend.requests[0].field("max-forwards") is None


@pytest.mark.parametrize("line, value", [
    ("GET /", b"0"), ("OPTIONS /", b"many"), ("OPTIONS /", b"-1")])
def test_max_forwards_that_does_not_count_is_passed_on(w, backend, line, value):
    ask(w, line, "Max-Forwards: " + value.decode())
    assert backend.requests[0].field("max-forwards") == value


@pytest.mark.parametrize("target, passed", [
    ("*", b"*"),
    ("http://a", b"*"),
    ("http://a/", b"/"),
    ("http://a?x", b"/?x"),
    ("/", b"/"),
])
def test_options_of_a_whole_server_stays_one(w, backend, target, passed):
    ask(w, "OPTIONS " + target)
    assert backend.requests[0].line == b"OPTIONS %s HTTP/1.1" % passed


@pytest.mark.parametrize("line", ["TRACE /", "TRACE /hello", "PUT /files/a.txt"])
def test_405_says_what_is_allowed(w, backend, line):
    r = ask(w, line)
    assert r.status == 405
    assert "GET" in r["allow"].split(", ")
    assert line.split()[0] not in r["allow"].split(", ")
    assert backend.requests == []


def test_options_of_a_file_says_what_is_allowed(w):
    r = ask(w, "OPTIONS /files/a.txt")
    assert (r.status, r["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("target", ["a:443", "/", "http://a/", "*"])
def test_connect_is_refused_in_every_form(w, backend, target):
    assert ask(w, "CONNECT " + target).status == 400
    assert backend.requests == []


# ---- targets and hosts -------------------------------------------------------


def test_https_target_needs_tls(w, backend):
    assert ask(w, "GET https://a/").status == 421
    assert ask(w, "GET HTTPS://a/hello").status == 421
    assert backend.requests == []
    assert ask(w, "GET https://a/", tls=True).status == 200
    assert ask(w, "GET http://a/").status == 200


# ---- trailers ----------------------------------------------------------------

TRAILED = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           b"2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n")


@pytest.mark.parametrize("pieces", [
    [TRAILED], [TRAILED[:-20], 0.05, TRAILED[-20:]]], ids=["at once", "late"])
def test_trailers_arrive_however_they_came(w, backend, pieces):
    answers(backend, Reply(pieces))
    r = ask(w, "GET /")
    assert r["transfer-encoding"] == "chunked" and r["content-length"] is None
    assert r.body.endswith(b"0\r\nX-Sum: 1\r\n\r\n")


def test_trailers_do_not_reach_an_old_client(w, backend):
    answers(backend, TRAILED)
    r = ask(w, "GET /", version="1.0")
    assert r["transfer-encoding"] is None
    assert r.body == b"ok"


# ---- upgrades ----------------------------------------------------------------


@pytest.mark.parametrize("close, connection", [
    (True, "upgrade, close"), (False, "upgrade")])
def test_426_names_the_protocol(w, backend, close, connection):
    answers(backend, b"HTTP/1.1 426 Upgrade Required\r\n"
            b"Connection: upgrade\r\nUpgrade: websocket\r\n"
            b"Content-Length: 0\r\n\r\n")
    with w.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n%s\r\n" %
                  (b"Connection: close\r\n" if close else b""))
        r = Answer(s.recv(4096))
    assert (r.status, r["upgrade"]) == (426, "websocket")
    assert r["connection"] == connection


def test_426_does_not_name_what_cannot_pass(w, backend):
    answers(backend, b"HTTP/1.1 426 Upgrade Required\r\n"
            b"Connection: upgrade\r\nUpgrade: h2c, TLS/1.3\r\n"
            b"Content-Length: 0\r\n\r\n")
    r = ask(w, "GET /")
    assert (r.status, r["upgrade"], r["connection"]) == (426, None, "close")


# ---- intermediaries ----------------------------------------------------------


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_via_is_added_where_it_is_wanted(w, backend, version):
    ask(w, "GET /via", "Via: 1.1 first, 1.0 second", version=version)
    assert backend.requests[0].fields("via") == [
        b"1.1 first, 1.0 second", b"HTTP/%s edge" % version.encode()]
    assert backend.requests[0].field("x-none") is None


def test_via_is_left_alone_where_it_is_not(w, backend):
    answers(backend, ok(fields=b"Via: 1.1 app\r\n"))
    r = ask(w, "GET /", "Via: 1.1 first")
    assert backend.requests[0].field("via") == b"1.1 first"
    assert r["via"] == "1.1 app"


def test_hop_by_hop_fields_of_a_response_end_here(w, backend):
    answers(backend, ok(fields=b"Connection: X-Hop, keep-alive\r\nX-Hop: 1\r\n"
                        b"Keep-Alive: timeout=5\r\nProxy-Connection: close\r\n"
                        b"Upgrade: h2c\r\nX-Stays: 1\r\n"))
    r = ask(w, "GET /")
    for gone in ("x-hop", "keep-alive", "proxy-connection", "upgrade"):
        assert r.all(gone) == []
    assert r["x-stays"] == "1"


def test_lines_of_one_name_keep_their_order(w, backend):
    answers(backend, ok(fields=b"X-A: 1\r\nX-B: 2\r\nx-a: 3\r\nX-A: 4\r\n"))
    r = ask(w, "GET /", "X-A: 1", "X-B: 2", "x-a: 3", "X-A: 4")
    assert backend.requests[0].fields("x-a") == [b"1", b"3", b"4"]
    assert r.all("x-a") == ["1", "3", "4"]


def test_unknown_fields_and_methods_travel_on(w, backend):
    ask(w, "BREW /pot", "X-Unheard-Of: {\xe9}")
    assert backend.requests[0].line == b"BREW /pot HTTP/1.1"
    assert backend.requests[0].field("x-unheard-of") == b"{\xe9}"


def test_methods_are_case_sensitive(w, backend):
    ask(w, "get /")
    assert backend.requests[0].line == b"get / HTTP/1.1"


# ---- interim responses -------------------------------------------------------

HINTED = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok()


def test_interim_responses_are_passed_on(w, backend):
    answers(backend, HINTED)
    r = ask(w, "GET /")
    assert (r.status, r["link"]) == (103, "</a>")
    assert Answer(r.body).status == 200


def test_interim_responses_do_not_reach_an_old_client(w, backend):
    answers(backend, HINTED)
    assert ask(w, "GET /", version="1.0").status == 200


def test_100_of_the_upstream_ends_here(w, backend):
    answers(backend, b"HTTP/1.1 100 Continue\r\n\r\n" + ok())
    assert ask(w, "GET /").status == 200


def test_expect_of_an_old_client_is_ignored(w, backend):
    r = ask(w, "POST /", "Expect: 100-continue", "Content-Length: 2",
            body=b"hi", version="1.0")
    assert r.status == 200
    assert backend.requests[0].body == b"hi"


# ---- heads of responses ------------------------------------------------------


def test_date_is_added_where_there_is_none(w, backend):
    date = email.utils.parsedate_to_datetime(ask(w, "GET /")["date"])
    assert abs(date.timestamp() - time.time()) < 30


def test_date_of_the_upstream_is_kept(w, backend):
    then = "Sun, 06 Nov 1994 08:49:37 GMT"
    answers(backend, ok(fields=b"Date: %s\r\n" % then.encode()))
    assert ask(w, "GET /")["date"] == then


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("framing", [b"Content-Length: 0",
                                     b"Transfer-Encoding: chunked"])
def test_no_framing_where_no_content_may_be(w, backend, status, framing):
    answers(backend, b"HTTP/1.1 %d X\r\n%s\r\n\r\n" % (status, framing))
    r = ask(w, "GET /")
    assert r.status == status and r.body == b""
    assert r["content-length"] is None and r["transfer-encoding"] is None


def test_version_is_ours(w, backend):
    answers(backend, b"HTTP/1.0 200 Fine\r\nContent-Length: 2\r\n\r\nok")
    assert ask(w, "GET /", version="1.0").line == b"HTTP/1.1 200 OK"
    assert backend.requests[0].line == b"GET / HTTP/1.1"


@pytest.mark.parametrize("line", ["/files/a.txt", "/files/none", "/hello",
                                  "/files/../files", "/from/upstream"])
def test_head_has_the_fields_of_get(w, backend, line):
    answers(backend, ok(fields=b"ETag: \"x\"\r\n"))
    get, head = ask(w, "GET " + line), ask(w, "HEAD " + line)
    assert head.body == b""
    assert head.line == get.line
    assert [f for f in head.fields if f[0] != "date"] == \
        [f for f in get.fields if f[0] != "date"]


def test_unknown_length_is_not_made_up_for_head(w, backend):
    answers(backend, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    r = ask(w, "HEAD /")
    assert r["content-length"] is None and r.body == b""


# ---- connections -------------------------------------------------------------


def test_nothing_is_answered_after_close(w, backend):
    data = w.raw(b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                 b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    assert data.count(b"HTTP/1.1 ") == 1
    assert backend.requests == []


def test_close_of_the_upstream_is_its_own(w, backend):
    answers(backend, ok(fields=b"Connection: close\r\n"))
    with w.connect() as s:
        for n in range(2):
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            r = Answer(s.recv(4096))
            assert (r.status, r["connection"]) == (200, None)
    assert len({r.connection for r in backend.requests}) == 2


def test_close_of_the_client_is_its_own(w, backend):
    ask(w, "GET /")
    ask(w, "GET /")
    assert backend.requests[0].field("connection") is None
    assert len({r.connection for r in backend.requests}) == 1


@pytest.mark.parametrize("options, kept", [
    ("keep-alive", True), ("Keep-Alive, X-Y", True), ("x", False),
    ("keep-alive, close", False)])
def test_old_connections_persist_when_both_say_so(w, options, kept):
    with w.connect() as s:
        s.sendall(b"GET /hello HTTP/1.0\r\nConnection: %s\r\n\r\n" %
                  options.encode())
        r = Answer(s.recv(4096))
        assert r["connection"] == ("keep-alive" if kept else "close")


def test_refused_framing_ends_the_connection(w, backend):
    data = w.raw(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                 b"GET /evil HTTP/1.1\r\nHost: a\r\n\r\n")
    assert data.count(b"HTTP/1.1 ") == 1
    assert Answer(data)["connection"] == "close"
    assert backend.requests == []


# ---- framing that is written anew --------------------------------------------


def test_chunk_extensions_and_sizes_end_here(w, backend):
    ask(w, "POST /", "Transfer-Encoding: Chunked",
        body=b"00003;a=b;c=\"d\"\r\nabc\r\n2\r\nde\r\n0;x\r\n\r\n")
    r = backend.requests[0]
    assert r.body == b"abcde" and r.field("transfer-encoding") == b"chunked"
    assert b"a=b" not in backend.received[-1]


def test_content_of_get_is_passed_on(w, backend):
    ask(w, "GET /", "Content-Length: 3", body=b"abc")
    assert backend.requests[0].body == b"abc"


def test_chunks_of_the_upstream_do_not_reach_an_old_client(w, backend):
    answers(backend, [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                      b"2\r\nok\r\n", 0.05, b"0\r\n\r\n"])
    r = ask(w, "GET /", version="1.0")
    assert r["transfer-encoding"] is None and r.body == b"ok"


# ---- targets -----------------------------------------------------------------


@pytest.mark.parametrize("target, passed", [
    ("/?", b"/?"),
    ("//b/../c", b"//b/../c"),
    ("/a;b=c/%41", b"/a;b=c/%41"),
    ("/?http://b/", b"/?http://b/"),
    ("http://a", b"/"),
    ("http://a?", b"/?"),
    ("http://a?x=1", b"/?x=1"),
    ("http://a/b?c", b"/b?c"),
    ("HTTP://A/b", b"/b"),
])
def test_target_is_passed_on_in_origin_form(w, backend, target, passed):
    assert ask(w, "GET " + target).status == 200
    assert backend.requests[0].line == b"GET %s HTTP/1.1" % passed


@pytest.mark.parametrize("target", [
    "/a#b", "a", "?x", "a:443", "http://", "http:///b", "http://u@a/",
    "http://a/#b", "ftp://a/", "//a\\b", "/a%2", "/../b", "/%2e%2e/b"])
def test_targets_that_are_refused(w, backend, target):
    assert ask(w, "GET " + target).status == 400
    assert backend.requests == []


def test_two_slashes_begin_no_host(w, backend):
    assert ask(w, "GET //hello").body == b"hello\n"


@pytest.mark.parametrize("host", [
    "a b", "a/b", "u@a", "a:x", "a:99999", "[::1", "[::1%25lo]",
    "a%41", "a..b"])
def test_hosts_that_are_refused(w, backend, host):
    assert ask(w, "GET /", host=host).status == 400
    assert backend.requests == []


@pytest.mark.parametrize("host", ["a", "A.b", "a:80", "a:", "[::1]:8", "1.2.3.4"])
def test_host_is_passed_on(w, backend, host):
    assert ask(w, "GET /", host=host).status == 200
    assert backend.requests[0].field("host") == host.encode()


def test_request_without_host(w, backend):
    assert ask(w, "GET /", host=None).status == 400
    assert ask(w, "GET /", host=None, version="1.0").status == 200
    assert ask(w, "GET /", "Host: b").status == 400


# ---- conditions and ranges of files ------------------------------------------


def test_304_repeats_what_a_200_would_say(w):
    whole = ask(w, "GET /files/a.txt")
    r = ask(w, "GET /files/a.txt", "If-None-Match: " + whole["etag"])
    assert r.status == 304 and r.body == b""
    for name in ("etag", "last-modified"):
        assert r[name] == whole[name]
    assert r["date"] is not None
    for name in ("content-type", "content-length", "transfer-encoding"):
        assert r[name] is None


def test_206_says_what_a_200_would(w):
    whole = ask(w, "GET /files/a.txt")
    r = ask(w, "GET /files/a.txt", "Range: bytes=2-4")
    assert (r.status, r.body) == (206, b"234")
    assert r["content-range"] == "bytes 2-4/10" and r["content-length"] == "3"
    for name in ("etag", "last-modified", "content-type", "accept-ranges"):
        assert r[name] == whole[name]


def test_several_parts_have_their_range_inside(w):
    r = ask(w, "GET /files/a.txt", "Range: bytes=0-1, 8-9")
    assert r.status == 206 and r["content-range"] is None
    assert r["content-type"].startswith("multipart/byteranges; boundary=")
    for part in (b"bytes 0-1/10\r\n\r\n01\r\n", b"bytes 8-9/10\r\n\r\n89\r\n"):
        assert b"Content-Type: text/plain" in r.body and part in r.body


@pytest.mark.parametrize("line", ["HEAD /files/a.txt", "GET /files/a.txt"])
def test_range_is_for_get_only(w, line):
    r = ask(w, line, "Range: bytes=2-4")
    assert r.status == (206 if line.startswith("GET") else 200)


def test_two_lines_of_range_are_none(w):
    r = ask(w, "GET /files/a.txt", "Range: bytes=0-1", "Range: bytes=4-5")
    assert (r.status, r.body) == (200, CONTENT)


def test_conditions_come_before_ranges(w):
    tag = ask(w, "GET /files/a.txt")["etag"]
    for value, status in ((tag, 304), ('"x"', 206)):
        assert ask(w, "GET /files/a.txt", "Range: bytes=0-0",
                   "If-None-Match: " + value).status == status


def test_conditions_do_not_matter_where_nothing_is(w):
    assert ask(w, "GET /files/none", "If-Match: *").status == 404
    assert ask(w, "GET /files/none", "If-None-Match: *").status == 404


def test_files_are_never_from_the_future(w):
    path = w.dir / "files" / "new.txt"
    path.write_bytes(b"new")
    os.utime(path, (time.time() + 86400,) * 2)
    r = ask(w, "GET /files/new.txt")
    parse = email.utils.parsedate_to_datetime
    assert parse(r["last-modified"]) <= parse(r["date"])


def test_if_range_without_range_is_ignored(w):
    assert ask(w, "GET /files/a.txt", 'If-Range: "x"').status == 200


def test_conditions_and_ranges_are_passed_on(w, backend):
    fields = ("Range: bytes=0-1", 'If-Range: "x"', 'If-Match: "x"',
              'If-None-Match: W/"y"', "If-Modified-Since: whenever")
    ask(w, "GET /", *fields)
    for field in fields:
        name, _, value = field.partition(": ")
        assert backend.requests[0].field(name) == value.encode()


def test_challenge_of_another_hop_ends_here(w, backend):
    answers(backend, b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n"
            b"Content-Length: 0\r\n\r\n")
    r = ask(w, "GET /", "Proxy-Authorization: Basic eA==")
    assert backend.requests[0].field("proxy-authorization") is None
    # Nor is it passed on that the proxy has none to show.
    assert (r.status, r["proxy-authenticate"]) == (502, None)
    wait_until(lambda: "502 (upstream_challenge)" in w.log())

