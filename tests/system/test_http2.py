"""HTTP/2 towards clients: what works, with real clients and with our own."""

import hashlib
import http.server
import json
import re
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import wait_until
from h2_frames import (
    ACK, CANCEL, Closed, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY,
    HEADERS, INTERNAL_ERROR, NO_ERROR, PING, PREFACE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE, frame, settings)


class Upstream(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while True:
            size = int(self.rfile.readline(), 16)
            if size == 0:
                break
            body += self.rfile.read(size)
            self.rfile.readline()
        self.trailers = []
        while True:
            line = self.rfile.readline().strip().decode()
            if not line:
                return body
            self.trailers.append(line)

    def say(self, text, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    def do_GET(self):
        if self.headers.get("Upgrade") == "websocket":
            self.websocket()
        elif self.path == "/app/trailers":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"5\r\nhello\r\n0\r\nX-Sum: 532\r\n\r\n")
        elif self.path == "/app/hints":
            self.wfile.write(
                b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n")
            self.say(b"hinted")
        elif self.path == "/app/cut":
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
            self.close_connection = True
        elif self.path == "/app/slow":
            time.sleep(1)
            self.say(b"slow")
        else:
            self.say(json.dumps(self.headers.items()).encode())

    def do_POST(self):
        body = self.body()
        self.say(json.dumps([
            len(body), hashlib.sha256(body).hexdigest(),
            getattr(self, "trailers", [])]).encode())

    def websocket(self):
        assert len(self.headers["Sec-WebSocket-Key"]) == 24
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
        while True:
            data = self.connection.recv(65536)
            if not data:
                break
            self.wfile.write(data.upper())
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def upstream():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


CONFIG = """
    access_log: {to: {dir}/access.log, format: brief}
    log_formats: {brief: '$request $status $http2 $reason'}
    http: {max_body_size: 100m, HTTP}
    listeners: {{port}: {h2c: on}}
    tls: {self_signed: on}
    upstreams: {app: {servers: ["127.0.0.1:UPSTREAM"]}}
    sites:
      - listen: {http: {port}, https: {port1}}
        default: on
        routes:
          - {path: "/app/*", proxy: app}
          - {path: /hello, respond: {body: hello}}
          - {path: /empty, respond: 204}
          - files: WWW
"""


@pytest.fixture
def serve(weir, upstream, tmp_path):
    def start(http="server_tokens: off"):
        www = tmp_path / "www"
        www.mkdir(exist_ok=True)
        (www / "1k").write_bytes(bytes(range(256)) * 4)
        (www / "big").write_bytes(b"0123456789abcdef" * 400_000)
        return weir(CONFIG.replace("UPSTREAM", str(upstream))
                    .replace("HTTP", http).replace("WWW", str(www)))
    return start


@pytest.fixture
def w(serve):
    return serve()


def connect(w, tls=False, **values):
    return Frames(w.port_of("port1") if tls else w.port, tls).hello(**values)


def curl(w, path, *args, tls=True):
    url = "http%s://127.0.0.1:%d%s" % (
        "s" if tls else "", w.port_of("port1" if tls else "port"), path)
    how = "--http2" if tls else "--http2-prior-knowledge"
    return subprocess.run(["curl", "-sk", how, *args, url], timeout=60,
                          check=True, capture_output=True).stdout


def access_log(w):
    return (w.dir / "access.log").read_text()


# ---- how it begins


@pytest.mark.parametrize("tls", [True, False])
def test_curl_gets_it(w, tls):
    out = curl(w, "/hello", "-w", " %{http_version}", tls=tls)
    assert out == b"hello 2"


def test_http1_is_still_spoken_beside_it(w):
    assert w.get("/hello").text == "hello"
    out = subprocess.run(
        ["curl", "-sk", "--http1.1", "-w", " %{http_version}",
         "https://127.0.0.1:%d/hello" % w.port_of("port1")],
        capture_output=True, timeout=60).stdout
    assert out == b"hello 1.1"


def test_preface_may_come_byte_by_byte(w):
    c = Frames(w.port)
    for byte in PREFACE + settings():
        c.send(bytes((byte,)))
        time.sleep(0.001)
    c.expect(SETTINGS)
    assert c.get(1, "/hello")[1] == b"hello"


def test_preface_is_http1_where_the_listener_does_not_say_h2c(weir):
    w = weir("""
        sites: [{listen: {port}, routes: [{respond: 204}]}]
    """)
    with socket.create_connection(("127.0.0.1", w.port), 10) as s:
        s.sendall(PREFACE + settings())
        assert s.recv(100).startswith(b"HTTP/1.1 505 ")


def test_a_request_that_begins_like_the_preface_is_http1(w):
    with socket.create_connection(("127.0.0.1", w.port), 10) as s:
        s.sendall(b"PRI")
        time.sleep(0.1)
        s.sendall(b"NT /x HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(12) == b"HTTP/1.1 501"


def test_it_can_be_off(serve):
    w = serve("http2: off")
    out = curl(w, "/hello", "-w", " %{http_version}")
    assert out == b"hello 1.1"


def test_settings_say_what_is_allowed(serve):
    c = connect(serve("http2: {max_streams: 7}, max_header_size: 16k"))
    assert c.settings[3] == 7       # MAX_CONCURRENT_STREAMS
    assert c.settings[6] == 16384   # MAX_HEADER_LIST_SIZE
    assert c.settings[8] == 1       # ENABLE_CONNECT_PROTOCOL
    assert c.settings[9] == 1       # NO_RFC7540_PRIORITIES


# ---- responses


def test_response_head(w):
    head, body = connect(w).get(1, "/hello")
    assert body == b"hello"
    assert head[":status"] == "200" and head["content-length"] == "5"
    assert "date" in head and "connection" not in head
    assert "server" not in head
    assert all(name == name.lower() for name in head)


def test_head_and_empty_responses_have_no_body(w):
    c = connect(w)
    c.request(1, path="/1k", method="HEAD")
    head, body = c.response(1)
    assert head["content-length"] == "1024" and body == b""
    head, body = c.get(3, "/empty")
    assert head[":status"] == "204" and body == b""
    assert "content-length" not in head


@pytest.mark.parametrize("tls", [True, False])
def test_a_large_file_arrives(w, tls):
    assert curl(w, "/big", tls=tls) == b"0123456789abcdef" * 400_000


def test_many_streams_at_once(w):
    c = connect(w, window=1 << 20)
    c.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
    for i in range(100):
        c.request(1 + 2 * i, path="/1k")
    sizes, left = {}, set(range(1, 201, 2))
    while left:
        f = c.next()
        if f.kind == DATA:
            sizes[f.stream] = sizes.get(f.stream, 0) + len(f.payload)
        if f.stream in left and f.flags & END_STREAM and \
                f.kind in (DATA, HEADERS):
            left.remove(f.stream)
    assert set(sizes.values()) == {1024} and len(sizes) == 100


def test_trailers_reach_the_client(w):
    c = connect(w)
    head, body = c.get(1, "/app/trailers")
    assert body == b"hello" and c.trailers == {"x-sum": "532"}


def test_early_hints_reach_the_client(w):
    c = connect(w)
    head, body = c.get(1, "/app/hints")
    assert body == b"hinted"
    assert c.interim == [{":status": "103", "link": "</a.css>"}]


def test_a_body_that_was_cut_is_reset(w):
    c = connect(w)
    c.request(1, path="/app/cut")
    assert c.expect(RST_STREAM).error == INTERNAL_ERROR
    assert c.get(3, "/hello")[1] == b"hello"


# ---- requests


def test_an_upstream_sees_what_it_would_of_http1(w):
    c = connect(w)
    _, body = c.get(1, "/app/x", fields=[
        ("cookie", "a=1"), ("cookie", "b=2"), ("te", "trailers"),
        ("x-odd", "y")], authority="example.com:81")
    fields = dict(json.loads(body))
    assert fields["Host"] == "example.com:81"
    assert fields["Cookie"] == "a=1; b=2"
    assert fields["x-odd"] == "y"
    assert not [f for f in fields if f.startswith(":")]


def test_an_upload_arrives(w):
    body = bytes(range(256)) * 40_000
    path = w.dir / "upload"
    path.write_bytes(body)
    for how in (["--data-binary", "@%s" % path],
                ["-X", "POST", "-T", str(path), "-H", "Expect:"]):
        size, digest, _ = json.loads(curl(w, "/app/up", *how))
        assert size == len(body)
        assert digest == hashlib.sha256(body).hexdigest()


def test_padding_is_no_content_and_is_given_back(w):
    c = connect(w)
    c.request(1, end=False, method="POST", path="/app/up")
    room = {0: 65535, 1: 65535}
    for _ in range(1500):   # some 300 KiB, nearly all of it padding
        while min(room.values()) < 202:
            f = c.expect(WINDOW_UPDATE)
            room[f.stream] += struct.unpack(">I", f.payload)[0]
        room = {stream: left - 202 for stream, left in room.items()}
        c.send(frame(DATA, 8, 1, bytes((200,)) + b"x" + bytes(200)))
    c.data(1, b"", end=True)
    assert json.loads(c.response(1)[1])[0] == 1500


def test_a_body_too_large_is_refused(serve):
    w = serve("max_header_size: 8k")
    c = connect(w)
    c.request(1, end=False, method="POST", path="/app/up",
              fields=[("content-length", str(200 << 20))])
    head, _ = c.response(1)
    assert head[":status"] == "413"
    assert c.stream_error(1) == NO_ERROR
    assert c.get(3, "/hello")[1] == b"hello"


def test_limits_of_a_head(serve):
    c = connect(serve("max_header_size: 8k, max_headers: 10, "
                      "max_target_size: 100"))
    for stream, status, head in (
            (1, "431", {"fields": [("x", "y" * 9000)]}),
            (3, "431", {"fields": [("x", "y")] * 11}),
            (5, "414", {"path": "/" + "x" * 200}),
            (7, "200", {"path": "/hello"})):
        assert c.get(stream, **{"path": "/hello", **head})[0][":status"] == \
            status


def test_a_slow_body_is_refused(serve):
    c = connect(serve("body_timeout: 200ms"))
    c.request(1, end=False, method="POST", path="/app/up")
    assert c.response(1)[0][":status"] == "408"
    assert c.get(3, "/hello")[1] == b"hello"


def test_the_log_says_what_it_was(w):
    connect(w).get(1, "/hello")
    connect(w, tls=True).get(1, "/hello")
    wait_until(lambda: access_log(w).count("\n") == 2)
    assert access_log(w).splitlines() == [
        "GET /hello HTTP/2.0 200 h2c -", "GET /hello HTTP/2.0 200 h2 -"]


def test_a_site_without_http2_is_not_reached_by_a_neighbour(weir):
    w = weir("""
        tls: {self_signed: on}
        sites:
          - {hosts: a.test, listen: {https: {port1}}, default: on,
             routes: [{respond: 204}]}
          - {hosts: b.test, listen: {https: {port1}}, http: {http2: off},
             routes: [{respond: 204}]}
    """)
    c = connect(w, tls=True)
    assert c.get(1, authority="a.test")[0][":status"] == "204"
    assert c.get(3, authority="b.test")[0][":status"] == "421"


# ---- flow control


def test_a_stream_that_is_not_read_does_not_hold_up_others(w):
    c = connect(w, window=1000)
    c.request(1, path="/big")
    c.expect(DATA)
    c.request(3, path="/1k")
    got = b""
    while len(got) < 1000:
        f = c.expect(DATA, 3)
        got += f.payload
    c.send(frame(WINDOW_UPDATE, 0, 3, struct.pack(">I", 1000)))
    assert len(c.expect(DATA, 3).payload) == 24


def test_a_window_that_never_opens_is_given_up(serve):
    w = serve("send_timeout: 200ms")
    c = connect(w, window=0)
    c.request(1, path="/1k")
    assert c.stream_error(1) == CANCEL
    wait_until(lambda: "send_timeout" in access_log(w))


def test_a_body_nobody_takes_does_not_hold_up_others(w):
    """The upstream of the first reads nothing; the window is not the rest's."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        text, n = re.subn(
            r'servers: \["127.0.0.1:\d+"\]',
            'servers: ["127.0.0.1:%d"]' % deaf.getsockname()[1],
            w.config.read_text())
        assert n == 1
        assert w.reload(text).returncode == 0
        c = connect(w)
        c.request(1, end=False, method="POST", path="/app/up")
        c.data(1, bytes(16384))
        c.data(1, bytes(16384))
        assert c.get(3, "/hello")[1] == b"hello"


# ---- the end


def test_a_cancelled_request_ends_at_the_upstream(w):
    c = connect(w)
    c.request(1, path="/app/slow")
    time.sleep(0.2)
    c.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL)))
    wait_until(lambda: "client_left" in access_log(w))
    assert c.get(3, "/hello")[1] == b"hello"


def test_an_idle_connection_is_closed_with_goaway(serve):
    c = connect(serve("keepalive_timeout: 200ms"))
    f = c.expect(GOAWAY)
    assert f.error == NO_ERROR
    with pytest.raises(Closed):
        c.next()


def test_after_enough_requests_the_connection_ends(serve):
    c = connect(serve("keepalive_requests: 3"))
    for stream in (1, 3, 5):
        c.get(stream, "/hello")
    first = c.expect(GOAWAY)
    assert struct.unpack(">I", first.payload[:4])[0] == 0x7fffffff
    c.get(7, "/hello")   # sent before it could know
    last = c.expect(GOAWAY)
    assert struct.unpack(">I", last.payload[:4])[0] == 7
    with pytest.raises(Closed):
        while True:
            c.next()


def test_draining_says_goodbye_in_two_steps_and_answers(w):
    c = connect(w)
    c.request(1, path="/app/slow")
    time.sleep(0.2)
    w.process.send_signal(signal.SIGQUIT)
    first = c.expect(GOAWAY)
    assert struct.unpack(">I", first.payload[:4])[0] == 0x7fffffff
    assert first.error == NO_ERROR
    c.request(3, path="/hello")
    assert c.response(3)[1] == b"hello"
    assert c.response(1)[1] == b"slow"
    with pytest.raises(Closed):
        while True:
            c.next()


# ---- WebSocket over HTTP/2 (RFC 8441)


def test_a_websocket_goes_through_both_ways(w):
    c = connect(w)
    c.request(1, end=False, method="CONNECT", path="/app/ws",
              protocol="websocket",
              fields=[("sec-websocket-version", "13")])
    head = dict(c.expect(HEADERS, 1).fields)
    assert head[":status"] == "200"
    assert "sec-websocket-accept" not in head and "upgrade" not in head
    for word in (b"hello", b"again"):
        c.data(1, word)
        assert c.expect(DATA, 1).payload == word.upper()
    c.data(1, b"", end=True)
    while not c.expect(DATA, 1).flags & END_STREAM:
        pass


def test_another_protocol_is_not_connected_to(w):
    c = connect(w)
    c.request(1, end=False, method="CONNECT", path="/app/ws",
              protocol="connect-udp")
    assert c.response(1)[0][":status"] == "501"


# ---- other clients


def test_nghttp_gets_a_page(w):
    out = subprocess.run(
        ["nghttp", "-nv", "http://127.0.0.1:%d/1k" % w.port],
        capture_output=True, timeout=60, text=True).stdout
    assert ":status: 200" in out


@pytest.mark.parametrize("path", ["/1k", "/app/x"])
def test_h2load_gets_all_its_answers(w, path):
    n = 2000 if path == "/1k" else 200
    out = subprocess.run(
        ["h2load", "-n", str(n), "-c", "4", "-m", "16",
         "https://127.0.0.1:%d%s" % (w.port_of("port1"), path)],
        capture_output=True, timeout=60, text=True).stdout
    assert "%d succeeded, 0 failed" % n in out
