"""Fuzzes the running daemon over sockets: requests that are well formed, bent
and known to smuggle, cut anywhere, pipelined, half closed, reset, read slowly,
with and without TLS, towards every handler. The seed is fixed; for more of it:

    WEIR_FUZZ_ROUNDS=20000 WEIR_FUZZ_SEED=7 pytest tests/system/test_hostile_fuzz.py
"""

import os
import pathlib
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time

from conftest import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from strictbackend import StrictBackend  # noqa: E402

ROUNDS = int(os.environ.get("WEIR_FUZZ_ROUNDS", "400"))
SEED = int(os.environ.get("WEIR_FUZZ_SEED", "1"))
THREADS = 8

SITE = """
    error_log: {to: stderr, level: notice}
    http: {header_timeout: 300ms, keepalive_timeout: 150ms,
           body_timeout: 300ms, send_timeout: 1s, lingering_timeout: 200ms,
           max_body_size: 1m}
    upstreams:
      strict: {servers: ["127.0.0.1:{port3}"], keepalive: {connections: 8}}
      inner: {servers: ["127.0.0.1:{port4}"]}
    sites:
      - listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port2}"}
        tls: {self_signed: on}
        routes:
          - path: /strict*
            proxy: {to: strict, read_timeout: 1s, send_timeout: 1s}
          - path: /inner*
            proxy: {to: inner, read_timeout: 1s}
          - path: /redirect
            redirect: https://$host$request_uri
          - path: /files/*
            files: {root: {dir}/www}
          - respond: {body: "hello\\n"}
      - listen: "127.0.0.1:{port4}"
        routes:
          - path: /inner/files/*
            files: {root: {dir}/www}
          - respond: {body: "inner\\n"}
"""

PATHS = ["/strict", "/strict/x", "/inner", "/inner/files/a", "/redirect",
         "/files/a.txt", "/files/", "/files/big", "/x"]
METHODS = ["GET", "GET", "GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE",
           "FOO"]
FIELDS = [b"Connection: X-Hop", b"X-Hop: 1", b"Connection: keep-alive",
          b"TE: trailers", b"X-Long: " + b"z" * 3000, b"Range: bytes=0-3",
          b"Expect: 100-continue", b"Upgrade: websocket",
          b"Connection: upgrade", b"If-None-Match: *", b"Keep-Alive: 5"]

EVIL = b"GET /strict/evil HTTP/1.1\r\nHost: evil\r\n\r\n"
CODINGS = [b"chunked", b"\tchunked", b"chunked,", b",chunked", b"xchunked",
           b"identity, chunked", b"chunked, identity", b"CHUNKED",
           b"chunked\x0b", b"chunked;q=1", b'"chunked"', b"gzip, chunked",
           b"chunked\r\nTransfer-Encoding: identity"]
FRAMINGS = [b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked",
            b"X: y\nTransfer-Encoding: chunked", b"Content-Length: -1",
            b"X: y\rTransfer-Encoding: chunked", b"Content-Length: 0x10",
            b"Transfer-Encoding:\r\n chunked", b"Content-Length:",
            b"Transfer\0-Encoding: chunked", b"Transfer_Encoding: chunked",
            b"Content-Length: 0\r\nContent-Length: %d" % len(EVIL),
            b"Content-Length: 0, %d" % len(EVIL), b"Content-Length: +5",
            b"Connection: Content-Length\r\nContent-Length: 5",
            b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
            b"Connection: Host", b"Host: b", b"Host: \0b"]
LINES = [b"GET http://a/strict HTTP/1.1\r\nHost: b\r\n\r\n",
         b"GET http://a/strict HTTP/1.1\r\nHost: a\r\n\r\n",
         b"GET /strict HTTP/1.1\nHost: a\n\n", b"GET /strict\r\n\r\n",
         b"GET  /strict HTTP/1.1\r\nHost: a\r\n\r\n",
         b"GET /strict HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
         b"GET /strict\0 HTTP/1.1\r\nHost: a\r\n\r\n",
         b"GET /strict#x HTTP/1.1\r\nHost: a\r\n\r\n",
         b"GET /strict HTTP/1.1\r\nHost: a@b\r\n\r\n",
         b"GET /files/../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n",
         b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
         b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", b"G" * 40000,
         b"GET /strict HTTP/1.1\r\nA: " + b"x" * 61440 + b"\r\n\r\n",
         b"GET /strict HTTP/1.1\r\n" + b"A: b\r\n" * 101 + b"\r\n"]
CHUNKS = [b"0;x\n\r\n\r\n", b"5\r\nhelloX\r\n0\r\n\r\n", b"-1\r\n", b"0x5\r\n",
          b" 5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
          b"5\rhello\r\n0\r\n\r\n", b"00000000000000005\r\nhello\r\n",
          b"0\r\nTransfer-Encoding: chunked\r\n\r\n", b"8000000000000000\r\n",
          b"0\r\nX: y\nZ: 1\r\n\r\n", b'5;a="\r\n', b"0\r\n\r\n"]


def vectors():
    post = b"POST /strict HTTP/1.1\r\nHost: a\r\n"
    for coding in CODINGS:
        te = b"Transfer-Encoding: %s\r\n" % coding
        yield post + b"Content-Length: %d\r\n" % (5 + len(EVIL)) + te + \
            b"\r\n0\r\n\r\n" + EVIL
        yield post + te + b"Content-Length: 4\r\n\r\n" + \
            b"%x\r\n%s\r\n0\r\n\r\n" % (len(EVIL), EVIL)
        yield post + te + b"\r\n0\r\n\r\n" + EVIL
    for framing in FRAMINGS:
        yield post + framing + b"\r\n\r\n" + EVIL
    for chunks in CHUNKS:
        yield post + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + EVIL
    yield from LINES


VECTORS = list(vectors())


def body_of(r, fields):
    data = bytes(r.choice(b"abc0\r\n") for _ in range(50)) * 1400
    data = data[:r.choice([0, 1, 5, 100, 70000])]
    if r.random() < 0.5:
        fields.append(b"Content-Length: %d" % len(data))
        return data
    fields.append(b"Transfer-Encoding: chunked")
    step = max(r.choice([1, 3, 1000, 70000]), len(data) // 500 + 1)
    parts = [data[i:i + step] for i in range(0, len(data), step)]
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts) + b"0\r\n" + \
        r.choice([b"", b"X-Trailer: v\r\n", b"Host: evil\r\n"]) + b"\r\n"


def request_of(r, number):
    method = r.choice(METHODS)
    fields = [b"Host: a.example"] + [f for f in FIELDS if r.random() < 0.12]
    body = b""
    if method in ("POST", "PUT") or r.random() < 0.1:
        body = body_of(r, fields)
    r.shuffle(fields)
    line = "%s %s?id=%d HTTP/1.%d\r\n" % (method, r.choice(PATHS), number,
                                         r.random() < 0.8)
    return line.encode() + b"\r\n".join(fields) + b"\r\n\r\n" + body


def bend(r, data):
    data = bytearray(data)
    for _ in range(r.choice([1, 1, 2, 5])):
        at = r.randrange(min(len(data), 200) + 1)
        how = r.randrange(4)
        if how == 0:
            data[at:at + 1] = bytes([r.choice(b"\0\r\n :;,\t0aZ\x7f\xff")])
        elif how == 1:
            data[at:at] = r.choice([b"\r\n", b"\n", b"\0", b"0\r\n\r\n",
                                    b"Content-Length: 3\r\n", b"Host: q\r\n",
                                    b"Transfer-Encoding: chunked\r\n"])
        elif how == 2:
            del data[at:at + r.choice([1, 2, 10])]
        else:
            del data[r.randrange(len(data) + 1):]
    return bytes(data)


def script_of(r, number):
    parts = []
    for _ in range(r.choice([1, 1, 1, 2, 4, 20])):
        kind = r.random()
        if kind < 0.6:
            parts.append(request_of(r, number))
        elif kind < 0.85:
            parts.append(bend(r, request_of(r, number)))
        else:
            parts.append(r.choice(VECTORS))
    return b"".join(parts)


# ---- one round ------------------------------------------------------------------


def send_in_pieces(r, s, data):
    cuts = sorted(r.randrange(len(data) + 1)
                  for _ in range(r.choice([0, 0, 1, 3, 10])))
    for begin, end in zip([0] + cuts, cuts + [len(data)]):
        s.sendall(data[begin:end])
        if r.random() < 0.2:
            time.sleep(r.choice([0.0005, 0.002, 0.01]))


def play(r, s, data):
    """What came back until the server closed; None if we did not wait."""
    send_in_pieces(r, s, data)
    end = r.choice(["read", "read", "read", "slow", "half", "reset", "close"])
    if end in ("reset", "close"):
        time.sleep(r.choice([0, 0.001, 0.01]))
        if end == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                         struct.pack("ii", 1, 0))
        return None
    if end == "half":
        s.shutdown(socket.SHUT_WR)
    got = b""
    while part := s.recv(1000 if end == "slow" else 65536):
        got += part
    return got


def take_chunks(data):
    """What is behind the chunks; None if they are cut."""
    while m := re.match(rb"([0-9a-f]+)\r\n", data):
        size = int(m[1], 16)
        data = data[m.end():]
        if size == 0:
            return data.partition(b"\r\n")[2]
        assert data[size:size + 2] == b"\r\n"[:max(0, len(data) - size)]
        data = data[size + 2:]
    assert len(data) < 20, "no chunk: %r" % data[:100]
    return None


def check_responses(data):
    """Every byte belongs to a response that a strict client understands."""
    while data:
        head, end, data = data.partition(b"\r\n\r\n")
        if not end:
            return
        line, *lines = head.split(b"\r\n")
        assert re.fullmatch(rb"HTTP/1\.1 \d{3} [ -~]+", line), line
        fields = {}
        for text in lines:
            name, colon, value = text.partition(b": ")
            assert colon and re.fullmatch(rb"[A-Za-z0-9-]+", name), text
            fields.setdefault(name.lower(), []).append(value)
        length = fields.get(b"content-length", [])
        coding = fields.get(b"transfer-encoding", [])
        assert len(length) + len(coding) <= 1, head
        if line[9:12] in (b"204", b"304") or line[9:10] == b"1":
            continue
        if coding:
            data = take_chunks(data)
        elif length:
            data = data[int(length[0]):]
        else:
            return


def run_round(w, r, number, context):
    data = script_of(r, number)
    is_tls = r.random() < 0.2
    s = w.connect("port2" if is_tls else "port", timeout=10)
    got = None
    try:
        if is_tls and r.random() < 0.1:
            s.sendall(data)  # this is not TLS
            return
        if is_tls:
            s = context.wrap_socket(s)
        got = play(r, s, data)
    except (ConnectionError, ssl.SSLError):
        pass
    finally:
        s.close()
    # After HEAD a length is not followed by content.
    if got and b"HEAD" not in data:
        check_responses(got)


# ---- all ------------------------------------------------------------------------


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def probe(w):
    assert w.get("/x", timeout=8).text == "hello\n"
    assert w.get("/files/a.txt", timeout=8).text == "A\n"


def run_rounds(w, thread, failures):
    r = random.Random(SEED * 1000 + thread)
    context = ssl._create_unverified_context()
    for i in range(ROUNDS // THREADS):
        try:
            run_round(w, r, thread * 1_000_000 + i, context)
            if i % 20 == 0:
                probe(w)
        except Exception as e:
            failures.append((SEED, thread, i, repr(e)))
            return


def test_nothing_gets_through(weir):
    w = weir(SITE, start=False)
    files = w.dir / "www" / "files"
    files.mkdir(parents=True)
    (files / "a.txt").write_text("A\n")
    (files / "big").write_bytes(os.urandom(400_000))
    with StrictBackend(w.port_of("port3")) as backend:
        w.start()
        workers = w.children()
        probe(w)
        before = descriptors(workers[0])

        failures = []
        threads = [threading.Thread(target=run_rounds, args=(w, i, failures))
                   for i in range(THREADS)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert failures == []
        assert backend.complaints == []
        assert backend.requests > ROUNDS // 20
        assert w.children() == workers
        probe(w)
        # Idle connections to upstreams and open files may stay.
        wait_until(lambda: descriptors(workers[0]) <= before + 12)
