"""What one client, and all clients of a worker, may hold at once: connections
and memory; what those hear who come too late; that it ends by itself."""

import contextlib
import os
import pathlib
import re
import resource
import socket
import textwrap
import threading
import time

import pytest

import conftest
from conftest import SANITIZED, SLOW, WEIR, recv_all, wait_until
from load import Connection

TOP = """
    workers: %d
    admin: 127.0.0.1:{port9}
    error_log: {to: stderr, level: info}
"""
HELLO = "routes: [{respond: {body: hello}}]"
HALF = b"GET / HTTP/1.1\r\nHost: a\r\nX: "  # of a head: a page waits for more


def start(weir, text, workers=1, **kw):
    return weir(textwrap.dedent(TOP % workers) + textwrap.dedent(text), **kw)


def metric(w, name, labels=""):
    text = w.get("/metrics", port="port9").text
    found = re.search(r"^%s%s (\d+)$" % (name, re.escape(labels)), text, re.M)
    return int(found.group(1)) if found else None


def refused(w, word):
    return metric(w, "weir_http_refused_total", '{reason="%s"}' % word)


def closed(w, word):
    return metric(w, "weir_connections_closed_total", '{reason="%s"}' % word)


def come(w, source="127.0.0.1", port="port"):
    return socket.create_connection(("127.0.0.1", w.port_of(port)), 10 * SLOW,
                                    (source, 0))


def ask(s, head=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"):
    """The status; 0: it was closed without a word."""
    try:
        s.sendall(head)
        got = s.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        return 0
    return int(got.split(b" ", 2)[1]) if got else 0


@contextlib.contextmanager
def all_closed(sockets):
    with contextlib.ExitStack() as stack:
        for s in sockets:
            stack.enter_context(s)
        yield sockets


# ---- connections of a client -------------------------------------------------

def test_connections_of_a_client(weir):
    w = start(weir, """
        http: {max_connections_per_client: 3}
        sites: [{listen: {port}, %s}]
    """ % HELLO)
    with all_closed([come(w) for _ in range(3)]) as mine:
        assert [ask(s) for s in mine] == [200] * 3
        with come(w) as late:
            assert recv_all(late) == (
                b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n"
                b"Retry-After: 5\r\nConnection: close\r\n\r\n")
        with come(w, "127.0.0.2") as other:
            assert ask(other) == 200
        assert [ask(s) for s in mine] == [200] * 3
        assert refused(w, "client_connections") == 1
        assert closed(w, "client_limit") == 1
        w.wait_log("the client has max_connections_per_client connections "
                   "already: connection of 127.0.0.1 refused "
                   "(client_connections)")
        mine[0].close()
        mine[0] = wait_until(lambda: next(
            (s for s in [come(w)] if ask(s) == 200), None))
        assert ask(mine[0]) == 200


def test_connections_of_a_client_are_exact_where_workers_are_steered(weir):
    w = start(weir, """
        http: {max_connections_per_client: 4}
        listeners: {"127.0.0.1:{port}": {steer: client}}
        sites: [{listen: "127.0.0.1:{port}", %s}]
    """ % HELLO, workers=2)
    for source in "127.0.0.1", "127.0.0.2", "127.0.0.3":
        with all_closed([come(w, source) for _ in range(12)]) as mine:
            answers = [ask(s) for s in mine]
            assert answers[:4] == [200] * 4
            assert 200 not in answers[4:]


def test_trusted_proxies_are_not_one_client(weir):
    w = start(weir, """
        http: {max_connections_per_client: 1}
        listeners: {{port}: {trusted: [127.0.0.1]}}
        sites: [{listen: {port}, %s}]
    """ % HELLO)
    with all_closed([come(w) for _ in range(5)]) as mine:
        assert [ask(s) for s in mine] == [200] * 5


# ---- memory of a client and of a connection ----------------------------------

def test_memory_of_a_client(weir):
    w = start(weir, """
        http: {max_memory_per_client: 200k, lingering_timeout: 100ms}
        sites: [{listen: {port}, %s}]
    """ % HELLO)
    with all_closed([come(w) for _ in range(20)]) as mine:
        for s in mine:
            s.sendall(HALF)
        # A page each, and 512 bytes.
        wait_until(lambda: refused(w, "client_memory") == 20 - 11)
        with come(w, "127.0.0.2") as other:
            assert ask(other) == 200
    wait_until(lambda: metric(w, "weir_connections") == 0)
    with come(w) as s:
        assert ask(s, HALF + b"y\r\n\r\n") == 200


def test_memory_of_a_connection(weir):
    w = start(weir, """
        http: {max_memory_per_connection: 20k, lingering_timeout: 100ms}
        sites: [{listen: {port}, %s}]
    """ % HELLO)
    with come(w) as s:
        assert ask(s) == 200
        s.sendall(HALF)
        wait_until(lambda: metric(w, "weir_io_pages_leased") == 1)
        assert ask(s, 20000 * b"x") == 503
    assert refused(w, "connection_memory") == 1
    w.wait_log("the connection holds max_memory_per_connection: refused with "
               "503 (connection_memory)")


# ---- connections of a worker -------------------------------------------------

def hang(w):
    """A connection with a request that nobody answers."""
    n = metric(w, "weir_http_requests_in_flight")
    s = come(w)
    s.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: metric(w, "weir_http_requests_in_flight") == n + 1)
    return s


@pytest.fixture
def silent():
    """Listens on what it is given, and says nothing until `speak` is set."""
    kept, speak = [], threading.Event()

    def serve(listener):
        while True:
            try:
                s = listener.accept()[0]
            except OSError:
                return
            kept.append(s)
            threading.Thread(target=answer, args=(s,), daemon=True).start()

    def answer(s):
        with contextlib.suppress(OSError):
            speak.wait(60 * SLOW)
            s.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    def make(port):
        listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        kept.append(listener)
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        return speak

    yield make
    for s in kept:
        s.close()


PROXIED = """
    %s
    sites:
      - listen: {port}
        http: {max_header_size: 48k}
        routes:
          - {path: /wait, proxy: {to: "http://127.0.0.1:{port1}"}}
          - {respond: {body: hello}}
"""


def test_connections_of_a_worker(weir, silent):
    w = start(weir, PROXIED % "max_connections: 8")
    speak = silent(w.port_of("port1"))
    with all_closed([come(w) for _ in range(8)]) as idle:
        assert [ask(s) for s in idle] == [200] * 8
        with all_closed([hang(w) for _ in range(7)]) as held:
            # One place is left, for which the idle and the new ones vie.
            with come(w) as late:
                assert ask(late) == 200
                with come(w) as later:
                    assert ask(later) == 200
                    assert late.recv(1) == b""
                    held.append(hang(w))
                    with come(w) as last:
                        assert ask(last) in (503, 0)
            assert refused(w, "overload") >= 1
            assert closed(w, "overload") >= 8
            w.wait_log("8 connections are all that max_connections allows "
                       "for")
            speak.set()
            assert [int(s.recv(65536).split()[1]) for s in held] == [200] * 8


def limited_files(w, monkeypatch, tmp_path, n):
    """As start, but with N descriptors, soft and hard."""
    script = tmp_path / "few-files"
    script.write_text('#!/bin/sh\nulimit -n %d\nexec "%s" "$@"\n' % (n, WEIR))
    script.chmod(0o755)
    monkeypatch.setattr(conftest, "WEIR", str(script))
    return w.start()


def files_of_a_worker(w):
    limits = pathlib.Path("/proc/%d/limits" % min(w.children())).read_text()
    return int(re.search(r"^Max open files +(\d+)", limits, re.M)[1])


def may_raise_limits():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(re.search(r"^CapEff:\s+(\w+)", status, re.M)[1], 16) >> 24 & 1


@pytest.mark.skipif(not may_raise_limits(), reason="needs CAP_SYS_RESOURCE")
def test_max_connections_raises_the_limit_of_open_files(weir, monkeypatch,
                                                        tmp_path):
    w = start(weir, "max_connections: 500\nsites: [{listen: {port}, %s}]"
              % HELLO, start=False)
    limited_files(w, monkeypatch, tmp_path, 128)
    assert files_of_a_worker(w) == 756
    assert "max_connections: " not in w.log()


def test_max_connections_beyond_what_the_kernel_allows_for(weir, monkeypatch,
                                                           tmp_path):
    most = int(pathlib.Path("/proc/sys/fs/nr_open").read_text())
    if most >= 4000256:
        pytest.skip("fs.nr_open allows for everything")
    w = start(weir, "max_connections: 4000000\nsites: [{listen: {port}, %s}]"
              % HELLO, start=False)
    limited_files(w, monkeypatch, tmp_path, 600)
    w.wait_log("max_connections: 4000000 connections need 4000256 open files "
               "in each worker and the limit is 600: 344 are taken")
    assert w.get().text == "hello"


# ---- memory of a worker ------------------------------------------------------

def worker_pid(w):
    """The one whose memory is looked at: it has statm open."""
    for pid in w.children():
        for fd in pathlib.Path("/proc/%d/fd" % pid).iterdir():
            with contextlib.suppress(OSError):
                if os.readlink(fd).endswith("/statm"):
                    return pid
    raise AssertionError("nobody looks")


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed")
def test_memory_of_a_worker(weir, silent):
    w = start(weir, PROXIED % "max_memory: 24m")
    speak = silent(w.port_of("port1"))
    idle = Connection(w)
    idle.ask()
    limit = 24 << 20
    before = metric(w, "weir_memory_bytes")
    assert 0 < before < limit
    large = b"GET /wait HTTP/1.1\r\nHost: a\r\nX: " + 40000 * b"x" + \
        b"\r\n\r\n"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard > 4000
    with all_closed([]) as held:
        while metric(w, "weir_memory_starved_total") == 0:
            assert len(held) < 800
            for _ in range(20):
                held.append(come(w))
                with contextlib.suppress(ConnectionResetError):
                    held[-1].sendall(large)
            time.sleep(0.05)
        # Who is idle goes, and who comes is told to come again.
        wait_until(idle.is_over)
        assert closed(w, "low_memory") >= 1
        with come(w) as late:
            late.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = recv_all(late)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer
        assert refused(w, "low_memory") >= 1
        w.wait_log("MiB are held and max_memory is 24: new requests are "
                   "refused")
        # What is in hand is answered, and then there is room again.
        speak.set()
        wait_until(lambda: metric(w, "weir_http_requests_in_flight") == 0)
        w.wait_log("max_memory is 24: requests are taken again")
        assert w.get().text == "hello"
        assert metric(w, "weir_memory_bytes") < limit
        assert metric(w, "weir_memory_starved_total") == 1


@pytest.mark.skipif(SANITIZED, reason="a sanitizer's memory is not ours")
def test_max_memory_that_nobody_could_keep(weir):
    w = start(weir, "max_memory: 1m\nsites: [{listen: {port}, %s}]" % HELLO)
    w.wait_log("max_memory is 1 MiB, and a worker holds ")
    for _ in range(5):
        assert w.get().text == "hello"
        time.sleep(0.1)


# ---- requests in a row -------------------------------------------------------

def test_a_thousand_pipelined_requests_are_answered_in_turns(weir):
    w = start(weir, """
        http: {max_pipelined: 10}
        sites: [{listen: {port}, %s}]
    """ % HELLO)
    n = 1000
    with come(w) as s:
        sender = threading.Thread(target=s.sendall, args=(
            n * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",))
        sender.start()
        got = b""
        while got.count(b"hello") < n:
            part = s.recv(1 << 20)
            assert part
            got += part
        sender.join()
    assert got.count(b"HTTP/1.1 200 OK\r\n") == n
    assert 1 <= metric(w, "weir_http_pipeline_pauses_total") <= n / 10
