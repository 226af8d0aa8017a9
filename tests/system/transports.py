"""One client for the four ways in which a request can come: HTTP/1.1 and HTTP/2,
each in clear text and over TLS.

    t = Transport("h2-tls", plain_port, tls_port)
    answer = t.request("GET", "/x", [("accept", "*/*")])
    assert (answer.status, answer.end) == (200, "whole")

`end` says how the answer ended: "whole", "cut" (the client can tell that the
body is short), "reset PROTOCOL_ERROR" (a stream without an answer), "goaway"
(so was the connection) or "nothing". Names of fields are in lower case.
"""

import dataclasses
import re
import socket
import ssl
import sys
import pathlib

import hpack

from conftest import SLOW
from h2_frames import (
    ACK, CONTINUATION, Closed, DATA, END_HEADERS, END_STREAM, Frames, GOAWAY,
    HEADERS, RST_STREAM, WINDOW_UPDATE, frame)

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "cases"))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

import play  # noqa: E402

NAMES = ["h1", "h1-tls", "h2", "h2-tls"]
ERRORS = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR",
          "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
          "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL",
          "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM"]


@dataclasses.dataclass
class Answer:
    status: int = 0
    fields: list = dataclasses.field(default_factory=list)
    body: bytes = b""
    trailers: list = dataclasses.field(default_factory=list)
    interim: list = dataclasses.field(default_factory=list)  # statuses
    end: str = "nothing"

    def values(self, name):
        return [v for k, v in self.fields if k == name.lower()]

    def __getitem__(self, name):
        return ", ".join(self.values(name)) or None


class TlsSocket:
    """A socket over TLS that can end its own direction only, as TCP can: with
    close_notify and FIN. An end without close_notify is a reset."""

    def __init__(self, sock, alpn=None):
        context = ssl._create_unverified_context()
        if alpn:
            context.set_alpn_protocols([alpn])
        self.sock, self.family = sock, sock.family
        self.came, self.goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.came, self.goes,
                                    server_hostname="localhost")
        self._run(self.tls.do_handshake)

    def _flush(self):
        if self.goes.pending:
            self.sock.sendall(self.goes.read())

    def _run(self, step, *args):
        while True:
            try:
                value = step(*args)
                self._flush()
                return value
            except ssl.SSLWantReadError:
                self._flush()
                data = self.sock.recv(65536)
                self.came.write(data) if data else self.came.write_eof()

    def sendall(self, data):
        self._run(self.tls.write, data)

    def recv(self, n):
        try:
            return self._run(self.tls.read, n)
        except ssl.SSLZeroReturnError:
            return b""
        except (ssl.SSLEOFError, ssl.SSLSyscallError):
            raise ConnectionResetError

    def shutdown(self, how):
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass
        self._flush()
        self.sock.shutdown(how)

    def settimeout(self, seconds):
        self.sock.settimeout(seconds)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


def dial(port, tls, alpn=None, timeout=5):
    s = socket.create_connection(("127.0.0.1", port), timeout * SLOW)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return TlsSocket(s, alpn) if tls else s


class Http1:
    """One connection for as long as the server keeps it."""

    def __init__(self, port, tls):
        self.port, self.tls, self.client = port, tls, None

    def connect(self):
        self.client = play.Client(dial(self.port, self.tls),
                                  lambda data: [data])

    def close(self):
        if self.client:
            self.client.sock.close()
            self.client = None

    def request(self, method, target, fields=(), body=None, trailers=(),
                authority="localhost"):
        lines = ["%s %s HTTP/1.1" % (method, target)]
        if authority is not None:
            lines.append("Host: " + authority)
        lines += ["%s: %s" % f for f in fields]
        named = {k.lower() for k, _ in fields}
        if trailers:
            lines.append("Transfer-Encoding: chunked")
            body = (b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + \
                b"0\r\n" + "".join("%s: %s\r\n" % t
                                   for t in trailers).encode() + b"\r\n"
        elif body is not None and "content-length" not in named:
            lines.append("Content-Length: %d" % len(body))
        if self.client is None:
            self.connect()
        self.client.send("\r\n".join(lines + ["", ""]).encode("latin-1") +
                         (body or b""))
        return self.answer(method)

    def answer(self, method):
        a = Answer()
        while True:
            seen = self.client.response(method == "HEAD")
            if seen is None:
                self.close()
                return a
            if seen.status >= 200 or seen.status == 101:
                break
            a.interim.append(seen.status)
        a.status, a.body = seen.status, seen.body
        a.fields = [(k.decode(), v.decode("latin-1")) for k, v in seen.fields]
        a.end = "cut" if seen.cut else "whole"
        if seen.cut or seen.ends or a["connection"] == "close":
            self.close()
        return a


class Http2:
    """One connection; a stream for each request."""

    def __init__(self, port, tls):
        self.port, self.tls, self.c = port, tls, None

    def connect(self):
        self.c = Frames.__new__(Frames)
        self.c.port, self.c.pending = self.port, b""
        self.c.sock = dial(self.port, self.tls, "h2")
        self.c.scheme = "https" if self.tls else "http"
        self.c.encoder, self.c.decoder = hpack.Encoder(), hpack.Decoder()
        self.c.hello()
        self.stream, self.windows = 1, {0: 65535}

    def close(self):
        if self.c:
            self.c.close()
            self.c = None

    def request(self, method, target, fields=(), body=None, trailers=(),
                authority="localhost"):
        if self.c is None:
            self.connect()
        pairs = [(":method", method), (":scheme", self.c.scheme),
                 (":path", target)]
        if authority is not None:
            pairs.append((":authority", authority))
        pairs += [(k.lower(), v) for k, v in fields]
        has_more = body is not None or bool(trailers)
        block = self.c.encoder.encode(
            [(k.encode("latin-1"), v.encode("latin-1")) for k, v in pairs])
        stream, self.stream = self.stream, self.stream + 2
        a = Answer()
        try:
            self.send_head(stream, block, 0 if has_more else END_STREAM)
            if has_more:
                self.send_body(stream, a, body or b"", trailers)
        except (OSError, Closed):
            pass  # what it had to say is there to be read
        return self.answer(stream, a)

    def send_head(self, stream, block, flags):
        parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
        kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
        self.c.send(*(
            frame(kind, (flags if kind == HEADERS else 0) |
                  (END_HEADERS if i == len(parts) - 1 else 0), stream, part)
            for i, (kind, part) in enumerate(zip(kinds, parts))))

    def send_body(self, stream, a, body, trailers):
        """As far as the windows are open; what comes meanwhile is taken."""
        windows, at = self.windows, 0
        windows[stream] = 65535
        while at < len(body) and a.end == "nothing":
            n = min(16384, windows[0], windows[stream], len(body) - at)
            if n == 0:
                self.take(stream, a, self.c.next())
                continue
            self.c.data(stream, body[at:at + n],
                        end=at + n == len(body) and not trailers)
            at += n
            windows[0] -= n
            windows[stream] -= n
        if a.end != "nothing":
            return
        if trailers:
            self.c.send(frame(HEADERS, END_HEADERS | END_STREAM, stream,
                              self.c.encoder.encode(
                                  [(k.lower(), v) for k, v in trailers])))
        elif not body:
            self.c.data(stream, b"", end=True)

    def answer(self, stream, a):
        try:
            while a.end == "nothing":
                self.take(stream, a, self.c.next())
        except (Closed, TimeoutError):
            a.end = "cut" if a.status else "nothing"
            self.close()
        return a

    def take(self, stream, a, f):
        if f.kind == WINDOW_UPDATE:
            self.windows[f.stream] = self.windows.get(f.stream, 0) + \
                int.from_bytes(f.payload, "big")
        elif f.kind == GOAWAY and f.error:
            a.end = "goaway " + ERRORS[f.error]
        elif f.stream != stream:
            return
        elif f.kind == RST_STREAM:
            a.end = "cut" if a.status else "reset " + ERRORS[f.error]
        elif f.kind == HEADERS:
            self.take_head(a, dict(f.fields), f.fields)
        elif f.kind == DATA:
            self.take_data(a, f)
        if f.flags & END_STREAM and f.kind in (DATA, HEADERS):
            a.end = "whole"

    def take_head(self, a, fields, pairs):
        if a.status:
            a.trailers = list(pairs)
        elif fields[":status"].startswith("1"):
            a.interim.append(int(fields[":status"]))
        else:
            a.status = int(fields[":status"])
            a.fields = [(k, v.encode().decode("latin-1")) for k, v in pairs
                        if k != ":status"]

    def take_data(self, a, f):
        a.body += f.payload
        if not f.payload:
            return
        n = len(f.payload).to_bytes(4, "big")
        self.c.send(frame(WINDOW_UPDATE, 0, 0, n))
        if not f.flags & END_STREAM:
            self.c.send(frame(WINDOW_UPDATE, 0, f.stream, n))

    def is_alive(self):
        return self.c is not None and self.c.is_alive()


class Transport:
    def __init__(self, name, plain_port, tls_port):
        self.name, self.is_tls = name, name.endswith("-tls")
        self.is_h2 = name.startswith("h2")
        self.scheme = "https" if self.is_tls else "http"
        self.port = tls_port if self.is_tls else plain_port
        self.way = (Http2 if self.is_h2 else Http1)(self.port, self.is_tls)
        self.request, self.close = self.way.request, self.way.close


# ---- cases of HTTP/1.1, said in HTTP/2

# What RFC 9113 section 8.2.2 forbids there.
CONNECTION_FIELDS = {"connection", "keep-alive", "proxy-connection",
                     "transfer-encoding", "upgrade"}


class Inexpressible(Exception):
    """There is no way to say this in HTTP/2."""


def translate(data):
    """(method, target, authority, fields, body, trailers) of the request that
    DATA is in HTTP/1.1."""
    head, end, rest = data.partition(b"\r\n\r\n")
    line, *lines = head.decode("latin-1").split("\r\n")
    m = re.fullmatch(r"(\S+) (\S+) HTTP/1\.1", line)
    if not end or not m:
        raise Inexpressible("the request line")
    pairs = []
    for text in lines:
        f = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*",
                         text, re.S)
        if not f:
            raise Inexpressible("the syntax of a field line")
        pairs.append((f[1].lower(), f[2]))
    body, trailers, pairs = read_body(pairs, rest)
    hosts = [v for k, v in pairs if k == "host"]
    if len(hosts) > 1:
        raise Inexpressible("more than one Host")
    target, authority = m[2], hosts[0] if hosts else None
    absolute = re.fullmatch(r"https?://([^/?#]*)(.*)", target, re.I)
    if absolute:
        raise Inexpressible("the absolute form")
    if m[1] == "CONNECT":
        raise Inexpressible("CONNECT has no path there")
    return (m[1], target, authority,
            [(k, v) for k, v in pairs if k != "host"], body, trailers)


def read_body(pairs, rest):
    names = [k for k, _ in pairs]
    lengths = [v for k, v in pairs if k == "content-length"]
    codings = [v for k, v in pairs if k == "transfer-encoding"]
    if len(lengths) + len(codings) > 1:
        raise Inexpressible("two framings")
    if codings:
        if codings[0].lower() != "chunked":
            raise Inexpressible("a transfer coding")
        body, trailers = read_chunks(rest)
        return body, trailers, [p for p in pairs
                                if p[0] != "transfer-encoding"]
    if "content-length" in names:
        if not re.fullmatch(r"\d{1,9}", lengths[0]):
            raise Inexpressible("a length that is none")
        if len(rest) != int(lengths[0]):
            raise Inexpressible("where a message ends")
        return rest, [], pairs
    if rest:
        raise Inexpressible("where a message ends")
    return None, [], pairs


def read_chunks(rest):
    body = b""
    while True:
        m = re.match(rb"([0-9a-fA-F]{1,8})\r\n", rest)
        if not m:
            raise Inexpressible("the syntax of a chunk")
        n, rest = int(m[1], 16), rest[m.end():]
        if n == 0:
            break
        if rest[n:n + 2] != b"\r\n":
            raise Inexpressible("the syntax of a chunk")
        body, rest = body + rest[:n], rest[n + 2:]
    if not rest.endswith(b"\r\n") or (rest != b"\r\n" and
                                      not rest.endswith(b"\r\n\r\n")):
        raise Inexpressible("where a message ends")
    trailers = []
    for line in rest.decode("latin-1").split("\r\n")[:-2]:
        f = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*",
                         line)
        if not f:
            raise Inexpressible("the syntax of a trailer")
        trailers.append((f[1], f[2]))
    return body, trailers
