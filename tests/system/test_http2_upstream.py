"""Upstreams that speak HTTP/2: streams of a few connections, bodies under flow
control both ways, what is retried, and what a bad server can do."""

import pathlib
import re
import ssl
import subprocess
import sys
import threading
import time

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from conftest import SLOW, WEIR, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from h2backend import H2Backend  # noqa: E402

pytestmark = pytest.mark.skipif(
    "nghttp2" not in subprocess.run([WEIR, "-V"], capture_output=True,
                                    text=True).stdout,
    reason="built without HTTP/2")

SITE = """
    workers: 1
    error_log: {to: stderr, level: info}
    http: {max_body_size: 200M}
    upstreams:
      up:
        servers: ["127.0.0.1:{port2}"]
        keepalive: {ping: 1s, idle: 2s}
    sites:
      - listen: "127.0.0.1:{port}"
        routes:
          - {path: /quick, proxy: {to: up, protocol: http2, read_timeout: 500ms, send_timeout: 500ms}}
          - {path: /silent, proxy: {to: up, protocol: http2}}
          - proxy: {to: up, protocol: http2, read_timeout: 5s}
"""


@pytest.fixture
def w(weir):
    return weir(SITE)


def backend(w, *args, **more):
    return H2Backend(*args, port=w.port_of("port2"), **more)


def hello(r):
    r.respond(b"hello", content_type="text/plain")


def exchange(w, request):
    """All that comes until the end."""
    data = b""
    with w.connect() as s:
        s.sendall(request)
        try:
            while part := s.recv(65536):
                data += part
        except ConnectionResetError:
            pass
    return data


def ask(w, path=b"/", head=b"", method=b"GET", body=b""):
    return exchange(w, b"%s %s HTTP/1.1\r\nHost: a.test\r\n%s"
                    b"Connection: close\r\n\r\n%s" %
                    (method, path, head, body))


def status(data):
    """Of the final response; None: there is none."""
    while re.match(rb"HTTP/1\.1 1\d\d ", data):
        data = data.partition(b"\r\n\r\n")[2]
    return int(data.split(b" ", 2)[1]) if data else None


def post(w, body, path=b"/"):
    return ask(w, path, b"Content-Length: %d\r\n" % len(body), b"POST", body)


def all_at_once(n, ask_one):
    results = [None] * n

    def run(i):
        results[i] = ask_one(i)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(30 * SLOW)
    return results


# ---- requests and responses ------------------------------------------------

def test_a_request_becomes_a_stream(w):
    with backend(w, hello) as b:
        r = w.get("/path?q=1", headers={"X-Thing": "1", "TE": "trailers"})
        assert (r.status, r.body) == (200, b"hello")
        sent = b.requests[0]
        assert sent.list[:2] == [(":method", "GET"), (":scheme", "http")]
        assert sent.fields[":path"] == "/path?q=1"
        assert sent.fields[":authority"].startswith("127.0.0.1:")
        assert sent.fields["x-thing"] == "1"
        assert sent.fields["te"] == "trailers"
        assert sent.fields["x-forwarded-for"] == "127.0.0.1"
        for name in "host", "connection", "transfer-encoding", "keep-alive":
            assert name not in sent.fields


def test_a_head_has_no_body(w):
    with backend(w, lambda r: r.respond(content_length="7")):
        data = ask(w, method=b"HEAD")
        assert status(data) == 200
        assert b"Content-Length: 7\r\n" in data
        assert data.endswith(b"\r\n\r\n")


def test_bodies_of_any_size_pass_both_ways(w):
    sizes = 0, 1, 16384, 65535, 65536, 3_000_000
    with backend(w, lambda r: r.respond(r.body)):
        for size in sizes:
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            data = post(w, body)
            head, _, rest = data.partition(b"\r\n\r\n")
            if b"chunked" in head.lower():
                out = b""
                while not rest.startswith(b"0\r\n"):
                    n, _, rest = rest.partition(b"\r\n")
                    out, rest = out + rest[:int(n, 16)], rest[int(n, 16) + 2:]
                rest = out
            assert rest == body


def test_trailers_pass_both_ways(w):
    def echo(r):
        r.respond(b"x" * 10, trailers={
            "x-sum": r.trailers.get("x-check", "none"), "set-cookie": "a=1"})

    with backend(w, echo) as b:
        data = exchange(w, b"POST / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n"
                        b"Connection: close, te\r\n"
                        b"Transfer-Encoding: chunked\r\n\r\n"
                        b"3\r\nabc\r\n0\r\nX-Check: 42\r\n\r\n")
        assert b.requests[0].body == b"abc"
        assert "content-length" not in b.requests[0].fields
        assert data.endswith(b"0\r\nx-sum: 42\r\n\r\n")


def test_interim_responses_pass(w):
    def early(r):
        r.head(103, link="</a.css>; rel=preload")
        r.respond(b"late")

    with backend(w, early):
        data = ask(w)
        assert data.startswith(b"HTTP/1.1 103 ")
        assert b"link: </a.css>; rel=preload\r\n" in data
        assert b"HTTP/1.1 200 OK" in data


def test_a_body_streams_both_ways_at_once(w):
    def on_head(r):
        r.head(200)
        r.connection.send_body(r.stream, b"first", False)

    def finish(r):
        r.connection.send_body(r.stream, b"last", True)

    with backend(w, finish, on_head=on_head) as b, w.connect() as s:
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        data = b""
        while b"first" not in data:
            data += s.recv(65536)
        wait_until(lambda: b.requests[0].body == b"one")
        s.sendall(b"3\r\ntwo\r\n0\r\n\r\n")
        while part := s.recv(65536):
            data += part
        assert b"last" in data
        assert b.requests[0].body == b"onetwo"


# ---- connections -----------------------------------------------------------

def test_requests_share_a_connection(w):
    gate = threading.Event()

    def wait(r):
        gate.wait(10)
        hello(r)

    with backend(w, wait) as b:
        t = threading.Thread(
            target=lambda: (b.wait_for(40), gate.set()))
        t.start()
        results = all_at_once(40, lambda i: status(ask(w)))
        t.join()
        assert results == [200] * 40
        assert len(b.connections) == 1


def test_no_more_streams_than_the_server_takes(w):
    most = []

    def slow(r):
        with r.connection.lock:
            r.connection.now = getattr(r.connection, "now", 0) + 1
            most.append(r.connection.now)
        time.sleep(0.05)
        with r.connection.lock:
            r.connection.now -= 1
            hello(r)

    with backend(w, slow,
                 settings={SettingCodes.MAX_CONCURRENT_STREAMS: 2}) as b:
        assert status(ask(w)) == 200
        assert all_at_once(40, lambda i: status(ask(w))) == [200] * 40
        assert max(most) <= 2
        assert 1 < len(b.connections) <= 8


def test_an_idle_connection_ends_with_a_goaway(w):
    with backend(w, hello) as b:
        assert w.get("/").status == 200
        c = b.connections[0]
        assert not c.is_closed
        wait_until(lambda: c.is_closed)
        assert c.goodbye


def test_a_client_that_leaves_resets_its_stream_only(w):
    with backend(w, None) as b:
        with w.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            b.wait_for(1)
        wait_until(lambda: hasattr(b.requests[0], "reset_code"))
        assert b.requests[0].reset_code == ErrorCodes.CANCEL
        b.handler = hello
        assert w.get("/").status == 200
        assert len(b.connections) == 1


def test_a_silent_server_is_pinged_and_given_up(w):
    import h2.events

    # It reads nothing more, so that nothing answers the PING.
    def deaf(c, event):
        if isinstance(event, h2.events.RequestReceived):
            time.sleep(30)

    with backend(w, on_event=deaf):
        t0 = time.monotonic()
        assert status(ask(w, b"/silent")) == 504
        assert time.monotonic() - t0 < 20 * SLOW
        assert "no answer to a PING" in w.log()


def test_a_server_that_answers_pings_may_think(w):
    def slow(r):
        time.sleep(3.5)
        hello(r)

    with backend(w, slow):
        assert status(ask(w, b"/silent")) == 200


# ---- what is tried again ---------------------------------------------------

def test_a_refused_stream_is_sent_again_with_its_body(w):
    seen = []

    def refuse_once(r):
        seen.append(r.body)
        if len(seen) == 1:
            r.reset(ErrorCodes.REFUSED_STREAM)
        else:
            hello(r)

    with backend(w, refuse_once):
        assert status(post(w, b"abc" * 1000)) == 200
        assert seen == [b"abc" * 1000] * 2


def test_a_stream_that_is_refused_twice_is_a_503(w):
    with backend(w, lambda r: r.reset(ErrorCodes.REFUSED_STREAM)) as b:
        assert status(ask(w)) == 503
        assert len(b.requests) == 2
        assert "the server refused the stream" in w.log()


def test_a_long_body_is_not_sent_again(w):
    with backend(w, lambda r: r.reset(ErrorCodes.REFUSED_STREAM)) as b:
        assert status(post(w, b"x" * 200_000)) == 503
        assert len(b.requests) == 1


def test_what_a_goaway_leaves_out_goes_to_another_connection(w):
    def go(r):
        if len(b.connections) == 1:
            r.connection.goaway(0)
        else:
            hello(r)

    with backend(w, go) as b:
        assert status(post(w, b"abc")) == 200
        assert len(b.connections) == 2


def test_after_a_goaway_the_rest_is_finished(w):
    import hyperframe.frame

    def go(r):
        if len(b.connections) > 1:
            return hello(r)
        f = hyperframe.frame.GoAwayFrame(0, last_stream_id=r.stream)
        r.connection.send_raw(f.serialize())
        time.sleep(0.3)
        r.respond(b"finished")

    with backend(w, go) as b:
        t = threading.Thread(target=lambda: results.append(ask(w)))
        results = []
        t.start()
        b.wait_for(1)
        time.sleep(0.15)
        assert b"hello" in ask(w)
        t.join()
        assert b"finished" in results[0]
        assert len(b.connections) == 2
        wait_until(lambda: b.connections[0].is_closed)


# ---- failures --------------------------------------------------------------

def test_a_reset_before_the_head_is_a_502(w):
    with backend(w, lambda r: r.reset(ErrorCodes.INTERNAL_ERROR)) as b:
        assert status(ask(w)) == 502
        assert "INTERNAL_ERROR" in w.log()
        b.handler = hello
        assert status(ask(w)) == 200
        assert len(b.connections) == 1


@pytest.mark.parametrize("how", ["reset", "close", "short", "long"])
def test_a_body_that_breaks_off_is_cut(w, how):
    def break_off(r):
        length = {"short": "1000", "long": "10"}.get(how)
        r.head(200, **({"content_length": length} if length else {}))
        r.connection.send_body(r.stream, b"x" * 500, how == "short")
        time.sleep(0.1)
        if how == "reset":
            r.reset(ErrorCodes.CANCEL)
        if how == "close":
            r.connection.sock.shutdown(2)

    with backend(w, break_off):
        data = ask(w)
        head, _, body = data.partition(b"\r\n\r\n")
        assert status(data) in ((200, 502) if how == "long" else (200,))
        if status(data) == 200:
            assert not body.endswith(b"0\r\n\r\n")
            assert len(body) < 1000 or b"chunked" in head.lower()
        wait_until(lambda: "cut after" in w.log() or "502" in w.log())


def test_a_server_that_says_nothing_is_a_504(w):
    with backend(w) as b:
        assert status(ask(w, b"/quick")) == 504
        wait_until(lambda: hasattr(b.requests[0], "reset_code"))


def test_a_server_that_takes_nothing_is_a_504(w):
    with backend(w, reads=False):
        assert status(post(w, b"x" * 2_000_000, b"/quick")) == 504


def test_a_server_of_http1_is_a_502(w):
    import socket

    def serve():
        s, _ = listener.accept()
        s.recv(65536)
        s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.5)
        s.close()

    with socket.create_server(("127.0.0.1", w.port_of("port2"))) as listener:
        threading.Thread(target=serve, daemon=True).start()
        assert status(ask(w)) == 502
        assert "broke the rules" in w.log() or "bad_http2" in w.log() or \
            "remote peer" in w.log().lower()


def test_nobody_listens(w):
    assert all_at_once(10, lambda i: status(ask(w))) == [502] * 10


# ---- flow control ----------------------------------------------------------

def test_a_slow_client_holds_the_server_back(w):
    with backend(w, lambda r: r.respond(b"x" * 50_000_000)) as b:
        with w.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            s.recv(1000)
            time.sleep(1)
            before = b.sent
            time.sleep(0.5)
            assert b.sent == before
            assert b.sent < 20_000_000  # sockets' buffers, and a window
            # And it is in nobody's way.
            b.handler = hello
            assert b"hello" in ask(w)
            assert len(b.connections) == 1


def test_a_slow_server_holds_the_client_back(w):
    with backend(w, reads=False) as b, w.connect() as s:
        s.settimeout(1)
        s.sendall(b"POST / HTTP/1.1\r\nHost: a\r\n"
                  b"Content-Length: 100000000\r\n\r\n")
        sent = 0
        try:
            while sent < 50_000_000:
                sent += s.send(b"x" * 65536)
        except TimeoutError:
            pass
        assert sent < 20_000_000
        assert len(b.requests[0].body) <= 65535


# ---- hostile servers -------------------------------------------------------

def flood(w, frames, head=None):
    """Sends FRAMES for ever, as answer to a request; what the client gets."""
    def send(r):
        if head:
            r.connection.send_raw(head(r))
        while r.connection.send_raw(frames(r)):
            pass

    with backend(w, send):
        return status(ask(w))


@pytest.mark.parametrize("kind", [
    "PING", "SETTINGS", "CONTINUATION", "EMPTY_DATA", "PRIORITY",
    "WINDOW_UPDATE", "RST_IDLE", "INTERIM"])
def test_floods_end_the_connection(w, kind):
    import hyperframe.frame as f

    frames = {
        "PING": lambda r: f.PingFrame(0, b"12345678").serialize() * 100,
        "SETTINGS": lambda r: f.SettingsFrame(
            0, {1: 4096}).serialize() * 100,
        "CONTINUATION": lambda r: f.ContinuationFrame(
            r.stream, b"\x40\x01a\x01b" * 10).serialize() * 100,
        "EMPTY_DATA": lambda r: f.DataFrame(r.stream).serialize() * 100,
        "PRIORITY": lambda r: f.PriorityFrame(
            r.stream, depends_on=0, stream_weight=1).serialize() * 100,
        "WINDOW_UPDATE": lambda r: f.WindowUpdateFrame(
            0, window_increment=1).serialize() * 100,
        "RST_IDLE": lambda r: f.RstStreamFrame(999).serialize() * 100,
        "INTERIM": lambda r: f.HeadersFrame(
            r.stream, b"\x08\x03103", flags=["END_HEADERS"]).serialize(),
    }[kind]
    head = {
        "CONTINUATION": lambda r: f.HeadersFrame(
            r.stream, b"\x88").serialize(),
        "EMPTY_DATA": lambda r: f.HeadersFrame(
            r.stream, b"\x88", flags=["END_HEADERS"]).serialize(),
    }.get(kind)
    before = w.rss() if hasattr(w, "rss") else 0
    got = flood(w, frames, head)
    assert got == (200 if kind == "EMPTY_DATA" else 502)
    if before:
        assert w.rss() - before < 16 << 20


@pytest.mark.parametrize("fields", [
    [("x", "y" * 70_000)],
    [("x%d" % i, "y") for i in range(300)],
    [("x", "y" * 30_000)] * 5,
])
def test_a_large_head_is_a_502(w, fields):
    def bomb(r):
        r.connection.h2.max_outbound_frame_size = 16384
        r.connection.send_headers(r.stream, [(":status", "200"), *fields])

    with backend(w, bomb):
        assert status(ask(w)) == 502
        b2 = w.log()
        assert "large" in b2 or "CONTINUATION" in b2


@pytest.mark.parametrize("block", [
    [("x", "y")],                                   # no :status
    [(":status", "2000")], [(":status", "20")],
    [(":status", "101")],
    [(":status", "200"), ("X-Upper", "y")],
    [(":status", "200"), ("connection", "close")],
    [(":status", "200"), ("transfer-encoding", "chunked")],
    [(":status", "200"), ("x", "a\nb: c")],
    [(":status", "200"), ("x y", "a")],
    [(":status", "200"), (":path", "/")],
    [(":status", "200"), ("content-length", "1"), ("content-length", "2")],
])
def test_a_malformed_head_is_a_502(w, block):
    with backend(w, lambda r: r.connection.send_headers(r.stream, block)):
        assert status(ask(w)) == 502


# ---- TLS -------------------------------------------------------------------

TLS_SITE = """
    workers: 1
    error_log: {to: stderr, level: info}
    upstreams:
      up: {servers: ["127.0.0.1:{port2}"], tls: {verify: off}}
    sites:
      - listen: "127.0.0.1:{port}"
        routes: [{proxy: {to: up, protocol: http2}}]
"""


def tls_context(tmp_path, *protocols):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
         "-keyout", str(tmp_path / "up.key"), "-out", str(tmp_path / "up.pem"),
         "-days", "2"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "up.pem", tmp_path / "up.key")
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def test_over_tls_h2_is_agreed_on(weir, tmp_path):
    w = weir(TLS_SITE)
    with backend(w, hello, tls=tls_context(tmp_path, "h2", "http/1.1")) as b:
        assert w.get("/").body == b"hello"
        assert b.connections[0].sock.selected_alpn_protocol() == "h2"
        assert b.requests[0].fields[":scheme"] == "https"


def test_a_tls_server_without_h2_is_a_502_that_says_so(weir, tmp_path):
    w = weir(TLS_SITE)
    with backend(w, hello, tls=tls_context(tmp_path)):
        assert w.get("/").status == 502
        assert "did not choose HTTP/2 (ALPN h2)" in w.log()
