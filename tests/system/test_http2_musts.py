"""What RFC 9113 (HTTP/2), RFC 7541 (HPACK) and RFC 9218 (priorities) demand of
a server, frame by frame: each row of the table is one thing that a client does,
and what has to become of it. At the end the same frames, bent at random.

    WEIR_FUZZ_ROUNDS=5000 WEIR_FUZZ_SEED=7 pytest tests/system/test_http2_musts.py
"""

import os
import random
import socket
import struct

import pytest

from conftest import SLOW, Weir
from h2_frames import (
    ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, Closed, DATA, END_HEADERS,
    END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, Frames, GOAWAY, HEADERS,
    NO_ERROR, PADDED, PING, PREFACE, PRIORITY, PRIORITY_FLAG, PRIORITY_UPDATE,
    PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS,
    STREAM_CLOSED, WINDOW_UPDATE, frame, settings)

ROUNDS = int(os.environ.get("WEIR_FUZZ_ROUNDS", "200"))
SEED = int(os.environ.get("WEIR_FUZZ_SEED", "1"))

# The upstream of /up takes requests and never answers: streams stay open.
CONFIG = """
    http: {max_body_size: 10m, lingering_timeout: 500ms,
           http2: {max_streams: 20}}
    listeners: {{port}: {h2c: on}}
    tls: {self_signed: on}
    sites:
      - listen: {http: {port}, https: {port1}}
        default: on
        routes:
          - {path: /hello, respond: {body: hello}}
          - {path: "/up/*", proxy: "http://127.0.0.1:SILENT"}
          - files: {dir}
"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    directory = tmp_path_factory.mktemp("weir")
    (directory / "file").write_bytes(b"0123456789" * 6000)
    with socket.create_server(("127.0.0.1", 0), backlog=4000) as silent:
        w = Weir(directory, CONFIG.replace(
            "SILENT", str(silent.getsockname()[1])))
        w.start()
        w.workers = w.children()
        yield w
        w.check()


@pytest.fixture
def w(daemon):
    """No case may cost a worker, whatever else it does."""
    yield daemon
    assert daemon.children() == daemon.workers


def connect(w, tls=False, **values):
    return Frames(w.port_of("port1") if tls else w.port, tls,
                  timeout=5 * SLOW).hello(**values)


@pytest.fixture
def c(w):
    c = connect(w)
    yield c
    c.close()


# ---- heads, without a library: always literal, so that nothing is remembered


def u32(n):
    return struct.pack(">I", n)


def number(n, bits=7, first=0):
    """An integer of HPACK (RFC 7541 section 5.1)."""
    most = (1 << bits) - 1
    if n < most:
        return bytes((first | n,))
    out, n = [first | most], n - most
    while n >= 128:
        out.append(128 | n % 128)
        n //= 128
    return bytes(out + [n])


def literal(name, value, first=b"\0"):
    name, value = name.encode("latin-1"), value.encode("latin-1")
    return first + number(len(name)) + name + number(len(value)) + value


METHOD, SCHEME = (":method", "GET"), (":scheme", "http")
AUTHORITY, PATH = (":authority", "localhost"), (":path", "/hello")
LINE = (METHOD, SCHEME, AUTHORITY, PATH)


def block(*fields):
    return b"".join(literal(*f) for f in fields)


def swap(name, value):
    """LINE with another value of one of its fields; None: without it."""
    return [(k, value if k == name else v) for k, v in LINE
            if k != name or value is not None]


def head(*fields, stream=1, flags=END_HEADERS | END_STREAM, line=LINE,
         after=b"", before=b""):
    return frame(HEADERS, flags, stream,
                 before + block(*line, *fields) + after)


def get(stream=1):
    return head(stream=stream)


def upload(*fields, stream=1):
    """A request without an end; nobody answers it."""
    return head(*fields, stream=stream, flags=END_HEADERS, line=(
        (":method", "POST"), SCHEME, AUTHORITY, (":path", "/up/x")))


def trailers(*fields, stream=1, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, block(*fields))


def cut(n=0, stream=1, flags=END_STREAM):
    """The frames of a GET, its block cut after N bytes."""
    whole = block(*LINE)
    return (frame(HEADERS, flags, stream, whole[:n]), whole[n:])


def go_on(part=b"", stream=1, flags=END_HEADERS):
    return frame(CONTINUATION, flags, stream, part)


# ---- what has to become of it


class Goaway:
    """An error of the connection: GOAWAY with one of the codes, then the end."""

    def __init__(self, *codes):
        self.codes = codes

    def check(self, c):
        code = None
        try:
            while True:
                f = c.next()
                if f.kind == GOAWAY and f.error != NO_ERROR:
                    code = f.error
        except Closed:
            pass
        assert code in self.codes


class Reset:
    """An error of stream 1, while the others go on. One of the connection
    would do as well (section 5.4.2), if it is with the same code."""

    def __init__(self, *codes, stream=1):
        self.codes, self.stream = codes, stream

    def check(self, c):
        while True:
            f = c.next()
            assert f.kind != HEADERS or f.stream != self.stream
            if f.kind == GOAWAY:
                break
            if f.kind == RST_STREAM and f.stream == self.stream:
                break
        assert f.error in self.codes
        if f.kind == RST_STREAM:
            assert c.get(101, "/hello")[1] == b"hello"


class Status:
    """A response on stream 1, and the connection goes on."""

    def __init__(self, status="200", stream=1):
        self.status, self.stream = status, stream

    def check(self, c):
        assert c.response(self.stream)[0][":status"] == self.status
        assert c.get(101, "/hello")[1] == b"hello"


class Nothing:
    """Neither an error nor an answer; the connection goes on."""

    def check(self, c):
        c.send(frame(PING, 0, 0, b"isalive?"), get(101))
        pong = answered = False
        while not (pong and answered):
            f = c.next()
            assert f.kind not in (GOAWAY, RST_STREAM)
            pong = pong or f.kind == PING and f.payload == b"isalive?"
            answered = answered or f.kind == HEADERS and f.stream == 101


PROTOCOL, SIZE, FLOW, COMPRESSION, GONE = (Goaway(code) for code in (
    PROTOCOL_ERROR, FRAME_SIZE_ERROR, FLOW_CONTROL_ERROR, COMPRESSION_ERROR,
    STREAM_CLOSED))
MALFORMED = Reset(PROTOCOL_ERROR)
OK, NOTHING = Status(), Nothing()

FRAMES = [
    # 4.1 frame format
    ("4.1 an unknown type on the connection", NOTHING,
     frame(0x99, 0xff, 0, b"whatever")),
    ("4.1 an unknown type on a stream", OK,
     head(flags=END_HEADERS), frame(0x99, 0xff, 1, b"x"),
     frame(DATA, END_STREAM, 1)),
    ("4.1 flags without a meaning", NOTHING, frame(PING, 0xfe, 0, bytes(8))),
    ("4.1 the reserved bit of a stream", OK, head(stream=1 | 1 << 31)),
    ("4.1 the reserved bit of stream 0", NOTHING,
     frame(PING, 0, 1 << 31, bytes(8))),

    # 4.2 frame size
    ("4.2 DATA of the largest size", NOTHING,
     upload(), frame(DATA, 0, 1, bytes(16384))),
    ("4.2 DATA above the largest size",
     Reset(FRAME_SIZE_ERROR), upload(), frame(DATA, 0, 1, bytes(16385))),
    ("4.2 HEADERS above the largest size", SIZE,
     head(after=bytes(16385))),
    ("4.2 CONTINUATION above the largest size", SIZE,
     cut(9)[0], go_on(cut(9)[1] + literal("x", "y" * 16384))),
    ("4.2 SETTINGS above the largest size", SIZE,
     frame(SETTINGS, 0, 0, b"\0\x99\0\0\0\0" * 2731)),
    ("4.2 an unknown type above the largest size", SIZE,
     frame(0x99, 0, 0, bytes(16385))),

    # 4.3 compression, 6.10 CONTINUATION
    ("4.3 a block in two frames", OK, cut(9)[0], go_on(cut(9)[1])),
    ("4.3 a block in frames of a byte and of none", OK, cut()[0],
     *(go_on(bytes((b,)), flags=0) for b in cut()[1][:4]),
     go_on(flags=0), go_on(cut(4)[1])),
    ("4.3 PRIORITY within a block", PROTOCOL,
     cut(9)[0], frame(PRIORITY, 0, 1, u32(0) + b"\x10"), go_on(cut(9)[1])),
    ("4.3 DATA within a block", PROTOCOL,
     upload(), cut(9, 3)[0], frame(DATA, 0, 1, b"x")),
    ("4.3 PING within a block", PROTOCOL,
     cut(9)[0], frame(PING, 0, 0, bytes(8))),
    ("4.3 an unknown type within a block", PROTOCOL,
     cut(9)[0], frame(0x99, 0, 1), go_on(cut(9)[1])),
    ("4.3 HEADERS of another stream within a block", PROTOCOL,
     cut(9)[0], get(3)),
    ("6.10 CONTINUATION of another stream", PROTOCOL,
     cut(9)[0], go_on(cut(9)[1], 3)),
    ("6.10 CONTINUATION on stream 0", PROTOCOL,
     cut(9)[0], go_on(cut(9)[1], 0)),
    ("6.10 CONTINUATION after END_HEADERS", PROTOCOL, upload(), go_on()),
    ("6.10 CONTINUATION after DATA", PROTOCOL,
     upload(), frame(DATA, 0, 1, b"x"), go_on()),
    ("6.10 CONTINUATION after a block of two frames", PROTOCOL,
     cut(9)[0], go_on(cut(9)[1]), go_on()),
    ("6.10 CONTINUATION before anything", PROTOCOL, go_on(cut()[1])),

    # 5.1 states
    ("5.1 idle: DATA", PROTOCOL, frame(DATA, END_STREAM, 1, b"x")),
    ("5.1 idle: RST_STREAM", PROTOCOL, frame(RST_STREAM, 0, 1, u32(8))),
    ("5.1 idle: WINDOW_UPDATE", PROTOCOL,
     frame(WINDOW_UPDATE, 0, 1, u32(8))),
    ("5.1 idle: PRIORITY", NOTHING,
     frame(PRIORITY, 0, 9, u32(0) + b"\x10")),
    ("5.1 idle: DATA on a stream that would be the server's", PROTOCOL,
     frame(DATA, END_STREAM, 2, b"x")),
    ("5.1 half-closed: DATA", GONE,
     upload(), frame(DATA, END_STREAM, 1), frame(DATA, 0, 1, b"x")),
    ("5.1 half-closed: HEADERS", GONE,
     upload(), frame(DATA, END_STREAM, 1), trailers(("x", "y"))),
    ("5.1 half-closed: WINDOW_UPDATE", NOTHING,
     upload(), frame(DATA, END_STREAM, 1), frame(WINDOW_UPDATE, 0, 1, u32(8))),
    ("5.1 half-closed: PRIORITY", NOTHING,
     upload(), frame(DATA, END_STREAM, 1),
     frame(PRIORITY, 0, 1, u32(0) + b"\x10")),
    ("5.1 closed by the client: WINDOW_UPDATE", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL)),
     frame(WINDOW_UPDATE, 0, 1, u32(8))),
    ("5.1 closed by the client: RST_STREAM", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL)) * 2),
    ("5.1 closed by the client: PRIORITY", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL)),
     frame(PRIORITY, 0, 1, u32(0) + b"\x10")),
    ("5.1 closed by the client: DATA", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL)),
     frame(DATA, END_STREAM, 1, b"x")),
    ("5.1 closed by the client: HEADERS", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL)), trailers(("x", "y"))),

    # 5.1.1 numbers
    ("5.1.1 an even stream", PROTOCOL, get(2)),
    ("5.1.1 numbers may be left out", Status(stream=41), get(41)),
    ("5.1.1 the largest number", Status(stream=99), get(99)),

    # 6.1 DATA
    ("6.1 on stream 0", PROTOCOL, frame(DATA, 0, 0, b"x")),
    ("6.1 padding is passed over", NOTHING,
     upload(("content-length", "1")),
     frame(DATA, PADDED | END_STREAM, 1, b"\x04x" + bytes(4))),
    ("6.1 all padding", NOTHING,
     upload(), frame(DATA, PADDED, 1, b"\x04" + bytes(4))),
    ("6.1 padding as long as the frame", PROTOCOL,
     upload(), frame(DATA, PADDED, 1, b"\x05" + bytes(4))),
    ("6.1 padding longer than the frame", PROTOCOL,
     upload(), frame(DATA, PADDED, 1, b"\xff" + bytes(4))),
    ("6.1 no room for the padding's length", Goaway(
        FRAME_SIZE_ERROR, PROTOCOL_ERROR), upload(), frame(DATA, PADDED, 1)),

    # 6.2 HEADERS
    ("6.2 on stream 0", PROTOCOL, get(0)),
    ("6.2 padding is passed over", OK,
     head(before=b"\x04", after=bytes(4),
          flags=END_HEADERS | END_STREAM | PADDED)),
    ("6.2 padding and priority are passed over", OK,
     head(before=b"\x04" + u32(0) + b"\x10", after=bytes(4),
          flags=END_HEADERS | END_STREAM | PADDED | PRIORITY_FLAG)),
    ("6.2 padding longer than the frame", PROTOCOL,
     head(before=b"\xff", flags=END_HEADERS | END_STREAM | PADDED)),
    ("6.2 padding over the priority", Goaway(
        PROTOCOL_ERROR, FRAME_SIZE_ERROR), frame(
            HEADERS, END_HEADERS | PADDED | PRIORITY_FLAG, 1,
            b"\x03" + u32(0) + b"\x10")),
    ("6.2 no room for the priority", Goaway(
        FRAME_SIZE_ERROR, PROTOCOL_ERROR), frame(
            HEADERS, END_HEADERS | PRIORITY_FLAG, 1, u32(0))),

    # 6.3 PRIORITY
    ("6.3 on stream 0", PROTOCOL, frame(PRIORITY, 0, 0, u32(1) + b"\1")),
    ("6.3 of 4 bytes", Reset(FRAME_SIZE_ERROR),
     upload(), frame(PRIORITY, 0, 1, u32(0))),
    ("6.3 of 6 bytes", Reset(FRAME_SIZE_ERROR),
     upload(), frame(PRIORITY, 0, 1, u32(0) + b"\1\1")),

    # 6.4 RST_STREAM
    ("6.4 on stream 0", PROTOCOL, frame(RST_STREAM, 0, 0, u32(CANCEL))),
    ("6.4 of 3 bytes", SIZE, upload(), frame(RST_STREAM, 0, 1, bytes(3))),
    ("6.4 of 5 bytes", SIZE, upload(), frame(RST_STREAM, 0, 1, bytes(5))),
    ("6.4 is not answered", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(CANCEL))),
    ("7 with a code nobody knows", NOTHING,
     upload(), frame(RST_STREAM, 0, 1, u32(0xdeadbeef))),

    # 6.5 SETTINGS
    ("6.5 on a stream", PROTOCOL, frame(SETTINGS, 0, 1)),
    ("6.5 on a stream that is open", PROTOCOL,
     upload(), frame(SETTINGS, 0, 1)),
    ("6.5 of 5 bytes", SIZE, frame(SETTINGS, 0, 0, bytes(5))),
    ("6.5 an acknowledgement with content", SIZE,
     frame(SETTINGS, ACK, 0, bytes(6))),
    ("6.5.2 ENABLE_PUSH 0 and 1", NOTHING,
     settings(enable_push=1), settings(enable_push=0)),
    ("6.5.2 ENABLE_PUSH 2", PROTOCOL, settings(enable_push=2)),
    ("6.5.2 INITIAL_WINDOW_SIZE 2^31-1", NOTHING,
     settings(window=0x7fffffff)),
    ("6.5.2 INITIAL_WINDOW_SIZE 2^31", FLOW, settings(window=1 << 31)),
    ("6.5.2 MAX_FRAME_SIZE 2^14 and 2^24-1", NOTHING,
     settings(max_frame=16384), settings(max_frame=0xffffff)),
    ("6.5.2 MAX_FRAME_SIZE 2^14-1", PROTOCOL, settings(max_frame=16383)),
    ("6.5.2 MAX_FRAME_SIZE 2^24", PROTOCOL, settings(max_frame=1 << 24)),
    ("6.5.2 an unknown setting", NOTHING,
     frame(SETTINGS, 0, 0, struct.pack(">HI", 0x99, 0xffffffff))),
    ("6.5.3 the last of equal settings holds", NOTHING,
     settings(max_frame=0xffffff) + frame(SETTINGS, 0, 0, struct.pack(
         ">HIHI", 4, 0, 4, 65535))),

    # 6.6 PUSH_PROMISE
    ("6.6 of a client", PROTOCOL,
     upload(), frame(PUSH_PROMISE, END_HEADERS, 1, u32(2) + block(*LINE))),
    ("6.6 of a client, on stream 0", PROTOCOL,
     frame(PUSH_PROMISE, END_HEADERS, 0, u32(2) + block(*LINE))),

    # 6.7 PING
    ("6.7 on a stream", PROTOCOL, frame(PING, 0, 1, bytes(8))),
    ("6.7 of 7 bytes", SIZE, frame(PING, 0, 0, bytes(7))),
    ("6.7 of 9 bytes", SIZE, frame(PING, 0, 0, bytes(9))),

    # 6.8 GOAWAY
    ("6.8 on a stream", PROTOCOL, frame(GOAWAY, 0, 1, bytes(8))),
    ("6.8 of 7 bytes", SIZE, frame(GOAWAY, 0, 0, bytes(7))),

    # 6.9 WINDOW_UPDATE
    ("6.9 of 3 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(3))),
    ("6.9 of 5 bytes", SIZE, frame(WINDOW_UPDATE, 0, 0, bytes(5))),
    ("6.9 by 0 on the connection", PROTOCOL,
     frame(WINDOW_UPDATE, 0, 0, u32(0))),
    ("6.9 by 0 on a stream", MALFORMED,
     upload(), frame(WINDOW_UPDATE, 0, 1, u32(0))),
    ("6.9 the reserved bit", NOTHING,
     frame(WINDOW_UPDATE, 0, 0, u32(1 << 31 | 1))),
    ("6.9.1 the connection's window at 2^31-1", NOTHING,
     frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff - 65535))),
    ("6.9.1 the connection's window above 2^31-1", FLOW,
     frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff - 65534))),
    ("6.9.1 a stream's window at 2^31-1", NOTHING,
     upload(), frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff - 65535))),
    ("6.9.1 a stream's window above 2^31-1", Reset(FLOW_CONTROL_ERROR),
     upload(), frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff - 65534))),
    ("5.2 more DATA than the window", Reset(FLOW_CONTROL_ERROR),
     upload(), frame(DATA, 0, 1, bytes(16384)) * 5),

    # RFC 9218
    ("9218 2.1 NO_RFC7540_PRIORITIES 2", PROTOCOL,
     frame(SETTINGS, 0, 0, struct.pack(">HI", 9, 2))),
    ("9218 7.1 PRIORITY_UPDATE", NOTHING,
     frame(PRIORITY_UPDATE, 0, 0, u32(1) + b"u=1")),
    ("9218 7.1 PRIORITY_UPDATE on a stream", PROTOCOL,
     upload(), frame(PRIORITY_UPDATE, 0, 1, u32(1) + b"u=1")),
    ("9218 7.1 PRIORITY_UPDATE of stream 0", PROTOCOL,
     frame(PRIORITY_UPDATE, 0, 0, u32(0) + b"u=1")),
    ("9218 7.1 PRIORITY_UPDATE of 3 bytes", Goaway(
        FRAME_SIZE_ERROR, PROTOCOL_ERROR),
     frame(PRIORITY_UPDATE, 0, 0, bytes(3))),
]

HTTP = [
    # 8.1 the order of frames
    ("8.1 trailers", NOTHING, upload(), trailers(("x", "y"))),
    ("8.1 trailers without an end", MALFORMED,
     upload(), trailers(("x", "y"), flags=END_HEADERS)),
    ("8.1 a pseudo-field in trailers", MALFORMED,
     upload(), trailers(("x", "y"), (":path", "/"))),
    ("8.1.1 less than Content-Length", MALFORMED,
     upload(("content-length", "5")), frame(DATA, END_STREAM, 1, b"four")),
    ("8.1.1 more than Content-Length", MALFORMED,
     upload(("content-length", "3")), frame(DATA, END_STREAM, 1, b"four")),
    ("8.1.1 the second frame is beyond Content-Length", MALFORMED,
     upload(("content-length", "5")), frame(DATA, 0, 1, b"four"),
     frame(DATA, END_STREAM, 1, b"four")),
    ("8.1.1 Content-Length and an end at once", MALFORMED,
     head(("content-length", "5"))),
    ("8.1.1 less than Content-Length, with trailers", MALFORMED,
     upload(("content-length", "5")), frame(DATA, 0, 1, b"four"),
     trailers(("x", "y"))),
    ("8.1.1 two Content-Lengths", MALFORMED,
     upload(("content-length", "4"), ("content-length", "5"))),
    ("8.1.1 Content-Length that is no number", MALFORMED,
     upload(("content-length", "+4"))),

    # 8.2.1 validity
    *(("8.2.1 %r in a name" % b, MALFORMED, head(("x%sy" % b, "z")))
      for b in "\0\t\n\r :AZ\x7f\x80\xff"),
    ("8.2.1 an empty name", MALFORMED, head(("", "x"))),
    *(("8.2.1 %r in a value" % b, MALFORMED, head(("x", "y%sz" % b)))
      for b in "\0\n\r"),
    *(("8.2.1 %r around a value" % b, MALFORMED, head(("x", b % "y")))
      for b in (" %s", "\t%s", "%s ", "%s\t")),
    ("8.2.1 an upper case name in trailers", MALFORMED,
     upload(), trailers(("Xy", "z"))),
    ("8.2.1 a line end in trailers", MALFORMED,
     upload(), trailers(("x", "y\r\nz: 1"))),

    # 8.2.2 fields of a connection
    *(("8.2.2 %s" % name, MALFORMED, head((name, value)))
      for name, value in (
          ("connection", "close"), ("keep-alive", "1"),
          ("proxy-connection", "close"), ("transfer-encoding", "chunked"),
          ("upgrade", "websocket"), ("te", "gzip"),
          ("te", "trailers, gzip"))),
    ("8.2.2 te: trailers", OK, head(("te", "trailers"))),

    # 8.3 pseudo-fields
    ("8.3 an unknown one", MALFORMED, head((":x", "y"))),
    ("8.3 one of responses", MALFORMED, head((":status", "200"))),
    ("8.3 one after a field", MALFORMED,
     head(line=(*LINE[:3], ("x", "y"), PATH))),
    *(("8.3.1 two of %s" % f[0], MALFORMED, head(line=(f, *LINE)))
      for f in LINE),
    *(("8.3.1 without %s" % name, MALFORMED, head(line=swap(name, None)))
      for name in (":method", ":scheme", ":path")),
    ("8.3.1 without an authority", MALFORMED,
     head(line=swap(":authority", None))),
    ("8.3.1 Host instead of an authority", OK,
     head(("host", "localhost"), line=swap(":authority", None))),
    ("8.3.1 Host and authority agree", OK, head(("host", "localhost"))),
    ("8.3.1 Host and authority disagree", MALFORMED,
     head(("host", "other"))),
    ("8.3.1 two Hosts", MALFORMED,
     head(("host", "localhost"), ("host", "localhost"))),
    ("8.3.1 an authority with a user", MALFORMED,
     head(line=swap(":authority", "user@localhost"))),
    ("8.3.1 an empty path", MALFORMED, head(line=swap(":path", ""))),
    ("8.3.1 a path without a slash", MALFORMED,
     head(line=swap(":path", "hello"))),
    ("8.3.1 OPTIONS *", Status("204"), head(line=(
        (":method", "OPTIONS"), SCHEME, AUTHORITY, (":path", "*")))),
    ("8.3.1 GET *", MALFORMED, head(line=swap(":path", "*"))),
    ("8.5 CONNECT with scheme and path", MALFORMED,
     head(line=swap(":method", "CONNECT"))),
    ("8.5 CONNECT without an authority", MALFORMED,
     head(line=((":method", "CONNECT"),))),
    ("8.5 CONNECT, which is not done here", Status("400"),
     head(line=((":method", "CONNECT"), (":authority", "localhost:1")))),
    ("8441 4 :protocol without CONNECT", MALFORMED,
     head(line=(*LINE, (":protocol", "websocket")))),
    ("8.3.1 a method nobody knows is answered", Status("501"),
     head(line=((":method", "FROB"), SCHEME, AUTHORITY, (":path", "/x")))),
]


def hpack(after, expected=COMPRESSION):
    return (expected, head(after=after))


def first(before, expected=COMPRESSION):
    return (expected, head(before=before))


# "302" in Huffman's code, its end as it has to be: 0x64 0x02.
HPACK = [
    ("2.3.3 an index beyond the tables", *hpack(number(62, 7, 0x80))),
    ("2.3.3 a name's index beyond the tables",
     *hpack(number(70, 6, 0x40) + b"\1x")),
    ("2.3.3 the first entry of the dynamic table", OK,
     head(after=literal("x", "y", b"\x40") + b"\xbe")),
    ("2.3.3 an entry that was put out", *hpack(
        literal("x", "y", b"\x40") + literal("x", "y" * 4090, b"\x40") +
        b"\xbe")),
    ("4.2 a size as large as was allowed", *first(
        number(4096, 5, 0x20), OK)),
    ("4.2 a size larger than was allowed", *first(number(4097, 5, 0x20))),
    ("4.2 a size after a field", *hpack(number(0, 5, 0x20))),
    ("5.1 an integer of 2^64 and more", *hpack(
        b"\xff" + b"\xff" * 9 + b"\x7f")),
    ("5.1 an integer of endless zeros", Goaway(
        COMPRESSION_ERROR), head(after=b"\xff" + b"\x80" * 40 + b"\x01")),
    ("5.1 an integer that is cut", *hpack(b"\xff")),
    ("5.2 a string that is cut", *hpack(b"\0\5x")),
    ("5.2 a string without a length", *hpack(b"\0\1x")),
    ("5.2 Huffman's code", *hpack(b"\0\1x\x82\x64\x02", OK)),
    ("5.2 Huffman's code, padded with zeros",
     *hpack(b"\0\1x\x81\x00")),
    ("5.2 Huffman's code, padded with 8 bits",
     *hpack(b"\0\1x\x83\x64\x02\xff")),
    ("5.2 Huffman's code with the end of string",
     *hpack(b"\0\1x\x84\xff\xff\xff\xff")),
    ("6.1 index 0", *hpack(b"\x80")),
    ("6.2.3 a literal that is never indexed", OK,
     head(after=literal("x", "y", b"\x10"))),
    ("9113 4.3 in trailers", COMPRESSION,
     upload(), frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x80")),
    ("9113 4.3 an empty block", MALFORMED,
     frame(HEADERS, END_HEADERS | END_STREAM, 1)),
]


def play(w, row, tls=False):
    name, expected, *frames = row
    c = connect(w, tls)
    try:
        c.send(*frames)
        expected.check(c)
    finally:
        c.close()


def names(rows):
    return pytest.mark.parametrize("row", rows, ids=[r[0] for r in rows])


@names(FRAMES)
def test_frames(w, row):
    play(w, row)


@names(HTTP)
def test_messages(w, row):
    play(w, row)


@names(HPACK)
def test_compression(w, row):
    play(w, row)


@names([r for r in FRAMES + HTTP + HPACK if r[0] in (
    "4.3 PING within a block", "5.1 half-closed: DATA", "6.7 on a stream",
    "6.9.1 a stream's window above 2^31-1", "8.2.2 connection",
    "8.3 one after a field", "6.1 index 0")])
def test_over_tls_it_is_the_same(w, row):
    play(w, row, tls=True)


# ---- what nghttp2 does otherwise: see the deviations of rfc.md


DEVIATIONS = [
    ("5.1 closed by both: DATA", NOTHING, frame(DATA, END_STREAM, 5, b"x")),
    ("5.1 closed by both: HEADERS", NOTHING, trailers(("x", "y"), stream=5)),
    ("5.1.1 a smaller number than before", NOTHING, get(3)),
    ("6.9.2 a setting takes a window above 2^31-1", Reset(
        FLOW_CONTROL_ERROR, stream=7), upload(stream=7),
     frame(WINDOW_UPDATE, 0, 7, u32(0x7fffffff - 65535)),
     settings(window=65536)),
]


@names(DEVIATIONS)
def test_deviations(c, row):
    assert c.get(5, "/hello")[1] == b"hello"
    c.send(*row[2:])
    row[1].check(c)


# ---- 3 the beginning


@pytest.mark.parametrize("first", [
    frame(PING, 0, 0, bytes(8)), get(), frame(DATA, 0, 1, b"x"),
    frame(WINDOW_UPDATE, 0, 0, u32(1))])
def test_3_4_settings_come_first(w, first):
    c = Frames(w.port, timeout=5 * SLOW)
    c.send(PREFACE, first)
    PROTOCOL.check(c)


@pytest.mark.parametrize("tls", [True, False])
def test_3_4_a_preface_that_is_none_ends_the_connection(w, tls):
    c = Frames(w.port_of("port1") if tls else w.port, tls, timeout=5 * SLOW)
    c.send(PREFACE[:-4] + b"XX\r\n" + settings() + get())
    got = b""
    with pytest.raises(Closed):
        while True:
            got += c.read(1)
    assert b"hello" not in got and not got.startswith(b"HTTP/1.1 2")


def test_3_4_settings_of_the_server_are_its_first_frame(w):
    c = Frames(w.port, timeout=5 * SLOW)
    c.send(PREFACE, settings(), get())
    f = c.next()
    assert f.kind == SETTINGS and not f.flags & ACK and f.stream == 0


# ---- 5 streams


def test_5_1_what_follows_a_reset_is_passed_over(c):
    """It was on its way; but the connection's window is given back."""
    c.send(upload(), frame(WINDOW_UPDATE, 0, 1, u32(0x7fffffff)))
    assert c.expect(RST_STREAM, 1).error == FLOW_CONTROL_ERROR
    room = 65535
    for _ in range(20):
        while room < 16384:
            room += struct.unpack(">I", c.expect(WINDOW_UPDATE, 0).payload)[0]
        c.send(frame(DATA, 0, 1, bytes(16384)))
        room -= 16384
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(1)), trailers(("x", "y")))
    NOTHING.check(c)


def test_5_1_2_no_more_streams_than_were_allowed(c):
    """The first that ends makes room for another, and only for one."""
    assert c.settings[3] == 20
    c.send(*(upload(stream=1 + 2 * i) for i in range(20)),
           frame(RST_STREAM, 0, 1, u32(CANCEL)))
    assert c.get(41, "/hello")[1] == b"hello"
    c.send(upload(stream=43), upload(stream=45))
    PROTOCOL.check(c)


def test_5_1_2_before_the_limit_is_known_the_rest_is_refused(w):
    c = Frames(w.port, timeout=5 * SLOW)
    c.send(PREFACE, settings(),
           *(upload(stream=1 + 2 * i) for i in range(21)))
    f = c.expect(RST_STREAM)
    assert (f.stream, f.error) == (41, REFUSED_STREAM)
    c.close()


def test_5_4_1_goaway_names_the_last_stream(c):
    c.get(1, "/hello")
    c.get(5, "/hello")
    c.send(frame(PING, 0, 1, bytes(8)))
    f = c.expect(GOAWAY)
    assert f.error == PROTOCOL_ERROR
    assert struct.unpack(">I", f.payload[:4])[0] == 5
    with pytest.raises(Closed):
        c.next()


# ---- 6 settings, windows


def test_6_5_3_each_of_the_settings_is_acknowledged_once_and_in_order(c):
    c.send(*[settings(window=100)] * 3, frame(PING, 0, 0, b"-after--"))
    for _ in range(3):
        f = c.next()
        assert (f.kind, f.flags, f.payload) == (SETTINGS, ACK, b"")
    assert c.next().payload == b"-after--"


def test_6_7_a_ping_comes_back_and_an_answer_does_not(c):
    c.send(frame(PING, ACK, 0, b"answered"), frame(PING, 0, 0, b"question"))
    f = c.expect(PING)
    assert (f.flags, f.payload) == (ACK, b"question")


def test_6_8_a_client_that_says_goodbye_is_answered(c):
    c.send(get(), frame(GOAWAY, 0, 0, u32(0) + u32(NO_ERROR) + b"debug"))
    assert c.response(1)[1] == b"hello"


def arrived(c, stream, n):
    """The sizes of N bytes of DATA; not one more has come by a PING after."""
    sizes = []
    while sum(sizes) < n:
        f = c.expect(DATA, stream)
        sizes.append(len(f.payload))
    c.send(frame(PING, 0, 0, b"enough?!"))
    while True:
        f = c.next()
        assert f.kind != DATA
        if f.kind == PING and f.flags & ACK:
            break
    assert sum(sizes) == n
    return sizes


def test_6_9_1_a_window_is_kept_to_the_byte(w):
    c = connect(w, window=10)
    c.request(1, path="/file")
    arrived(c, 1, 10)
    for n in (1, 7, 4000):
        c.send(frame(WINDOW_UPDATE, 0, 1, u32(n)))
        arrived(c, 1, n)
    c.close()


def test_6_9_1_the_windows_of_streams_are_within_that_of_the_connection(w):
    c = connect(w, window=1 << 20)
    c.request(1, path="/file")
    assert len(c.response(1, window=False)[1]) == 60_000
    c.request(3, path="/file")
    arrived(c, 3, 65_535 - 60_000)
    c.close()


def test_6_9_2_a_window_may_become_negative(w):
    c = connect(w, window=100)
    c.request(1, path="/file")
    arrived(c, 1, 100)
    c.send(settings(window=40), frame(WINDOW_UPDATE, 0, 1, u32(60)))
    arrived(c, 1, 0)
    c.send(frame(WINDOW_UPDATE, 0, 1, u32(5)))
    arrived(c, 1, 5)
    c.send(settings(window=50))
    arrived(c, 1, 10)
    c.close()


def test_4_2_no_frame_is_larger_than_the_client_takes(w):
    c = connect(w, window=1 << 20)
    c.request(1, path="/file")
    assert max(arrived(c, 1, 60_000)) <= 16384
    c.close()


# ---- 8 responses, and compression towards the client


def test_8_3_2_a_response_has_its_pseudo_field_first_and_names_in_lower_case(
        c):
    for stream, path in ((1, "/hello"), (3, "/file"), (5, "/none")):
        c.request(stream, path=path)
        fields = c.expect(HEADERS, stream).fields
        assert [k for k, v in fields if k[0] == ":"] == [":status"]
        assert fields[0][0] == ":status"
        assert not [k for k, v in fields if k != k.lower() or k in (
            "connection", "keep-alive", "transfer-encoding", "upgrade")]


def test_7541_4_2_a_smaller_table_of_the_client_is_kept_to(c):
    """The library's decoder insists on the update of the size."""
    c.get(1, "/hello")
    c.send(settings(header_table_size=0))
    c.expect(SETTINGS)
    c.decoder.max_allowed_table_size = 0
    for stream in (3, 5):
        assert c.get(stream, "/hello")[0][":status"] == "200"


def test_4_3_a_head_that_is_refused_still_fills_the_table(c):
    many = b"".join(literal("x", "y") for _ in range(500))
    c.send(head(after=block(("X", "y")) + literal("a", "b", b"\x40")),
           head(stream=3, after=many + literal("c", "d", b"\x40")),
           head(stream=5, after=b"\xbe\xbf"))
    assert c.expect(RST_STREAM, 1).error == PROTOCOL_ERROR
    assert c.expect(HEADERS, 3).fields[0] == (":status", "431")
    assert c.response(5)[0][":status"] == "200"


def test_9218_the_more_urgent_goes_first(w):
    c = connect(w, window=1 << 20)
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


# ---- at random


def valid(rng):
    """A conversation, as a list of frames."""
    stream, frames = 1, [settings(window=rng.randrange(1 << 20))]
    for _ in range(rng.randrange(1, 6)):
        frames += rng.choice((
            lambda: [get(stream)],
            lambda: [upload(stream=stream), frame(DATA, 0, stream, b"x" * 99),
                     frame(DATA, PADDED, stream, b"\2abc\0\0"),
                     trailers(("x", "y"), stream=stream)],
            lambda: [*cut(9, stream)[:1], go_on(cut(9)[1], stream)],
            lambda: [head(stream=stream, line=swap(":path", "/file")),
                     frame(WINDOW_UPDATE, 0, stream, u32(100)),
                     frame(WINDOW_UPDATE, 0, 0, u32(1 << 16)),
                     frame(RST_STREAM, 0, stream, u32(CANCEL))],
            lambda: [frame(PING, 0, 0, bytes(8)),
                     frame(PRIORITY, 0, stream, u32(0) + b"\x10"),
                     frame(PRIORITY_UPDATE, 0, 0, u32(stream) + b"u=1, i")],
            lambda: [upload(("content-length", "3"), stream=stream),
                     frame(DATA, END_STREAM, stream, b"abc"),
                     settings(header_table_size=0, max_frame=20000)],
            lambda: [head(stream=stream, after=literal("x", "y", b"\x40") +
                          b"\xbe\x82"), frame(GOAWAY, 0, 0, bytes(8))],
        ))()
        stream += 2
    return frames


def bend(rng, frames):
    """One or two things wrong: in a byte, a header, or the order."""
    for _ in range(rng.randrange(1, 3)):
        i = rng.randrange(len(frames))
        f = bytearray(frames[i])
        what = rng.randrange(8)
        if what == 0 and f:
            f[rng.randrange(len(f))] ^= 1 << rng.randrange(8)
        elif what == 1 and len(f) > 8:
            f[rng.choice((2, 3, 4, 8))] = rng.randrange(256)
        elif what == 2:
            f = f[:rng.randrange(len(f) + 1)]
        elif what == 3:
            f[rng.randrange(len(f) + 1):] = rng.randbytes(rng.randrange(40))
        elif what == 4 and len(f) > 9:
            n = rng.randrange(len(f) - 8)   # a payload cut, its length true
            f = bytearray(struct.pack(">I", n)[1:]) + f[3:9 + n]
        elif what == 5:
            f = f * 2
        elif what == 6:
            f = bytearray()
        else:
            j = rng.randrange(len(frames))
            f, frames[j] = bytearray(frames[j]), frames[i]
        frames[i] = bytes(f)
    return frames


def throw(w, rng):
    """Sends it in one or two parts and then nothing more."""
    with socket.create_connection(("127.0.0.1", w.port), 5 * SLOW) as s:
        data = PREFACE + b"".join(bend(rng, valid(rng)))
        at = rng.randrange(len(data) + 1) if rng.randrange(2) else 0
        try:
            s.sendall(data[:at])
            s.sendall(data[at:])
            if rng.randrange(2):
                s.settimeout(0.02)
                s.recv(65536)
        except OSError:
            pass
        s.settimeout(5 * SLOW)
        try:
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except (ConnectionError, BrokenPipeError):
            pass
        except OSError as e:
            assert not isinstance(e, TimeoutError)


def test_frames_bent_at_random_hurt_nobody_else(w):
    for i in range(ROUNDS):
        seed = "%d.%d" % (SEED, i)
        throw(w, random.Random(seed))
        if i % 20 == 19:
            assert w.children() == w.workers, "by seed " + seed
            c = connect(w)
            assert c.get(1, "/hello")[1] == b"hello"
            c.close()
