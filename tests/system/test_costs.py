"""What things may cost: memory, system calls, time to read a large
configuration. Figures hold for a plain build; where a sanitizer changes what
is measured, the test says so."""

import os
import pathlib
import re
import resource
import socket
import subprocess
import threading

import pytest

from conftest import SANITIZED, SLOW
from load import Connection

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

plain_only = pytest.mark.skipif(
    SANITIZED, reason="a sanitizer's memory and calls are not the daemon's")

SITE = """
    workers: 1
    sites:
      - listen: {port}
        routes:
          - {path: /worker, respond: {body: "$pid"}}
          - {path: /up/*, proxy: {to: "http://127.0.0.1:{port1}", %s}}
          - {path: /file, files: {root: {dir}/www}}
          - {respond: {body: "here\\n"}}
"""


def start(weir, proxy="read_timeout: 60s", site=SITE):
    w = weir(site % proxy, start=False)
    (w.dir / "www").mkdir()
    (w.dir / "www" / "file").write_bytes(b"f" * 1024)
    return w.start()


def worker_of(w):
    return int(w.get("/worker").text)


# ---- memory


def pss_kib(pid):
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return int(re.search(r"^Pss: +(\d+) kB", text, re.M)[1])


def private_kib(pid):
    text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
    return sum(int(n) for n in
               re.findall(r"^Private_(?:Clean|Dirty): +(\d+) kB", text, re.M))


@plain_only
def test_idle_connection_costs_half_a_kibibyte(weir):
    count = 2000
    w = start(weir)
    worker = worker_of(w)
    for c in [Connection(w) for _ in range(50)]:  # what is there for all
        c.ask("/file")
        c.close()
    before = private_kib(worker)
    kept = [Connection(w) for _ in range(count)]
    for c in kept:
        c.ask("/file")
    cost = (private_kib(worker) - before) / count
    for c in kept:
        c.close()
    print("KiB per idle connection: %.3f" % cost)
    assert cost <= 0.45


def peak_kib(pid):
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1])


class Growth:
    """How far a process's resident memory rises above where it was."""

    def __init__(self, pid):
        self.pid = pid
        pathlib.Path("/proc/%d/clear_refs" % pid).write_text("5")
        self.before = peak_kib(pid)

    def kib(self):
        return peak_kib(self.pid) - self.before


class Peer:
    """An upstream that swallows what it is sent, or sends as much as it is
    asked for: GET /up/SIZE. One connection at a time."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port))
        self.received = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.listener.close()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with s:
                self.talk(s)

    def talk(self, s):
        head = b""
        while b"\r\n\r\n" not in head:
            head += s.recv(65536)
        head, _, body = head.partition(b"\r\n\r\n")
        if head.startswith(b"GET"):
            send_zeros(s, int(head.split()[1].rpartition(b"/")[2]),
                       b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
                       b"Connection: close\r\n\r\n")
            return
        self.received = len(body)
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        self.received += count_bytes(s, length - len(body))
        s.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")


def send_zeros(s, n, head):
    block = memoryview(bytes(MIB))
    s.sendall(head % n)
    while n > 0:
        n -= s.send(block[:min(n, MIB)])


def count_bytes(s, most):
    block = bytearray(MIB)
    n = 0
    while n < most:
        got = s.recv_into(block, min(MIB, most - n))
        if got == 0:
            break
        n += got
    return n


@pytest.mark.parametrize("way", ["download", "upload"])
def test_large_body_passes_in_bounded_memory(weir, way):
    size = int(os.environ.get("WEIR_TEST_BODY", GIB >> (2 if SANITIZED else 0)))
    w = start(weir, "read_timeout: 60s", SITE.replace(
        "        routes", "        http: {max_body_size: 0}\n        routes"))
    worker = worker_of(w)
    with Peer(w.port_of("port1")) as peer, w.connect(timeout=60 * SLOW) as s:
        growth = Growth(worker)
        if way == "download":
            s.sendall(b"GET /up/%d HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n" % size)
            head = b""
            while b"\r\n\r\n" not in head:
                head += s.recv(64)
            body = len(head.partition(b"\r\n\r\n")[2])
            assert body + count_bytes(s, size) == size
        else:
            send_zeros(s, size, b"POST /up/ HTTP/1.1\r\nHost: x\r\n"
                       b"Connection: close\r\nContent-Length: %d\r\n\r\n")
            assert s.recv(64).startswith(b"HTTP/1.1 204")
            assert peer.received == size
        print("%s: %d KiB more at the most" % (way, growth.kib()))
        if not SANITIZED:
            assert growth.kib() <= 1024


# ---- system calls


class Trace:
    """Counts a worker's system calls while it is entered."""

    def __init__(self, pid, out):
        self.out = out
        self.process = subprocess.Popen(
            ["strace", "-c", "-f", "-p", str(pid), "-o", str(out)],
            stderr=subprocess.PIPE, text=True)
        assert "attached" in self.process.stderr.readline()

    def end(self):
        """Calls by name."""
        self.process.terminate()
        self.process.communicate(timeout=20 * SLOW)
        rows = [line.split() for line in self.out.read_text().splitlines()]
        return {r[-1]: int(r[3]) for r in rows
                if len(r) in (5, 6) and r[3].isdigit() and r[-1] != "total"}


class Answers(threading.Thread):
    """An upstream on a kept connection that answers 1 KiB to everything."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start()

    def run(self):
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n" + \
            bytes(1024)
        while True:
            s, _ = self.listener.accept()
            while s.recv(65536):
                s.sendall(answer)


@plain_only
@pytest.mark.parametrize("path, most", [
    ("/", 3), ("/file", 3), ("/up/", 6)])
def test_system_calls_of_a_request(weir, tmp_path, path, most):
    count = 2000
    w = start(weir)
    Answers(w.port_of("port1"))
    worker = worker_of(w)
    c = Connection(w)
    for _ in range(20):
        c.ask(path)
    trace = Trace(worker, tmp_path / "calls")
    for _ in range(count):
        c.ask(path)
    calls = trace.end()
    print(path, {n: round(k / count, 2) for n, k in calls.items()})
    # Some belong to no request: the beat, a reply in two reads.
    assert count <= sum(calls.values()) <= most * count * 1.1


# ---- large configurations


def large(names):
    """NAMES sites by name and as many routes of one site."""
    lines = ["workers: 1", "sites:"]
    for i in range(names):
        lines.append("  - {hosts: [h%d.example], listen: {port}, "
                     "routes: [{respond: {body: h%d}}]}" % (i, i))
    lines += ["  - hosts: [routes.example]", "    listen: {port}",
              "    routes:"]
    for i in range(names):
        lines.append("      - {path: /p%d/*, respond: {body: p%d}}" % (i, i))
    lines.append("      - {respond: 404}")
    return "\n".join(lines) + "\n"


def test_ten_thousand_hosts_and_routes(weir):
    w = weir(large(10000), start=False)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    r = w.command("-t")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print("-t: %.2f s" % cpu)
    assert r.returncode == 0, r.stderr[-2000:]
    assert cpu < 1 * (10 if SANITIZED else 1)
    w.start()
    for name in "h0", "h9999":
        assert w.get("/", {"Host": name + ".example"}).text == name
    for path in "p0", "p9999":
        assert w.get("/%s/x" % path, {"Host": "routes.example"}).text == path
    print("PSS: %d KiB" % sum(pss_kib(p) for p in [w.pid] + w.children()))
    assert SANITIZED or sum(pss_kib(p) for p in [w.pid] + w.children()) < \
        72 * KIB
