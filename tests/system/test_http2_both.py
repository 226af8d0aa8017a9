"""HTTP/2 on both sides: what a client says reaches the server as it was said,
whatever the server speaks."""

import pathlib
import sys
import time

import hpack
import pytest

from h2_frames import (
    DATA, END_HEADERS, END_STREAM, Frames, HEADERS, frame)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from h2backend import H2Backend  # noqa: E402
from rawbackend import RawBackend, Reply  # noqa: E402

CONFIG = """
    workers: 1
    listeners: {{port}: {h2c: on}}
    sites:
      - listen: {port}
        routes:
          - {path: "/old/*", proxy: "http://127.0.0.1:{port3}"}
          - proxy: {to: "http://127.0.0.1:{port2}", protocol: http2}
"""


@pytest.fixture
def w(weir):
    return weir(CONFIG)


def backend(w, handler):
    return H2Backend(handler, port=w.port_of("port2"))


def old_backend(w):
    return RawBackend([Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")],
                      port=w.port_of("port3"))


# ---- trailers of requests

TRAILERS = [("x-sum", "532"), ("x-note", "a b"), ("x_sum", "533")]


def upload(c, path, pause, fields=()):
    """Head, content and trailers: together, or one after the other."""
    parts = [frame(HEADERS, END_HEADERS, 1,
                   c.head(path, "POST", fields=fields)),
             frame(DATA, 0, 1, b"hello"),
             frame(HEADERS, END_HEADERS | END_STREAM, 1,
                   c.encoder.encode(TRAILERS))]
    for part in parts if pause else [b"".join(parts)]:
        c.send(part)
        time.sleep(pause)
    return c.response(1)


HOW = pytest.mark.parametrize("pause", [0, 0.15])
LENGTH = pytest.mark.parametrize("fields", [(), [("content-length", "5")]])


@HOW
@LENGTH
def test_trailers_of_a_request_reach_a_server_of_http2(w, pause, fields):
    with backend(w, lambda r: r.respond(b"hi")) as b:
        assert upload(Frames(w.port).hello(), "/", pause, fields)[1] == b"hi"
        r, = b.requests
        assert r.body == b"hello"
        assert r.trailers == {"x-sum": "532", "x-note": "a b"}
        assert r.fields.get("content-length") == (fields and "5" or None)


@HOW
def test_trailers_of_a_request_reach_a_server_of_http1(w, pause):
    with old_backend(w) as b:
        assert upload(Frames(w.port).hello(), "/old/", pause)[1] == b"hi"
        r, = b.requests
        assert r.field("Transfer-Encoding") == b"chunked"
        assert r.field("Content-Length") is None
        sent = b.received[0].lower()
        assert sent.endswith(
            b"\r\n5\r\nhello\r\n0\r\nx-sum: 532\r\nx-note: a b\r\n\r\n")


@HOW
def test_trailers_behind_a_length_have_no_place_in_http1(w, pause):
    with old_backend(w) as b:
        c = Frames(w.port).hello()
        assert upload(c, "/old/", pause, [("content-length", "5")])[1] == b"hi"
        assert b.received[0].endswith(b"\r\n\r\nhello")


# ---- fields that are never to be indexed (RFC 7541 section 7.1.3)

def test_what_is_never_to_be_indexed_stays_so(w):
    def answer(r):
        r.connection.send_headers(r.stream, [
            (":status", "200"), ("x-open", "1"),
            hpack.NeverIndexedHeaderTuple("x-token", "t0ken"),
            hpack.NeverIndexedHeaderTuple("set-cookie", "a=b")], False)
        r.connection.send_body(r.stream, b"x", False)
        r.connection.send_headers(r.stream, [
            ("x-end", "1"),
            hpack.NeverIndexedHeaderTuple("x-proof", "42")], True)

    with backend(w, answer) as b:
        c = Frames(w.port).hello()
        c.request(1, fields=[
            ("x-key", "s3cret", True), ("cookie", "a" * 30),
            ("cookie", "b" * 30, True), ("authorization", "Basic eA=="),
            ("x-open", "2")])
        heads = []
        while not heads or not heads[-1].flags & END_STREAM:
            heads.append(c.expect(HEADERS, 1))
        # Authorization is nobody's to guess, whatever its sender said.
        assert b.requests[0].secret == {"x-key", "cookie", "authorization"}
        assert [{f[0] for f in h.fields if not f.indexable}
                for h in heads] == [{"x-token", "set-cookie"}, {"x-proof"}]


@pytest.mark.parametrize("cookie, is_secret", [("a=1234", True),
                                               ("a=" + "1" * 40, False)])
def test_short_cookies_are_never_indexed(w, cookie, is_secret):
    with backend(w, lambda r: r.respond(b"hi")) as b:
        # As it is said in HTTP/1.1, where nobody can mark anything.
        assert w.get("/", headers={"Cookie": cookie}).status == 200
        assert ("cookie" in b.requests[0].secret) == is_secret
