"""Clients that mean harm: stalling, flooding, hanging up. Whatever they do, the
daemon gets rid of them in time and everybody else is served meanwhile."""

import os
import pathlib
import re
import resource
import sys
import threading
import time

import pytest

from conftest import SLOW, recv_all, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

SITE = """
    error_log: {to: stderr, level: info}
    access_log: {to: {dir}/access.log, format: '$status $reason "$request"', buffer: 0}
    http: {header_timeout: 1s, keepalive_timeout: 3s, body_timeout: 1s,
           send_timeout: 1s, lingering_timeout: 1s}
    upstreams:
      raw: {servers: ["127.0.0.1:{port2}"]}
    sites:
      - listen: "127.0.0.1:{port}"
        routes:
          - path: /raw*
            proxy: raw
          - respond: {body: "hello\\n"}
"""

CHUNKED = b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def w(weir):
    return weir(SITE)


def raw(w, script):
    return RawBackend(script, port=w.port_of("port2"))


# ---- bodies that do not come ------------------------------------------------


@pytest.mark.parametrize("sent", [b"", b"12345"], ids=["nothing", "a part"])
def test_upload_that_stalls_is_given_up(w, sent):
    with raw(w, [Reply(ok())]):
        begin = time.monotonic()
        with w.connect(timeout=10 * SLOW) as s:
            s.sendall(b"POST /raw HTTP/1.1\r\nHost: a\r\n"
                      b"Content-Length: 10\r\n\r\n" + sent)
            assert recv_all(s).startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - begin < 4 * SLOW
        assert "408 body_timeout" in w.access_log()


# ---- readers that do not read -----------------------------------------------


def test_bytes_of_a_client_that_does_not_read_gain_it_no_time(w):
    with raw(w, [Reply(ok(b"x" * 30_000_000))]):
        with w.connect(timeout=10 * SLOW) as s:
            s.sendall(b"GET /raw HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises(ConnectionError):
                for _ in range(10 * SLOW):
                    time.sleep(0.4)
                    s.sendall(b"G")
        assert "200 send_timeout" in w.access_log()


# ---- bodies that nobody asked for -------------------------------------------


@pytest.mark.parametrize("body", [
    b"8000\r\n" + b"x" * 32768 + b"\r\n",
    b"nonsense\r\n" * 20000,
], ids=["long", "malformed"])
def test_response_survives_a_body_that_nobody_reads(w, body):
    with w.connect() as s:
        try:
            s.sendall(b"POST / HTTP/1.1\r\n" + CHUNKED + body * 20)
        except ConnectionError:
            pass
        time.sleep(0.1)
        assert recv_all(s).endswith(b"\r\n\r\nhello\n")


def test_chunks_of_one_byte_leave_together(w):
    data = bytes(i * 7 % 251 for i in range(50_000))
    with raw(w, [Reply(ok())]) as b, w.connect() as s:
        s.sendall(b"POST /raw HTTP/1.1\r\nConnection: close\r\n" + CHUNKED +
                  b"".join(b"1\r\n%c\r\n" % c for c in data) + b"0\r\n\r\n")
        assert recv_all(s).endswith(b"\r\n\r\nok")
        assert b.requests[0].body == data
        assert len(b.received[0]) < len(data) + 5_000


# ---- framing ----------------------------------------------------------------


@pytest.mark.parametrize("chunks", [b"", b"5\r\nhello\r\n", b"1\r\nx\r\n" * 5000],
                         ids=["empty", "one", "many"])
def test_chunked_body_that_comes_with_its_head_is_framed_once(w, chunks):
    with raw(w, [Reply(ok())]) as b:
        with w.connect() as s:
            s.sendall(b"POST /raw HTTP/1.1\r\n" + CHUNKED + chunks +
                      b"0\r\nX-Trailer: 1\r\n\r\n"
                      b"GET /raw/next HTTP/1.1\r\nHost: a\r\n"
                      b"Connection: close\r\n\r\n")
            assert recv_all(s).count(b"HTTP/1.1 200 OK") == 2
        post, get = b.requests
        assert post.field("content-length") is None
        assert post.field("transfer-encoding") == b"chunked"
        assert get.line == b"GET /raw/next HTTP/1.1"
        assert len(post.body) == chunks.count(b"x") or post.body == b"hello"


# ---- tunnels ----------------------------------------------------------------

SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
          b"Connection: upgrade\r\n\r\n")


def test_silent_tunnel_outlives_body_timeout(w):
    with raw(w, [Reply([SWITCH + b"one", 2.5, b"two"], when="head")]):
        with w.connect() as s:
            s.sendall(b"GET /raw HTTP/1.1\r\nHost: a\r\n"
                      b"Upgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            got = b""
            while not got.endswith(b"two"):
                part = s.recv(4096)
                assert part, got
                got += part


# ---- crowds -----------------------------------------------------------------

HELLO = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
    user, system = fields.split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def says_hello(s):
    s.sendall(HELLO)
    return s.recv(4096).endswith(b"hello\n")


def test_descriptors_run_out_and_come_back(weir):
    w = weir(SITE.replace("keepalive_timeout: 3s", "keepalive_timeout: 60s"))
    worker = w.children()[0]
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (64, 64))
    with w.connect() as old:
        assert says_hello(old)
        crowd = [w.connect() for _ in range(200)]
        for s in crowd:
            s.sendall(HELLO)
        w.wait_log("cannot accept: too many open files")
        begin = cpu_seconds(worker)
        time.sleep(1)
        assert cpu_seconds(worker) - begin < 0.5, "it spins"
        assert says_hello(old)
        for s in crowd:
            s.close()
        wait_until(lambda: w.get("/hello").status == 200)
        assert says_hello(old)


def test_ten_thousand_requests_in_one_write(w):
    with w.connect() as s:
        writer = threading.Thread(target=s.sendall, args=(HELLO * 9_999,))
        writer.start()
        count, tail = 0, b""
        while count < 9_999:
            part = s.recv(65536)
            assert part, count
            count += (tail + part).count(b"\r\n\r\nhello\n")
            tail = (tail + part)[-9:]
        writer.join()


def test_readers_that_do_not_read_cost_no_memory(w):
    def resident():
        status = pathlib.Path(f"/proc/{w.children()[0]}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1])

    with raw(w, [Reply(ok(b"x" * 30_000_000))]):
        says_hello(w.connect())
        before = resident()
        crowd = [w.connect() for _ in range(10)]
        for s in crowd:
            s.sendall(b"GET /raw HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.7)
        assert resident() - before < 16_384
        for s in crowd:
            s.close()
