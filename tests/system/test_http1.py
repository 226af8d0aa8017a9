"""HTTP/1.1 towards clients, on raw bytes: persistence, framing, refusals."""

import socket
import time

import pytest

from conftest import SLOW, recv_all, wait_until

SITE = """
    access_log: {to: {dir}/access.log, format: '$status $reason "$request"', buffer: 0}
    http: {header_timeout: 1s, keepalive_timeout: 2s, body_timeout: 1s,
           max_headers: 20, max_header_size: 4k, max_target_size: 1k,
           max_body_size: 64k, lingering_timeout: 1s}
    upstreams:
      self: {servers: ["127.0.0.1:{port2}"]}
      silent: {servers: ["127.0.0.1:{port3}"]}
    sites:
      - listen: {port}
        routes:
          - path: /hello
            respond: {body: "hello\\n"}
          - path: /echo*
            proxy: self
          - path: /silent
            proxy: silent
          - path: /none
            respond: 204
      - listen: {port2}
        routes:
          - respond: {body: "from upstream\\n"}
"""


@pytest.fixture
def w(weir):
    return weir(SITE)


@pytest.fixture
def silent(w):
    """An upstream that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", w.port_of("port3"))):
        yield


def split_response(data):
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower().decode()] = value.strip().decode()
    return int(lines[0].split()[1]), fields, body


def read_response(s):
    """One response with a Content-Length."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = s.recv(4096)
        assert part, "closed in the head: %r" % data
        data += part
    status, fields, body = split_response(data)
    length = int(fields.get("content-length", 0))
    while len(body) < length:
        part = s.recv(4096)
        assert part, "closed in the body"
        body += part
    assert len(body) == length, "more than one response: %r" % body
    return status, fields, body


def test_get(w):
    r = w.get("/hello")
    assert r.status == 200 and r.body == b"hello\n"
    assert "Date" in r.headers and "Server" not in r.headers


def test_connection_persists(w):
    with w.connect() as s:
        for _ in range(50):
            s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            status, fields, body = read_response(s)
            assert (status, body) == (200, b"hello\n")
            assert "connection" not in fields


def test_pipelined_requests_are_answered_in_order(w):
    n = 100
    with w.connect() as s:
        s.sendall(b"".join(
            b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" %
            (b"hello" if i % 2 else b"missing") for i in range(n)) +
            b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = recv_all(s)
    parts = data.split(b"HTTP/1.1 ")[1:]
    assert [p[:3] for p in parts] == [b"404", b"200"] * (n // 2) + [b"204"]


def test_pipelined_behind_a_proxied_one(w):
    with w.connect() as s:
        s.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"
                  b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = recv_all(s)
    assert data.index(b"from upstream") < data.index(b"hello")
    assert data.count(b"HTTP/1.1 200") == 2


def test_head_byte_by_byte(w):
    with w.connect() as s:
        for byte in b"GET /hello HTTP/1.1\r\nHost: x\r\nX-Long: yes\r\n\r\n":
            s.send(bytes([byte]))
        assert read_response(s)[2] == b"hello\n"


def test_http10_closes(w):
    data = w.raw(b"GET /hello HTTP/1.0\r\n\r\n")
    status, fields, body = split_response(data)
    assert (status, body) == (200, b"hello\n")
    assert fields["connection"] == "close"


def test_http10_keep_alive(w):
    with w.connect() as s:
        for _ in range(3):
            s.sendall(b"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            status, fields, _ = read_response(s)
            assert status == 200 and fields["connection"] == "keep-alive"


def test_head_has_the_length_and_no_body(w):
    data = w.raw(b"HEAD /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    status, fields, body = split_response(data)
    assert (status, fields["content-length"], body) == (200, "6", b"")


def test_204_has_no_framing(w):
    status, fields, body = split_response(
        w.raw(b"GET /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert status == 204 and body == b""
    assert "content-length" not in fields and "transfer-encoding" not in fields


def test_absolute_form(w):
    data = w.raw(b"GET http://x/hello HTTP/1.1\r\nHost: x\r\n"
                 b"Connection: close\r\n\r\n")
    assert split_response(data)[0] == 200


def test_expect_continue_is_answered_when_the_body_is_wanted(w):
    with w.connect() as s:
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                  b"Expect: 100-continue\r\n\r\n")
        data = s.recv(4096)
        assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(b"12345")
        # The upstream may have answered before it got the body.
        while not data.endswith(b"from upstream\n"):
            part = s.recv(4096)
            assert part
            data += part
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_response(s)[2] == b"hello\n"


def test_expect_continue_unanswered_when_nobody_reads(w):
    with w.connect() as s:
        s.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
                  b"Expect: 100-continue\r\n\r\n")
        status, fields, _ = read_response(s)
        assert status == 200 and fields["connection"] == "close"


def test_unread_body_does_not_break_the_next_request(w):
    with w.connect() as s:
        for _ in range(3):
            s.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Length: 10\r\n\r\n0123456789")
            assert read_response(s)[0] == 200
            s.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n"
                      b"3\r\nabc\r\n0\r\n\r\n")
            assert read_response(s)[0] == 200


REFUSED = {
    "two lengths": (b"Content-Length: 1\r\nContent-Length: 1\r\n", 400, "bad_length"),
    "length with plus": (b"Content-Length: +1\r\n", 400, "bad_length"),
    "both framings": (b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", 400, "two_framings"),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked\r\n", 400, "bad_coding"),
    "gzip": (b"Transfer-Encoding: gzip, chunked\r\n", None, None),
    "blank before colon": (b"X : y\r\n", 400, "blank_before_colon"),
    "folded": (b"X: y\r\n z\r\n", 400, "folded"),
    "nul": (b"X: a\0b\r\n", 400, "control"),
    "bare cr": (b"X: a\rb\r\n", 400, "control"),
    "two hosts": (b"Host: y\r\n", 400, "many_hosts"),
    "odd expectation": (b"Expect: tea\r\n", 417, "bad_expect"),
    "many fields": (b"".join(b"X-%d: 1\r\n" % i for i in range(25)), 431, "many_fields"),
    "large head": (b"X: " + b"y" * 5000 + b"\r\n", 431, "large_head"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(w, name):
    fields, status, word = REFUSED[name]
    data = w.raw(b"POST /hello HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n")
    got, head, _ = split_response(data)
    assert head["connection"] == "close"
    if status is None:
        assert got in (400, 501)
        return
    assert got == status
    wait_until(lambda: "%d %s" % (status, word) in w.access_log())


LINES = [
    (b"GET /hello\r\nHost: x\r\n\r\n", 400),
    (b"GET  /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /hello HTTP/2.0\r\nHost: x\r\n\r\n", 505),
    (b"GET /hello HTTP/1.1\r\n\r\n", 400),
    (b"G@T /hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /a%00b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /../x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\nHost: x\n\n", 400),
    (b"GET http://y/hello HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"GET /hello HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    (b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    (b"TRACE /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405),
    (b"GET /" + b"a" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
]


@pytest.mark.parametrize("i", range(len(LINES)))
def test_request_line(w, i):
    data, status = LINES[i]
    assert split_response(w.raw(data))[0] == status


def test_large_body_is_refused_by_its_length(w):
    data = w.raw(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                 b"Content-Length: 100000\r\n\r\n")
    assert split_response(data)[0] == 413


def test_large_chunked_body_is_refused(w):
    data = w.raw(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n" +
                 (b"4000\r\n" + b"x" * 0x4000 + b"\r\n") * 6 + b"0\r\n\r\n")
    assert split_response(data)[0] == 413


def test_bad_chunk_is_refused(w):
    data = w.raw(b"POST /echo HTTP/1.1\r\nHost: x\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n")
    assert split_response(data)[0] == 400


def test_slow_head_is_cut_with_408(w):
    with w.connect() as s:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost:")
        began = time.monotonic()
        data = recv_all(s)
    assert split_response(data)[0] == 408
    assert 0.8 < time.monotonic() - began < 3 * SLOW


def test_slow_body_is_cut_with_408(w, silent):
    with w.connect() as s:
        s.sendall(b"POST /silent HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12")
        assert split_response(recv_all(s))[0] == 408


def test_idle_connection_is_closed(w):
    with w.connect() as s:
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        read_response(s)
        began = time.monotonic()
        assert s.recv(10) == b""
    assert 1.5 < time.monotonic() - began < 6 * SLOW


def test_lingering_close_delivers_the_answer(w):
    """A client that is still sending must get the refusal, not a reset."""
    with w.connect() as s:
        s.sendall(b"POST /hello HTTP/1.1\r\nHost: x\r\n"
                  b"Content-Length: 60000\r\n\r\n" + b"x" * 30000)
        status, _, _ = read_response(s)
        assert status == 200


def test_half_closed_client_gets_its_answer(w):
    data = w.raw(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True)
    assert split_response(data)[0] == 200


def test_client_that_resets_is_survived(w):
    for _ in range(50):
        s = w.connect()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        s.close()
    assert w.get("/hello").status == 200


def test_unknown_host_without_default(weir):
    w = weir("""
        sites:
          - hosts: [a.example]
            listen: {port}
            routes: [{respond: {body: a}}]
          - hosts: ["*.b.example"]
            listen: {port}
            routes: [{respond: {body: b}}]
          - hosts: ['~^c\\d+\\.example$']
            listen: {port}
            routes: [{respond: {body: c}}]
    """)
    def get(host):
        r = w.get("/", {"Host": host})
        return r.status, r.text
    assert get("a.example") == (200, "a")
    assert get("A.Example.:80") == (200, "a")
    assert get("x.b.example") == (200, "b")
    assert get("x.y.b.example") == (200, "b")
    assert get("c12.example") == (200, "c")
    assert get("b.example")[0] == 421
    assert get("other")[0] == 421


def test_matching(weir):
    w = weir("""
        sites:
          - listen: {port}
            routes:
              - match: {method: [DELETE], header: {X-Beta: "1"}}
                respond: {body: delete-beta}
              - match: {query: {v: "~^2"}}
                respond: {body: v2}
              - match: {cookie: {lang: de}}
                respond: {body: deutsch}
              - match: {client: 10.0.0.0/8}
                respond: {body: internal}
              - path: /exact
                respond: {body: exact}
              - path: /below/*
                respond: {body: below}
              - path: /pre*
                respond: {body: prefix}
              - path: "*.php"
                respond: {body: php}
              - path: '~ ^/user/(\\d+)$'
                respond: {body: "user $1"}
              - path: /outer/*
                response_headers: {set: {X-Outer: "1"}}
                routes:
                  - path: /outer/a
                    respond: {body: a}
                  - match: {scheme: https}
                    respond: {body: never}
              - respond: {status: 404, body: none}
    """)
    assert w.request("DELETE", "/", {"X-Beta": "1"}).text == "delete-beta"
    assert w.request("DELETE", "/").text == "none"
    assert w.get("/x?v=21").text == "v2"
    assert w.get("/", {"Cookie": "a=b; lang=de"}).text == "deutsch"
    assert w.get("/exact").text == "exact"
    assert w.get("/exact/").text == "none"
    assert w.get("/below/").text == "below"
    assert w.get("/below").text == "none"
    assert w.get("/prefix").text == "prefix"
    assert w.get("/a/b.php").text == "php"
    assert w.get("/user/42").text == "user 42"
    r = w.get("/outer/a")
    assert r.text == "a" and r.headers["X-Outer"] == "1"
    assert w.get("/outer/b").text == "none"
    assert w.get("/%65xact").text == "exact"
    assert w.get("//exact/../exact").text == "exact"


def test_headers_inherit_and_merge(weir):
    w = weir("""
        response_headers: {set: {A: top, B: top}}
        sites:
          - listen: {port}
            response_headers: {set: {B: site, C: site}}
            routes:
              - path: /x
                response_headers: {set: {C: route}, remove: [Server]}
                respond: {body: x}
              - path: /off
                response_headers: off
                respond: {body: x}
              - redirect: https://$host$request_uri
    """)
    h = w.get("/x").headers
    assert (h["A"], h["B"], h["C"]) == ("top", "site", "route")
    assert w.get("/off").headers["A"] is None
    r = w.get("/a?b=c", {"Host": "example.com"})
    assert r.status == 301
    assert r.headers["Location"] == "https://example.com/a?b=c"
