"""Responses encoded and decoded on their way: which, how, and what it costs."""

import gzip
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from conftest import recv_all

TEXT = ("".join("line %d of a text that has much in common\n" % i
                for i in range(40000))).encode()
BINARY = os.urandom(200000)

SITE = """
    workers: 1
    compress: {encodings: [zstd, br, gzip], min_length: 200}
    admin: 127.0.0.1:{port2}
    sites:
      - listen: {port}
        compress: on
        response_headers: {set: {X-Site: "1"}}
        routes:
          - path: /plain/*
            compress: off
            files: {root: {dir}/www}
          - path: /tight/*
            compress: {max_memory: 1}
            files: {root: {dir}/www}
          - path: /hard/*
            compress: {levels: {gzip: 9, br: 6, zstd: 6}}
            files: {root: {dir}/www}
          - path: /up/*
            proxy: http://127.0.0.1:{port1}
          - path: /decoded/*
            decompress: on
            compress: off
            proxy: http://127.0.0.1:{port1}
          - files: {root: {dir}/www}
"""


def decode(coding, data):
    if coding is None:
        return data
    if coding == "gzip":
        return gzip.decompress(data)
    tool = {"br": "brotli", "zstd": "zstd"}[coding]
    return subprocess.run([tool, "-dc"], input=data, check=True,
                          stdout=subprocess.PIPE).stdout


class Upstream(threading.Thread):
    """Answers each path with the bytes it was given, in pieces."""

    def __init__(self, port, answers):
        super().__init__(daemon=True)
        self.s = socket.create_server(("127.0.0.1", port))
        self.answers = answers
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.s.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,),
                             daemon=True).start()

    def serve(self, c):
        with c:
            head = b""
            while b"\r\n\r\n" not in head:
                part = c.recv(65536)
                if not part:
                    return
                head += part
            path = head.split()[1].decode()
            for piece in self.answers[path]:
                if isinstance(piece, threading.Event):
                    piece.wait(20)
                else:
                    c.sendall(piece)


def head(*fields, length=None):
    lines = ["HTTP/1.1 200 OK", "Connection: close", *fields]
    if length is not None:
        lines.append("Content-Length: %d" % length)
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.fixture
def w(weir):
    w = weir(SITE, start=False)
    for at in "", "plain", "tight", "hard":
        www = w.dir / "www" / at
        www.mkdir(exist_ok=True, parents=True)
        (www / "text.txt").write_bytes(TEXT)
    (www.parent / "short.txt").write_bytes(b"x" * 199)
    (www.parent / "image.png").write_bytes(BINARY)
    (www.parent / "shape.svg").write_bytes(b"<svg>" + TEXT)
    return w.start()


def wanted(coding):
    return {} if coding is None else {"Accept-Encoding": coding}


# ---- files


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("at", ["", "hard/"])
def test_text_is_encoded_as_the_client_asks(w, coding, at):
    r = w.get("/%stext.txt" % at, wanted(coding))
    assert r.status == 200 and r.headers["Content-Encoding"] == coding
    assert r.headers["Vary"] == "Accept-Encoding"
    assert r.headers["ETag"].startswith('W/"')
    assert r.headers["Content-Length"] is None
    assert r.headers["Accept-Ranges"] is None
    assert r.headers["X-Site"] == "1"
    assert len(r.body) < len(TEXT) / 4
    assert decode(coding, r.body) == TEXT


def test_who_asks_for_nothing_gets_the_file_and_is_told_that_it_varies(w):
    r = w.get("/text.txt")
    assert r.body == TEXT and r.headers["Content-Encoding"] is None
    assert r.headers["Vary"] == "Accept-Encoding"
    assert not r.headers["ETag"].startswith("W/")


@pytest.mark.parametrize("path", [
    "/short.txt", "/image.png", "/plain/text.txt", "/tight/text.txt"])
def test_what_is_left_as_it_is(w, path):
    r = w.get(path, wanted("gzip, br, zstd"))
    assert r.status == 200 and r.headers["Content-Encoding"] is None
    assert int(r.headers["Content-Length"]) == len(r.body)
    assert (r.headers["Vary"] is None) == ("tight" not in path)


def test_memory_that_is_not_there_is_counted(w):
    w.get("/tight/text.txt", wanted("gzip"))
    assert metric(w, "weir_compress_skipped_total") == 1


def test_types_may_have_a_star(w):
    assert w.get("/shape.svg", wanted("gzip")).headers[
        "Content-Encoding"] == "gzip"


def test_head_has_the_fields_of_get(w):
    get = w.get("/text.txt", wanted("br"))
    r = w.request("HEAD", "/text.txt", wanted("br"))
    assert r.body == b""
    for name in "Content-Encoding", "Vary", "ETag", "Content-Length":
        assert r.headers[name] == get.headers[name]


def test_ranges_are_of_the_file(w):
    r = w.get("/text.txt", {"Range": "bytes=0-9", **wanted("gzip")})
    assert r.status == 206 and r.body == TEXT[:10]
    assert r.headers["Content-Encoding"] is None
    assert r.headers["Vary"] == "Accept-Encoding"


def test_a_weak_etag_is_enough_to_revalidate(w):
    etag = w.get("/text.txt", wanted("gzip")).headers["ETag"]
    r = w.get("/text.txt", {"If-None-Match": etag, **wanted("gzip")})
    assert r.status == 304 and r.body == b""
    assert r.headers["Vary"] == "Accept-Encoding"


def test_a_weak_etag_is_no_range_of_what_was_encoded(w):
    etag = w.get("/text.txt", wanted("gzip")).headers["ETag"]
    r = w.get("/text.txt", {"Range": "bytes=5-", "If-Range": etag,
                            **wanted("gzip")})
    assert r.status == 200 and decode("gzip", r.body) == TEXT


# ---- upstreams


def test_a_stream_comes_as_it_is_sent(w):
    gate = threading.Event()
    Upstream(w.port_of("port1"), {"/up/events": [
        head("Content-Type: text/event-stream"), b"data: one\n\n", gate,
        b"data: two\n\n"]})
    with w.connect() as s:
        s.sendall(b"GET /up/events HTTP/1.1\r\nHost: x\r\n"
                  b"Accept-Encoding: gzip\r\nConnection: close\r\n\r\n")
        unzip = __import__("zlib").decompressobj(31)
        got, seen = b"", b""
        while b"one\n\n" not in seen:
            part = s.recv(65536)
            assert part, got
            got += part
            body = got.partition(b"\r\n\r\n")[2]
            seen = __import__("zlib").decompressobj(31).decompress(
                dechunk(body))
        assert not gate.is_set()
        gate.set()
        got += recv_all(s)
    body = dechunk(got.partition(b"\r\n\r\n")[2])
    assert unzip.decompress(body) == b"data: one\n\ndata: two\n\n"


def dechunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size, 16)
        if n == 0:
            break
        out += data[:n]
        data = data[n + 2:]
    return out


@pytest.mark.parametrize("fields", [
    ["Content-Type: text/plain", "Cache-Control: private, no-transform"],
    ["Content-Type: text/plain", "Content-Encoding: compress"],
    ["Content-Type: application/zip"],
    []])
def test_upstreams_have_the_last_word(w, fields):
    Upstream(w.port_of("port1"), {"/up/x": [head(*fields, length=len(TEXT)),
                                         TEXT]})
    r = w.get("/up/x", wanted("gzip"))
    assert r.body == TEXT and r.headers["Content-Encoding"] != "gzip"


def test_a_cut_response_is_not_made_whole(w):
    Upstream(w.port_of("port1"), {"/up/cut": [
        head("Content-Type: text/plain", length=len(TEXT)), TEXT[:70000]]})
    got = w.raw(b"GET /up/cut HTTP/1.1\r\nHost: x\r\n"
                b"Accept-Encoding: gzip\r\n\r\n")
    assert b"Content-Encoding: gzip" in got
    assert not got.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
def test_decompress_is_for_those_who_cannot(w, coding):
    data = TEXT * 3
    tool = {"gzip": "gzip", "br": "brotli", "zstd": "zstd"}[coding]
    coded = subprocess.run([tool, "-c"], input=data, check=True,
                           stdout=subprocess.PIPE).stdout
    Upstream(w.port_of("port1"), {"/decoded/x": [
        head("Content-Type: text/plain", "Content-Encoding: " + coding,
             'ETag: "a"', length=len(coded)), coded]})
    plain = w.get("/decoded/x")
    assert plain.body == data
    assert plain.headers["Content-Encoding"] is None
    assert plain.headers["Vary"] == "Accept-Encoding"
    assert plain.headers["ETag"] == 'W/"a"'
    same = w.get("/decoded/x", wanted(coding))
    assert same.body == coded and same.headers["ETag"] == '"a"'


def test_no_transform_is_not_decoded(w):
    coded = gzip.compress(TEXT)
    Upstream(w.port_of("port1"), {"/decoded/x": [
        head("Content-Type: text/plain", "Content-Encoding: gzip",
             "Cache-Control: no-transform", length=len(coded)), coded]})
    assert w.get("/decoded/x").body == coded


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(TEXT)[:900]])
def test_what_is_not_in_its_encoding_is_cut(w, body):
    Upstream(w.port_of("port1"), {"/decoded/bad": [
        head("Content-Type: text/plain", "Content-Encoding: gzip",
             length=len(body)), body]})
    got = w.raw(b"GET /decoded/bad HTTP/1.1\r\nHost: x\r\n\r\n")
    assert not got.endswith(b"0\r\n\r\n")
    assert metric(w, "weir_decompress_failures_total") == 1


def test_a_bomb_costs_what_is_taken_of_it(w):
    bomb = gzip.compress(b"\0" * (256 << 20), 9)
    Upstream(w.port_of("port1"), {"/decoded/bomb": [
        head("Content-Type: text/plain", "Content-Encoding: gzip",
             length=len(bomb)), bomb]})
    worker = w.children()[0]
    before = memory(worker)
    with w.connect() as s:
        s.sendall(b"GET /decoded/bomb HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)
        assert memory(worker) - before < 16 << 20
        assert w.get("/short.txt").status == 200


# ---- costs


def test_others_do_not_wait_for_encoders(w):
    """Eight clients take what is encoded as hard as it may be."""
    stop = threading.Event()

    def take():
        while not stop.is_set():
            w.get("/hard/text.txt", wanted("br"))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for t in threads:
        t.start()
    waits = []
    try:
        for _ in range(100):
            began = time.monotonic()
            assert w.get("/short.txt").status == 200
            waits.append(time.monotonic() - began)
    finally:
        stop.set()
        for t in threads:
            t.join()
    assert sorted(waits)[50] < 0.2, sorted(waits)[50]
    assert metric(w, "weir_compress_pauses_total") > 0
    assert metric(w, "weir_compress_memory_bytes") == 0


def metric(w, name):
    text = w.get("/metrics", port="port2").body.decode()
    return sum(float(v) for v in re.findall(
        r"^%s(?:\{[^}]*\})? (\S+)$" % name, text, re.M))


def memory(pid):
    with open("/proc/%d/statm" % pid) as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")
