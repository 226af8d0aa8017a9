"""A client of HTTP/2 that can be wrong: it writes frames byte by byte.

    c = Frames(w.port)              # clear text; TLS with tls=True
    c.hello()
    c.request(1, path="/x")
    head, body = c.response(1)

hpack is a library's; frames are made and read here, so that each of them can
be what no library would send.
"""

import socket
import ssl
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, \
    WINDOW_UPDATE, CONTINUATION = range(10)
PRIORITY_UPDATE = 16

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 1, 1, 4, 8, 32

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, \
    SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, \
    CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(12)


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) +
            struct.pack(">I", stream) + payload)


def settings(**values):
    ids = {"header_table_size": 1, "enable_push": 2, "max_streams": 3,
           "window": 4, "max_frame": 5, "max_head": 6}
    return frame(SETTINGS, 0, 0, b"".join(
        struct.pack(">HI", ids[k], v) for k, v in values.items()))


class Closed(Exception):
    pass


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags = kind, flags
        self.stream, self.payload = stream, payload

    @property
    def error(self):
        at = 4 if self.kind == GOAWAY else 0
        return struct.unpack(">I", self.payload[at:at + 4])[0]

    def __repr__(self):
        return "Frame(%d, %#x, %d, %r)" % (
            self.kind, self.flags, self.stream, self.payload[:40])


class Frames:
    def __init__(self, port, tls=False, timeout=15):
        self.port = port
        self.sock = socket.create_connection(("127.0.0.1", port), timeout)
        if tls:
            context = ssl._create_unverified_context()
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock,
                                            server_hostname="localhost")
            assert self.sock.selected_alpn_protocol() == "h2"
        self.scheme = "https" if tls else "http"
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.pending = b""

    def close(self):
        self.sock.close()

    # -- sending

    def send(self, *parts):
        self.sock.sendall(b"".join(parts))

    def hello(self, **values):
        """Preface and SETTINGS both ways, acknowledged."""
        self.send(PREFACE, settings(**values))
        first = self.next()
        assert first.kind == SETTINGS and not first.flags & ACK
        self.settings = dict(struct.iter_unpack(">HI", first.payload))
        self.send(frame(SETTINGS, ACK))
        self.expect(SETTINGS)
        return self

    def head(self, path="/", method="GET", authority="localhost",
             fields=(), **pseudo):
        pseudo = {":method": method, ":scheme": self.scheme,
                  ":authority": authority, ":path": path,
                  **{":" + k: v for k, v in pseudo.items()}}
        return self.encoder.encode(
            [(k, v) for k, v in pseudo.items() if v is not None] +
            list(fields), huffman=True)

    def request(self, stream, end=True, **head):
        self.send(frame(HEADERS, END_HEADERS | (END_STREAM if end else 0),
                        stream, self.head(**head)))

    def data(self, stream, payload, end=False):
        self.send(frame(DATA, END_STREAM if end else 0, stream, payload))

    # -- receiving

    def read(self, n):
        while len(self.pending) < n:
            try:
                more = self.sock.recv(65536)
            except (ConnectionResetError, ssl.SSLError):
                more = b""
            if not more:
                raise Closed
            self.pending += more
        out, self.pending = self.pending[:n], self.pending[n:]
        return out

    def next(self):
        head = self.read(9)
        length = struct.unpack(">I", b"\0" + head[:3])[0]
        stream = struct.unpack(">I", head[5:])[0] & 0x7fffffff
        f = Frame(head[3], head[4], stream, self.read(length))
        if f.kind == HEADERS:
            f.fields = self.decoder.decode(f.payload)
        return f

    def expect(self, kind, stream=None):
        """The next frame of that kind; others are passed over."""
        while True:
            f = self.next()
            if f.kind == kind and (stream is None or f.stream == stream):
                return f

    def error(self):
        """The error code of the connection, or "closed" without one."""
        try:
            while True:
                f = self.next()
                if f.kind == GOAWAY and f.error != NO_ERROR:
                    return f.error
        except Closed:
            return "closed"

    def stream_error(self, stream):
        """How the stream is reset; one of the connection will do, too."""
        while True:
            f = self.next()
            if f.kind == RST_STREAM and f.stream == stream:
                return f.error
            if f.kind == GOAWAY:
                return f.error

    def response(self, stream, window=True):
        """(fields, body) of a stream; `trailers` and `interim` are kept."""
        heads, body = [], b""
        while True:
            f = self.next()
            if f.stream != stream:
                continue
            if f.kind == RST_STREAM:
                raise AssertionError("reset with %d" % f.error)
            if f.kind == HEADERS:
                assert f.flags & END_HEADERS
                heads.append(f.fields)
            if f.kind == DATA:
                body += f.payload
                if window and f.payload:
                    n = struct.pack(">I", len(f.payload))
                    self.send(frame(WINDOW_UPDATE, 0, 0, n))
                    if not f.flags & END_STREAM:
                        self.send(frame(WINDOW_UPDATE, 0, stream, n))
            if f.kind in (HEADERS, DATA) and f.flags & END_STREAM:
                break
        self.interim = []
        while dict(heads[0])[":status"].startswith("1"):
            self.interim.append(dict(heads.pop(0)))
        self.trailers = dict(heads[1]) if len(heads) > 1 else {}
        return dict(heads[0]), body

    def get(self, stream, path="/", **head):
        self.request(stream, path=path, **head)
        return self.response(stream)

    def is_alive(self):
        """Whether a PING is answered."""
        self.send(frame(PING, 0, 0, b"isalive?"))
        try:
            while True:
                f = self.expect(PING)
                if f.flags & ACK and f.payload == b"isalive?":
                    return True
        except Closed:
            return False
