"""One request on a connection that is kept, and its whole answer, as plainly as
it can be said: nothing that a library might do beside it is to be measured.
"""

import struct

DATA, HEADERS, SETTINGS, GOAWAY = 0, 1, 4, 7
ACK = END_STREAM = 1
END_HEADERS = 4
GET, HTTPS, OK = b"\x82", b"\x87", 0x88  # RFC 7541 appendix A
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def read(s):
    data = s.recv(65536)
    if not data:
        raise ValueError("closed without an answer")
    return data


def check(status, got, length):
    if status != "200" or got != length or length < 1024:
        raise ValueError(f"status {status}, {got} of {length} bytes")


def http1(s, path):
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    data = b""
    while b"\r\n\r\n" not in data:
        data += read(s)
    head, _, body = data.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1)
                  for line in head.split(b"\r\n")[1:])
    length = int(fields[b"content-length"])
    got = len(body)
    while got < length:
        got += len(read(s))
    check(head.split()[1].decode(), got, length)


def frame(kind, flags=0, stream=0, payload=b""):
    return (struct.pack(">I", len(payload))[1:] +
            struct.pack(">BBI", kind, flags, stream) + payload)


def frames(s):
    data = b""
    while True:
        while len(data) < 9 or len(data) < 9 + int.from_bytes(data[:3], "big"):
            data += read(s)
        n = 9 + int.from_bytes(data[:3], "big")
        yield data[3], data[4], data[9:n]
        data = data[n:]


def literal(start, text):
    return bytes([start, len(text)]) + text.encode()


def status_of(block):
    """Whatever is not 200 is told by its first byte."""
    while block[0] & 0xe0 == 0x20:  # the size of the table
        block = block[1:]
    return "200" if block[0] == OK else f"by HPACK {block[:4].hex()}"


def http2(s, path):
    """The first of a connection. As every client does, it puts what it will
    say again into the table."""
    s.sendall(PREFACE + frame(SETTINGS) + frame(
        HEADERS, END_HEADERS | END_STREAM, 1,
        GET + HTTPS + literal(0x40 | 1, "localhost") + literal(4, path) +
        literal(0x40 | 58, "weir-bench/1.0")))  # user-agent
    status, got = None, 0
    for kind, flags, payload in frames(s):
        if kind == SETTINGS and not flags & ACK:
            s.sendall(frame(SETTINGS, ACK))
        elif kind == HEADERS:
            status = status_of(payload)
        elif kind == DATA:
            got += len(payload)
        elif kind == GOAWAY:
            raise ValueError("GOAWAY")
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            break
    check(status, got, got)
