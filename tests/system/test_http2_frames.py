"""RFC 9113 and RFC 7541 by the frame: what a client must not do, and what
becomes of it. Section by section, as h2spec goes through them."""

import socket
import struct
import time

import pytest

from conftest import wait_until
from h2_frames import (
    ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, Closed, DATA, END_HEADERS,
    END_STREAM, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR,
    Frames, GOAWAY, HEADERS, NO_ERROR, PADDED, PING, PREFACE, PRIORITY,
    PRIORITY_FLAG, PRIORITY_UPDATE, PROTOCOL_ERROR, PUSH_PROMISE,
    REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, frame,
    settings)


def u32(n):
    return struct.pack(">I", n)


CONFIG = """
    http: {HTTP}
    listeners: {{port}: {h2c: on}}
    admin: {listen: "127.0.0.1:{port1}"}
    sites:
      - listen: {port}
        default: on
        routes:
          - {path: /hello, respond: {body: hello}}
          - {path: "/up/*", proxy: "http://127.0.0.1:SILENT"}
          - files: {dir}
"""


@pytest.fixture
def serve(weir):
    with socket.create_server(("127.0.0.1", 0), backlog=4000) as silent:
        text = CONFIG.replace("SILENT", str(silent.getsockname()[1]))
        yield lambda http="max_body_size: 10m": weir(
            text.replace("HTTP", http))


@pytest.fixture
def c(serve):
    return Frames(serve().port).hello()


def open_stream(c, stream=1):
    """A request that is not over: its upstream does not answer, either."""
    c.request(stream, end=False, method="POST", path="/up/x")


# ---- 3.4 preface


def test_3_4_a_bad_preface_ends_the_connection(serve):
    c = Frames(serve().port)
    c.send(PREFACE[:-4] + b"XX\r\n" + settings())
    try:
        while True:
            assert not c.sock.recv(100).startswith(b"HTTP/1.1 2")
            if not c.sock.recv(100):
                break
    except ConnectionResetError:
        pass


def test_3_4_settings_come_first(serve):
    c = Frames(serve().port)
    c.send(PREFACE, frame(PING, 0, 0, bytes(8)))
    assert c.error() in (PROTOCOL_ERROR, "closed")


# ---- connection errors, one row each


def head(c, **how):
    return c.head(path="/hello", **how)


CONNECTION = {
    # 4.2 frame size
    "4.2 DATA larger than SETTINGS_MAX_FRAME_SIZE": (
        FRAME_SIZE_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(DATA, END_STREAM, 1, bytes(16385))]),
    "4.2 HEADERS larger than SETTINGS_MAX_FRAME_SIZE": (
        FRAME_SIZE_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, bytes(16385))]),
    # 4.3 compression
    "4.3 a block that is no HPACK": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xff\xff\xff\xff"
                  b"\xff\xff\xff\xff")]),
    "4.3 another frame within a block": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_STREAM, 1, head(c)),
            frame(PRIORITY, 0, 1, u32(0) + b"\x10")]),
    "4.3 a block goes on for another stream": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_STREAM, 1, head(c)),
            frame(CONTINUATION, END_HEADERS, 3, b"")]),
    # 5.1 states
    "5.1 DATA on an idle stream": (
        PROTOCOL_ERROR, lambda c: [frame(DATA, END_STREAM, 1, b"x")]),
    "5.1 RST_STREAM on an idle stream": (
        PROTOCOL_ERROR, lambda c: [frame(RST_STREAM, 0, 1, u32(8))]),
    "5.1 WINDOW_UPDATE on an idle stream": (
        PROTOCOL_ERROR, lambda c: [frame(WINDOW_UPDATE, 0, 1, u32(8))]),
    "5.1 CONTINUATION on an idle stream": (
        PROTOCOL_ERROR, lambda c: [frame(CONTINUATION, END_HEADERS, 1, b"")]),
    "5.1.1 an even stream": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 2, head(c))]),
    # 6.1 to 6.10
    "6.1 DATA on stream 0": (
        PROTOCOL_ERROR, lambda c: [frame(DATA, 0, 0, b"x")]),
    "6.1 DATA padded beyond its end": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(DATA, PADDED, 1, b"\x06hello")]),
    "6.2 HEADERS on stream 0": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 0, head(c))]),
    "6.2 HEADERS padded beyond their end": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | PADDED, 1, b"\xff" + head(c))]),
    "6.3 PRIORITY on stream 0": (
        PROTOCOL_ERROR, lambda c: [frame(PRIORITY, 0, 0, u32(1) + b"\1")]),
    "6.4 RST_STREAM on stream 0": (
        PROTOCOL_ERROR, lambda c: [frame(RST_STREAM, 0, 0, u32(8))]),
    "6.4 RST_STREAM of 3 bytes": (
        FRAME_SIZE_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(RST_STREAM, 0, 1, b"\0\0\0")]),
    "6.5 an acknowledgement with content": (
        FRAME_SIZE_ERROR, lambda c: [frame(SETTINGS, ACK, 0, bytes(6))]),
    "6.5 SETTINGS on a stream": (
        PROTOCOL_ERROR, lambda c: [frame(SETTINGS, 0, 1, b"")]),
    "6.5 SETTINGS of 3 bytes": (
        FRAME_SIZE_ERROR, lambda c: [frame(SETTINGS, 0, 0, bytes(3))]),
    "6.5.2 ENABLE_PUSH of 2": (
        PROTOCOL_ERROR, lambda c: [settings(enable_push=2)]),
    "6.5.2 a window above 2^31-1": (
        FLOW_CONTROL_ERROR, lambda c: [settings(window=1 << 31)]),
    "6.5.2 MAX_FRAME_SIZE too small": (
        PROTOCOL_ERROR, lambda c: [settings(max_frame=16383)]),
    "6.5.2 MAX_FRAME_SIZE too large": (
        PROTOCOL_ERROR, lambda c: [settings(max_frame=1 << 24)]),
    "6.6 PUSH_PROMISE of a client": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(PUSH_PROMISE, END_HEADERS, 1, u32(2))]),
    "6.7 PING on a stream": (
        PROTOCOL_ERROR, lambda c: [frame(PING, 0, 1, bytes(8))]),
    "6.7 PING of 6 bytes": (
        FRAME_SIZE_ERROR, lambda c: [frame(PING, 0, 0, bytes(6))]),
    "6.8 GOAWAY on a stream": (
        PROTOCOL_ERROR, lambda c: [frame(GOAWAY, 0, 1, bytes(8))]),
    "6.9 WINDOW_UPDATE of 0 on the connection": (
        PROTOCOL_ERROR, lambda c: [frame(WINDOW_UPDATE, 0, 0, u32(0))]),
    "6.9 WINDOW_UPDATE of 0 on a stream": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(WINDOW_UPDATE, 0, 1, u32(0))]),
    "6.9 WINDOW_UPDATE of 3 bytes": (
        FRAME_SIZE_ERROR, lambda c: [frame(WINDOW_UPDATE, 0, 0, bytes(3))]),
    "6.9.1 the connection's window above 2^31-1": (
        FLOW_CONTROL_ERROR, lambda c: [
            frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff))]),
    "6.10 CONTINUATION after END_HEADERS": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, head(c, method="POST")),
            frame(CONTINUATION, END_HEADERS, 1, b"")]),
    "6.10 CONTINUATION on stream 0": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_STREAM, 1, head(c)),
            frame(CONTINUATION, END_HEADERS, 0, b"")]),
    # RFC 7541
    "7541 2.3.3 an index that is nowhere": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1,
                  head(c) + b"\xff\x00")]),
    "7541 4.2 a table larger than was allowed": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1,
                  b"\x3f\xe1\xff\x03" + head(c))]),
    "7541 4.2 a table is resized at the end of a block": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1, head(c) + b"\x20")]),
    "7541 5.2 padding of more than 7 bits": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1, head(c) +
                  b"\0\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")]),
    "7541 5.2 the end-of-string symbol": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1, head(c) +
                  b"\0\x85\xf2\xb2\x4a\x87\xff\xff\xff\xff")]),
    "7541 6.1 index 0": (
        COMPRESSION_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS | END_STREAM, 1, head(c) + b"\x80")]),
}


def is_among(error, expected):
    return error == expected or error == "closed" or \
        isinstance(expected, tuple) and error in expected


def test_connection_errors(serve):
    w = serve()
    wrong = []
    for name, (expected, parts) in CONNECTION.items():
        c = Frames(w.port, timeout=5).hello()
        c.send(*parts(c))
        try:
            error = c.error()
        except TimeoutError:
            error = "none"
        if not is_among(error, expected):
            wrong.append("%s: %s" % (name, error))
        c.close()
    assert not wrong
    assert Frames(w.port).hello().get(1, "/hello")[1] == b"hello"


# ---- stream errors: the connection goes on


def fields(*pairs, **pseudo):
    return lambda c: [frame(HEADERS, END_HEADERS | END_STREAM, 1, c.head(
        **{"path": "/hello", **pseudo}, fields=pairs))]


def raw_fields(*pairs):
    return lambda c: [frame(HEADERS, END_HEADERS | END_STREAM, 1,
                            c.encoder.encode(pairs))]


OK = [(":method", "GET"), (":scheme", "http"), (":authority", "x"),
      (":path", "/hello")]

STREAM = {
    "6.9.1 a window above 2^31-1": (
        FLOW_CONTROL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, c.head(method="POST",
                                                  path="/up/x")),
            frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff))]),
    "8.1 a second head without an end": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, c.head(method="POST",
                                                  path="/up/x")),
            frame(HEADERS, END_HEADERS, 1, c.encoder.encode([("x", "y")]))]),
    "8.1 trailers with a pseudo-field": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, c.head(method="POST",
                                                  path="/up/x")),
            frame(HEADERS, END_HEADERS | END_STREAM, 1,
                  c.encoder.encode([(":path", "/")]))]),
    "8.1.1 a body shorter than Content-Length": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, c.head(
                method="POST", path="/up/x",
                fields=[("content-length", "5")])),
            frame(DATA, END_STREAM, 1, b"four")]),
    "8.1.1 a body longer than Content-Length": (
        PROTOCOL_ERROR, lambda c: [
            frame(HEADERS, END_HEADERS, 1, c.head(
                method="POST", path="/up/x",
                fields=[("content-length", "3")])),
            frame(DATA, END_STREAM, 1, b"four")]),
    "8.2.1 a name in upper case": (
        PROTOCOL_ERROR, raw_fields(*OK, ("X-Upper", "y"))),
    "8.2.1 a blank in a name": (
        PROTOCOL_ERROR, raw_fields(*OK, ("x y", "z"))),
    "8.2.1 a line end in a value": (
        PROTOCOL_ERROR, raw_fields(*OK, ("x", "y\r\nz: 1"))),
    "8.2.1 a NUL in a value": (
        PROTOCOL_ERROR, raw_fields(*OK, ("x", "y\0z"))),
    "8.2.1 a colon in a name": (
        PROTOCOL_ERROR, raw_fields(*OK, ("x:y", "z"))),
    "8.2.2 Connection": (
        PROTOCOL_ERROR, raw_fields(*OK, ("connection", "close"))),
    "8.2.2 Transfer-Encoding": (
        PROTOCOL_ERROR, raw_fields(*OK, ("transfer-encoding", "chunked"))),
    "8.2.2 TE beyond trailers": (
        PROTOCOL_ERROR, raw_fields(*OK, ("te", "gzip"))),
    "8.3 an unknown pseudo-field": (
        PROTOCOL_ERROR, raw_fields(*OK, (":x", "y"))),
    "8.3 a pseudo-field of responses": (
        PROTOCOL_ERROR, raw_fields(*OK, (":status", "200"))),
    "8.3 a pseudo-field after a field": (
        PROTOCOL_ERROR, raw_fields(*OK[:3], ("x", "y"), OK[3])),
    "8.3.1 an empty path": (PROTOCOL_ERROR, fields(path="")),
    "8.3.1 no path": (PROTOCOL_ERROR, raw_fields(*OK[:3])),
    "8.3.1 no method": (PROTOCOL_ERROR, raw_fields(*OK[1:])),
    "8.3.1 no scheme": (PROTOCOL_ERROR, raw_fields(OK[0], *OK[2:])),
    "8.3.1 two methods": (PROTOCOL_ERROR, raw_fields(OK[0], *OK)),
    "8.3.1 two paths": (PROTOCOL_ERROR, raw_fields(OK[3], *OK)),
    "8.3.1 Host and authority disagree": (
        PROTOCOL_ERROR, raw_fields(*OK, ("host", "y"))),
    "8.5 CONNECT with a path": (
        PROTOCOL_ERROR, raw_fields((":method", "CONNECT"), *OK[1:])),
}


def test_stream_errors(serve):
    w = serve()
    wrong = []
    for name, (expected, parts) in STREAM.items():
        c = Frames(w.port).hello()
        c.send(*parts(c))
        try:
            error = c.stream_error(1)
            if error != expected or c.get(3, "/hello")[1] != b"hello":
                wrong.append("%s: %s" % (name, error))
        except Closed:
            wrong.append("%s: closed" % name)
        c.close()
    assert not wrong


# ---- what has to be borne


def test_4_1_unknown_frames_and_flags_are_ignored(c):
    c.send(frame(0x99, 0xff, 0, b"whatever"), frame(0x99, 0, 1, b""))
    c.send(frame(PING, 0xfe, 0, b"flagflag"))
    assert c.expect(PING).payload == b"flagflag"
    assert c.is_alive()


def test_4_1_the_reserved_bit_is_ignored(c):
    c.send(frame(PING, 0, 0x80000000, b"reserved"))
    assert c.expect(PING).payload == b"reserved"


def test_4_3_a_head_in_many_frames(c):
    block = c.head(path="/hello", fields=[("x-long", "y" * 500)])
    c.send(frame(HEADERS, END_STREAM, 1, block[:1]))
    third = len(block) // 3
    c.send(frame(CONTINUATION, 0, 1, block[1:third]),
           frame(CONTINUATION, 0, 1, b""),
           frame(CONTINUATION, END_HEADERS, 1, block[third:]))
    assert c.response(1)[1] == b"hello"


def test_5_1_frames_after_a_reset_are_borne(c):
    open_stream(c)
    c.send(frame(RST_STREAM, 0, 1, u32(CANCEL)))
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(1)), frame(PRIORITY, 0, 1,
                                                      u32(0) + b"\1"))
    assert c.get(3, "/hello")[1] == b"hello"


def test_5_1_2_no_more_streams_than_were_allowed(serve):
    c = Frames(serve("http2: {max_streams: 2}").port).hello()
    for stream in (1, 3, 5):
        open_stream(c, stream)
    assert c.stream_error(5) in (REFUSED_STREAM, PROTOCOL_ERROR)


def test_6_2_padding_and_priority_in_a_head_are_passed_over(c):
    c.send(frame(HEADERS, END_HEADERS | END_STREAM | PADDED | PRIORITY_FLAG,
                 1, b"\x05" + u32(0) + b"\x10" + c.head(path="/hello") +
                 bytes(5)))
    assert c.response(1)[1] == b"hello"


def test_6_5_3_settings_are_acknowledged_in_order(c):
    c.send(settings(window=1), settings(max_streams=5),
           frame(PING, 0, 0, b"-after--"))
    assert c.next().flags & ACK
    assert c.next().flags & ACK
    assert c.next().payload == b"-after--"


def test_6_5_2_unknown_settings_are_ignored(c):
    c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 0x99, 1)))
    assert c.expect(SETTINGS).flags & ACK
    assert c.is_alive()


def test_6_7_a_ping_is_answered_with_its_content(c):
    c.send(frame(PING, 0, 0, b"12345678"))
    f = c.expect(PING)
    assert f.flags & ACK and f.payload == b"12345678"


def test_6_8_after_goaway_of_the_client_its_streams_are_answered(c):
    c.request(1, path="/hello")
    c.send(frame(GOAWAY, 0, 0, u32(0) + u32(0)))
    assert c.response(1)[1] == b"hello"


def test_6_9_2_a_window_may_become_negative(serve):
    w = serve()
    (w.dir / "file").write_bytes(bytes(200))
    c = Frames(w.port).hello(window=100)
    c.request(1, path="/file")
    assert len(c.expect(DATA, 1).payload) == 100
    c.send(settings(window=50))
    c.expect(SETTINGS)
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(50)))
    assert c.is_alive()   # 0 by now: nothing came
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(100)))
    assert len(c.expect(DATA, 1).payload) == 100


def test_9113_8_2_3_http1_settings_of_a_table_are_heeded(c):
    c.send(settings(header_table_size=0))
    c.expect(SETTINGS)
    c.decoder.max_allowed_table_size = 0
    for stream in (1, 3, 5):
        assert c.get(stream, "/hello")[0][":status"] == "200"


# ---- RFC 9218 priorities


def test_9218_the_more_urgent_goes_first(serve):
    w = serve()
    (w.dir / "file").write_bytes(bytes(60_000))
    c = Frames(w.port).hello(window=1 << 20)
    c.send(settings(window=0))
    c.expect(SETTINGS)
    for stream, urgency in ((1, 5), (3, 1), (5, 3)):
        c.request(stream, path="/file",
                  fields=[("priority", "u=%d" % urgency)])
        c.expect(HEADERS, stream)
    c.send(frame(PRIORITY_UPDATE, 0, 0, u32(5) + b"u=0"))
    c.send(frame(WINDOW_UPDATE, 0, 0, u32(1 << 20)))
    c.send(settings(window=1 << 20))
    order = []
    while len(order) < 3:
        f = c.expect(DATA)
        if f.flags & END_STREAM:
            order.append(f.stream)
    assert order == [5, 3, 1]


# ---- what only costs


def metric(w, name, **label):
    import urllib.request
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" %
                                  w.port_of("port1")).read().decode()
    total = 0
    for line in text.splitlines():
        if line.startswith(name) and all(
                '%s="%s"' % i in line for i in label.items()):
            total += float(line.split()[-1])
    return total


def rapid_reset(c, i):
    return (frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i,
                  c.head(path="/hello")) +
            frame(RST_STREAM, 0, 1 + 2 * i, u32(CANCEL)))


def made_you_reset(c, i):
    if i > 0:   # no faster than max_streams allows
        c.stream_error(2 * i - 1)
    return (frame(HEADERS, END_HEADERS, 1 + 2 * i,
                  c.head(path="/up/x", method="POST")) +
            frame(WINDOW_UPDATE, 0, 1 + 2 * i, u32(0x7fffffff)))


def large_heads(c, i):
    """A field of 40,000 bytes: literal, not indexed, not Huffman-coded."""
    return b"".join(in_frames(1 + 2 * i, c.head(path="/hello") +
                              b"\0\1x\x7f\xc1\xb7\x02" + b"y" * 40000))


def in_frames(stream, block):
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    yield frame(HEADERS, END_STREAM, stream, parts[0])
    for part in parts[1:-1]:
        yield frame(CONTINUATION, 0, stream, part)
    yield frame(CONTINUATION, END_HEADERS, stream, parts[-1])


def empty_data(c, i):
    first = frame(HEADERS, END_HEADERS, 1, c.head(
        path="/up/x", method="POST")) if i == 0 else b""
    return first + frame(DATA, 0, 1, b"")


FLOODS = {
    "cancel": rapid_reset,
    "broken": made_you_reset,
    "large_head": large_heads,
    "settings": lambda c, i: settings(),
    "ping": lambda c, i: frame(PING, 0, 0, bytes(8)),
    "priority": lambda c, i: frame(PRIORITY, 0, 1, u32(0) + b"\1"),
    "window": lambda c, i: frame(WINDOW_UPDATE, 0, 0, u32(1)),
    "empty": empty_data,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_ended(serve, kind):
    w = serve("http2: {max_resets: 50, max_control: 200}")
    c = Frames(w.port).hello()
    polite = Frames(w.port).hello()
    try:
        for i in range(2000):
            c.send(FLOODS[kind](c, i))
    except (OSError, Closed):
        pass
    assert c.error() in (ENHANCE_YOUR_CALM, "closed")
    assert metric(w, "weir_http2_abuses_total", kind=kind) == 1
    assert polite.get(1, "/hello")[1] == b"hello"


def test_a_head_without_end_is_ended(serve):
    w = serve()
    c = Frames(w.port).hello()
    c.send(frame(HEADERS, END_STREAM, 1, c.head(path="/hello")))
    try:
        for _ in range(10_000):
            c.send(frame(CONTINUATION, 0, 1, b"\0\1x\1y" * 100))
    except OSError:
        pass
    assert c.error() in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR, "closed")


def test_a_bomb_of_hpack_is_refused(serve):
    """One entry of 4 KiB in the table, and then again and again its index."""
    w = serve()
    c = Frames(w.port).hello()
    block = c.head(path="/hello", fields=[("x", "y" * 3500)])
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1,
                 block + b"\xbe" * 8000))
    assert c.response(1)[0][":status"] == "431"
    assert c.get(3, "/hello")[1] == b"hello"


def test_a_head_that_stalls_is_ended(serve):
    c = Frames(serve("header_timeout: 300ms").port).hello()
    c.send(frame(HEADERS, END_STREAM, 1, c.head(path="/hello")))
    assert c.error() == ENHANCE_YOUR_CALM


def test_who_does_not_read_is_not_listened_to(serve):
    """Answers to PING do not pile up in memory."""
    w = serve("send_timeout: 500ms, http2: {max_control: 1000000}")
    c = Frames(w.port, timeout=5).hello()
    ping = frame(PING, 0, 0, bytes(8)) * 1000
    try:
        for _ in range(5000):
            c.send(ping)
    except OSError:
        pass
    assert c.error() in (ENHANCE_YOUR_CALM, "closed")
    assert Frames(w.port).hello().get(1, "/hello")[1] == b"hello"


def test_the_last_words_follow_what_was_held(serve):
    """Also where nobody reads when the client does what ends it all."""
    w = serve()
    with open(w.dir / "large", "wb") as f:
        f.truncate(64 << 20)
    c = Frames(w.port).hello(window=0x7fffffff)
    c.send(frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff - 65535)))
    c.request(1, path="/large")
    # Until the socket is full: what has left grows no more.
    wait_until(lambda: not sends_more(w))
    c.send(frame(HEADERS, END_STREAM, 3, c.head(path="/hello")),
           frame(CONTINUATION, 0, 3, bytes(16385)))
    assert c.error() == FRAME_SIZE_ERROR
    with pytest.raises(Closed):
        c.next()


def sends_more(w):
    before = metric(w, "weir_sent_bytes_total")
    time.sleep(0.1)
    return metric(w, "weir_sent_bytes_total") > before + 65536
