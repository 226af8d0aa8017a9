"""Proxying: what the upstream sees, what the client sees, and what happens when
either of them breaks. Backends are the Node.js application (backends/app.js)
and one that says exactly the bytes a test wants (backends/rawbackend.py)."""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import threading
import time

import pytest

BACKENDS = pathlib.Path(__file__).resolve().parent.parent / "backends"
sys.path.insert(0, str(BACKENDS))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

from conftest import SANITIZED  # noqa: E402

CONF = """
error_log: {{to: stderr, level: info}}
upstreams:
  app:
    servers: [{servers}]
{upstream}
sites:
  - listen: "127.0.0.1:{{port}}"
{site}
    routes:
      - proxy:
          to: app
{proxy}
"""


def config(servers, upstream="", proxy="", site=""):
    """One site that passes everything to `servers`."""
    def indent(text, n):
        return "\n".join(" " * n + line for line in text.splitlines())

    return CONF.format(servers=", ".join(f'"{s}"' for s in servers),
                       upstream=indent(upstream, 4), proxy=indent(proxy, 10),
                       site=indent(site, 4))


@pytest.fixture(scope="module")
def app():
    """The Node.js application, on a free port."""
    process = subprocess.Popen(["node", str(BACKENDS / "app.js"), "0"],
                               stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield line.split()[-1]
    finally:
        process.terminate()
        process.wait(10)


class Client:
    """A client that says exactly what it is told."""

    def __init__(self, port, data=b"", timeout=10):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        self.buffer = b""
        if data:
            self.send(data)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(self.buffer)
        self.buffer += data

    def until(self, end):
        while end not in self.buffer:
            self.more()
        at = self.buffer.index(end) + len(end)
        data, self.buffer = self.buffer[:at], self.buffer[at:]
        return data

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def head(self):
        """Status and fields (names in lower case) of the next head."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        fields = {}
        for line in lines[1:-2]:
            name, value = line.split(":", 1)
            fields.setdefault(name.lower(), []).append(value.strip())
        return int(lines[0].split()[1]), fields

    def chunks(self):
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            body += self.exactly(size)
            if size == 0:
                while self.until(b"\r\n") != b"\r\n":
                    pass
                return body
            assert self.exactly(2) == b"\r\n"

    def response(self, method="GET"):
        status, fields = self.head()
        if method == "HEAD" or status in (204, 304):
            return status, fields, b""
        if "transfer-encoding" in fields:
            return status, fields, self.chunks()
        if "content-length" in fields:
            return status, fields, self.exactly(int(fields["content-length"][0]))
        return status, fields, self.rest()

    def rest(self):
        try:
            while True:
                self.more()
        except EOFError:
            data, self.buffer = self.buffer, b""
            return data


GET = b"GET / HTTP/1.1\r\nHost: ex.org\r\n\r\n"


def get(port, path="/", extra=b"", method=b"GET"):
    with Client(port, method + b" " + path.encode() + b" HTTP/1.1\r\n"
                b"Host: ex.org\r\n" + extra + b"\r\n") as c:
        return c.response(method.decode())


def eventually(condition, seconds=5):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


# ---- the request that the upstream gets ------------------------------------


def test_request_is_written_anew(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        status, _, body = get(
            w.port, "/a%2Eb/../c?q=%41&x",
            b"Connection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\n"
            b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\n"
            b"X-Real-IP: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\nX-Own: 1\r\n")
        assert (status, body) == (200, b"ok")
        r = b.requests[0]
        assert r.line == b"GET /a%2Eb/../c?q=%41&x HTTP/1.1"
        assert r.field("host") == b"ex.org"
        assert r.field("x-own") == b"1"
        assert r.field("x-forwarded-for") == b"127.0.0.1"
        assert r.field("x-forwarded-proto") == b"http"
        assert r.field("x-forwarded-host") == b"ex.org"
        for gone in ("x-hop", "te", "forwarded", "x-real-ip", "x_real_ip",
                     "connection", "content-length", "transfer-encoding"):
            assert r.fields(gone) == [], gone


def test_request_headers_are_set_and_removed(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"], proxy="""\
request_headers:
  set: {Host: inner.example, X-Client: "$remote_addr", X-Forwarded-For: me, X-Empty: "$arg_none"}
  remove: [Accept-Encoding, X-Away]"""))
        get(w.port, "/", b"Accept-Encoding: gzip\r\nx-away: 1\r\n"
            b"X-Client: liar\r\nX-Empty: client\r\n")
        r = b.requests[0]
        assert r.field("host") == b"inner.example"
        assert r.field("x-client") == b"127.0.0.1"
        assert r.field("x-forwarded-for") == b"me"
        assert r.field("x-forwarded-host") == b"ex.org"
        for gone in ("accept-encoding", "x-away", "x-empty"):
            assert r.fields(gone) == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_no_body_says_so(weir, method):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        get(w.port, method=method.encode())
        assert b.requests[0].field("content-length") == b"0"


def test_upload_of_known_and_unknown_length(weir, app):
    w = weir(config([app]))
    data = os.urandom(300_000)
    digest = hashlib.sha256(data).hexdigest()
    for chunked in (False, True):
        c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=10)
        if chunked:
            c.request("POST", "/request", iter([data[:7], data[7:100_000],
                                                data[100_000:]]),
                      encode_chunked=True,
                      headers={"Transfer-Encoding": "chunked"})
        else:
            c.request("POST", "/request", data)
        seen = json.loads(c.getresponse().read())
        assert seen["sha256"] == digest
        assert ("content-length" in seen["headers"]) == (not chunked)


def test_expect_is_answered_here(weir, app):
    w = weir(config([app]))
    with Client(w.port, b"POST /request HTTP/1.1\r\nHost: a\r\n"
                b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n") as c:
        assert c.head()[0] == 100
        c.send(b"hi")
        status, _, body = c.response()
        assert status == 200
        seen = json.loads(body)
        assert seen["length"] == 2 and "expect" not in seen["headers"]


# ---- responses ----------------------------------------------------------------


def test_response_fields(weir):
    with RawBackend([Reply(
            b"HTTP/1.1 200 Fine\r\nServer: app\r\nConnection: X-Hop\r\n"
            b"X-Hop: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
            b"Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nhi")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        status, fields, body = get(w.port)
        assert (status, body) == (200, b"hi")
        assert fields["server"] == ["app"]
        assert fields["set-cookie"] == ["a=1", "b=2"]
        assert fields["content-length"] == ["2"]
        for gone in ("x-hop", "keep-alive", "transfer-encoding"):
            assert gone not in fields


@pytest.mark.parametrize("n", [0, 1, 1000, 65536, 5_000_000])
@pytest.mark.parametrize("chunked", ["", "&chunked"])
def test_download(weir, app, n, chunked):
    w = weir(config([app]))
    status, fields, body = get(w.port, f"/bytes?n={n}{chunked}")
    assert status == 200 and body == b"x" * n


def test_head_and_empty_statuses(weir, app):
    w = weir(config([app]))
    status, fields, _ = get(w.port, "/bytes?n=1234", method=b"HEAD")
    assert status == 200 and fields["content-length"] == ["1234"]
    for code in (204, 304):
        status, fields, _ = get(w.port, f"/status?code={code}")
        assert status == code and "transfer-encoding" not in fields


def test_http10_client(weir, app):
    w = weir(config([app]))
    with Client(w.port, b"GET /bytes?n=70000&chunked HTTP/1.0\r\n\r\n") as c:
        status, fields = c.head()
        assert status == 200 and "transfer-encoding" not in fields
        assert c.rest() == b"x" * 70000


def test_early_hints(weir, app):
    w = weir(config([app]))
    with Client(w.port, b"GET /hints HTTP/1.1\r\nHost: a\r\n\r\n") as c:
        status, fields = c.head()
        assert status == 103 and "style.css" in fields["link"][0]
        assert c.response()[2] == b"hinted\n"


def test_events_are_not_held_back(weir, app):
    w = weir(config([app]))
    with Client(w.port, b"GET /events?n=3&ms=300 HTTP/1.1\r\n"
                b"Host: a\r\n\r\n") as c:
        status, fields = c.head()
        assert fields["content-type"] == ["text/event-stream"]
        began = time.monotonic()
        times = []
        for i in (1, 2, 3):
            c.until(b"data: event %d\n\n" % i)
            times.append(time.monotonic() - began)
        assert times[2] - times[0] > 0.4, times


def test_full_duplex(weir, app):
    """The answer comes while the request is still being sent."""
    w = weir(config([app]))
    data = os.urandom(4_000_000)
    with Client(w.port, b"POST /echo HTTP/1.1\r\nHost: a\r\n"
                b"Content-Length: %d\r\n\r\n" % len(data)) as c:
        sender = threading.Thread(target=c.send, args=(data,))
        sender.start()
        status, _, body = c.response()
        sender.join(10)
        assert status == 200
        assert hashlib.sha256(body).digest() == hashlib.sha256(data).digest()


def test_body_ends_with_the_connection(weir):
    with RawBackend([Reply(b"HTTP/1.0 200 OK\r\n\r\nto the end",
                           close="fin")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[2] == b"to the end"


# ---- websocket ------------------------------------------------------------------


def ws_frame(payload, opcode=1):
    mask = os.urandom(4)
    head = bytes([0x80 | opcode])
    if len(payload) < 126:
        head += bytes([0x80 | len(payload)])
    else:
        head += bytes([0x80 | 126]) + len(payload).to_bytes(2, "big")
    return head + mask + bytes(b ^ mask[i & 3] for i, b in enumerate(payload))


def ws_read(c):
    first, n = c.exactly(2)
    if n == 126:
        n = int.from_bytes(c.exactly(2), "big")
    return first & 15, c.exactly(n)


def test_websocket(weir, app):
    w = weir(config([app]))
    key = base64.b64encode(os.urandom(16)).decode()
    with Client(w.port, (
            "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Version: 13\r\n\r\n").encode()) as c:
        status, fields = c.head()
        assert status == 101
        assert fields["upgrade"] == ["websocket"]
        assert fields["connection"][0].lower() == "upgrade"
        want = base64.b64encode(hashlib.sha1(
            (key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        assert fields["sec-websocket-accept"] == [want.decode()]
        for size in (1, 125, 126, 60000):
            payload = b"m" * size
            c.send(ws_frame(payload, 2))
            assert ws_read(c) == (2, payload)
        c.send(ws_frame(b"hello"))
        assert ws_read(c) == (1, b"hello")
        assert ws_read(c) == (1, b"again")
        c.send(ws_frame(b"\x03\xe8", 8))
        assert ws_read(c)[0] == 8
        assert c.rest() == b""


def test_other_upgrades_do_not_pass(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port, "/", b"Connection: Upgrade, HTTP2-Settings\r\n"
                   b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")[0] == 200
        for gone in ("upgrade", "http2-settings", "connection"):
            assert b.requests[0].fields(gone) == []


def test_upgrade_nobody_asked_for(weir):
    with RawBackend([Reply(b"HTTP/1.1 101 Switching Protocols\r\n"
                           b"Upgrade: websocket\r\nConnection: upgrade\r\n"
                           b"\r\n")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[0] == 502


# ---- connections ------------------------------------------------------------------


def test_connections_are_kept(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        for _ in range(20):
            assert get(w.port)[0] == 200
        assert len(b.connections) == 1


def test_keepalive_off(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"], upstream="keepalive: off"))
        for _ in range(3):
            assert get(w.port)[0] == 200
        assert len(b.connections) == 3
        assert b.requests[0].field("connection") == b"close"


def test_idle_connection_that_died_is_replaced(weir):
    """The server closes as the second request arrives on a kept connection."""
    with RawBackend([Reply(ok(b"1")), Reply(b"", close="reset"),
                     Reply(ok(b"2"))]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[2] == b"1"
        assert get(w.port)[2] == b"2"
        assert [r.connection for r in b.requests] == [0, 0, 1]


def test_post_is_not_sent_twice(weir):
    with RawBackend([Reply(ok(b"1")), Reply(b"", close="reset"),
                     Reply(ok(b"2"))]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[2] == b"1"
        status, _, _ = get(w.port, method=b"POST")
        assert status == 502
        assert len(b.requests) == 2


def test_weights(weir):
    with RawBackend([Reply(ok(b"a"))]) as a, RawBackend([Reply(ok(b"b"))]) as b:
        conf = config([f"127.0.0.1:{a.port}", "second"]).replace(
            '"second"', f'{{address: "127.0.0.1:{b.port}", weight: 3}}')
        w = weir(conf)
        bodies = [get(w.port)[2] for _ in range(40)]
        assert bodies.count(b"b") == 30


def test_unix_socket(weir, tmp_path):
    path = str(tmp_path / "b.sock")
    with RawBackend([Reply(ok())], path=path) as b:
        w = weir(config([f"unix:{path}"]))
        assert get(w.port)[0] == 200
        with Client(w.port, b"GET / HTTP/1.0\r\n\r\n") as c:
            assert c.response()[0] == 200
        assert b.requests[1].field("host") == b"localhost"


# ---- failures -----------------------------------------------------------------------


def closed_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_refused(weir):
    port = closed_port()
    w = weir(config([f"127.0.0.1:{port}"]))
    assert get(w.port)[0] == 502
    assert eventually(lambda: f"upstream app (127.0.0.1:{port}): connect: "
                      in w.log())
    assert "attempt 1 of 1" in w.log()


def test_next_server_when_one_is_refused(weir):
    with RawBackend([Reply(ok())]) as b:
        w = weir(config([f"127.0.0.1:{closed_port()}", f"127.0.0.1:{b.port}"]))
        for _ in range(4):
            assert get(w.port)[0] == 200


def test_read_timeout(weir, app):
    w = weir(config([app], proxy="read_timeout: 300ms"))
    began = time.monotonic()
    assert get(w.port, "/hang")[0] == 504
    assert 0.25 < time.monotonic() - began < 3
    assert eventually(lambda: "head: timed out" in w.log())


@pytest.mark.parametrize("answer", [
    b"nonsense\r\n\r\n",
    b"HTTP/1.1 99 Low\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nBad Name: 1\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70000 + b"\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n" + b"X: 1\r\n" * 300 + b"\r\n",
    b"HTTP/1.1 103 Hint\r\n\r\n" * 40,
    b"",
], ids=["line", "status", "lengths", "framings", "name", "nul", "large", "many",
        "interim", "nothing"])
def test_bad_heads_are_502(weir, answer):
    with RawBackend([Reply(answer, close="fin")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        with Client(w.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") as c:
            status = c.head()[0]
            while status == 103:
                status = c.head()[0]
        assert status == 502


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
], ids=["length", "chunked", "bad chunk"])
@pytest.mark.parametrize("close", ["fin", "reset"])
def test_short_bodies_are_visible(weir, answer, close):
    with RawBackend([Reply([answer, 0.05], close=close)]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        with Client(w.port, GET) as c:
            with pytest.raises((EOFError, ConnectionError)):
                c.response()


def test_bytes_after_a_response_reach_nobody(weir):
    with RawBackend([Reply(ok(b"one") + ok(b"evil")), Reply(ok(b"two"))]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[2] == b"one"
        assert get(w.port)[2] == b"two"
        assert [r.connection for r in b.requests] == [0, 1]


def test_refused_upload_gets_its_answer(weir):
    with RawBackend([Reply(
            b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n"
            b"Connection: close\r\n\r\nno", when="head")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        with Client(w.port, b"POST / HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 1000000\r\n\r\n" + b"x" * 1000) as c:
            status, _, body = c.response()
        assert (status, body) == (413, b"no")


def test_client_that_leaves_frees_the_upstream(weir):
    with RawBackend([Reply([b"", 30.0])]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        with Client(w.port, GET):
            assert b.wait_for(lambda b: b.requests)
        with Client(w.port, b"POST / HTTP/1.1\r\nHost: a\r\n"
                    b"Content-Length: 10\r\n\r\nfive5"):
            assert b.wait_for(lambda b: len(b.connections) == 2)
        assert b.wait_for(
            lambda b: b.connections[1].reader.at_eof() or
            b.connections[1].reader.exception() is not None)


def test_slow_reader_costs_bounded_memory(weir, app):
    w = weir(config([app]))
    with Client(w.port, b"GET /bytes?n=200000000 HTTP/1.1\r\n"
                b"Host: a\r\n\r\n") as c:
        c.head()
        time.sleep(0.5)
        c.exactly(1_000_000)
        for pid in w.children():
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            rss = next(line for line in status.splitlines()
                       if line.startswith("VmRSS"))
            assert SANITIZED or int(rss.split()[1]) < 60_000, rss


# ---- logs and configuration -----------------------------------------------------------


def test_log_says_who_where_and_why(weir):
    with RawBackend([Reply(b"", close="fin")]) as b:
        w = weir(config([f"127.0.0.1:{b.port}"]))
        assert get(w.port)[0] == 502
        assert eventually(
            lambda: f"upstream app (127.0.0.1:{b.port}): head: the server "
            "closed the connection, attempt 1 of 1" in w.log())


def test_literal_address(weir, app):
    w = weir("""
        sites:
          - listen: "127.0.0.1:{port}"
            routes: [{proxy: "http://%s"}]
    """ % app)
    assert get(w.port, "/bytes?n=3")[2] == b"xxx"


def test_servers_killed_and_back(weir):
    first = RawBackend([Reply(ok())])
    with RawBackend([Reply(ok())]) as b:
        with first:
            w = weir(config([f"127.0.0.1:{first.port}",
                             f"127.0.0.1:{b.port}"]))
            for _ in range(4):
                assert get(w.port)[0] == 200
        for _ in range(10):
            assert get(w.port)[0] == 200
