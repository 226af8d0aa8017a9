"""What RFC 9110, 9112 and 3986 demand of whoever stands between a client and
a server, read off the wire. tests/rfc.md says which test shows which sentence.
One daemon and one backend serve all of them: tests say what the backend
answers, and look at what it was asked."""

import email.utils
import pathlib
import ssl
import sys
import time

import pytest

from conftest import Weir, recv_all

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
    shared.close_connections()
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
