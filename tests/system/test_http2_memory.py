"""What connections of HTTP/2 hold, and what becomes of those that hold much."""

import contextlib
import pathlib
import re
import socket
import time

import pytest

from conftest import SANITIZED, wait_until
from h2_frames import (ACK, CANCEL, Closed, ENHANCE_YOUR_CALM, Frames, GOAWAY,
                       NO_ERROR, PING, REFUSED_STREAM, RST_STREAM, frame)

CONFIG = """
    http: {HTTP}
    listeners: {{port}: {h2c: on}}
    sites: [{listen: {port}, routes: [{respond: {body: hello}}]}]
"""
N = 100


def pss_kib(w):
    """Of the workers: all that the master has started."""
    kib, pids = 0, [w.process.pid]
    for pid in pids:
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
        pids += map(int, children.split())
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        kib += sum(int(line.split()[1]) for line in rollup.splitlines()
                   if line.startswith("Pss:"))
    return kib


@contextlib.contextmanager
def connections(w, n):
    all_of_them = []
    try:
        for _ in range(n):
            all_of_them.append(Frames(w.port).hello())
        yield all_of_them
    finally:
        for c in all_of_them:
            c.close()


# ---- at rest

@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps what was freed")
def test_idle_connections_give_memory_back_and_go_on(weir):
    w = weir(CONFIG.replace("HTTP", ""))
    with connections(w, N) as crowd:
        for c in crowd:
            assert c.get(1, "/a", fields=[("x-long", 30 * "x")])[1] == b"hello"
        awake = pss_kib(w)
        # Each held three pages for what nghttp2 keeps, and one for a frame.
        wait_until(lambda: pss_kib(w) < awake - 8 * N)
        for c in crowd:
            # Both sides still know what is in their tables.
            head, body = c.get(3, "/a", fields=[("x-long", 30 * "x")])
            assert head[":status"] == "200" and body == b"hello"
        assert pss_kib(w) > awake - 8 * N
        wait_until(lambda: pss_kib(w) < awake - 8 * N)


def test_a_ping_disturbs_an_idle_connection_only_for_a_moment(weir):
    w = weir(CONFIG.replace("HTTP", ""))
    with connections(w, N) as crowd:
        awake = pss_kib(w)
        wait_until(lambda: pss_kib(w) < awake - 8 * N)
        assert all(c.is_alive() for c in crowd)
        wait_until(lambda: pss_kib(w) < awake - 8 * N)
        assert all(c.get(1)[1] == b"hello" for c in crowd)


def test_half_a_frame_may_come_long_before_the_other(weir):
    w = weir(CONFIG.replace("HTTP", ""))
    c = Frames(w.port).hello()
    ping = frame(PING, 0, 0, b"patience")
    c.send(ping[:12])
    time.sleep(1.3)
    c.send(ping[12:])
    assert c.expect(PING).flags & ACK


def test_rest_does_not_make_the_idle_timeout_longer(weir):
    w = weir(CONFIG.replace("HTTP", "keepalive_timeout: 2s"))
    c = Frames(w.port).hello()
    assert c.get(1)[1] == b"hello"
    start = time.monotonic()
    time.sleep(1.2)
    assert c.is_alive()  # a PING is not a request
    assert c.expect(GOAWAY).error == NO_ERROR
    assert 1.8 < time.monotonic() - start < 2.8
    with pytest.raises(Closed):
        c.next()


# ---- limits

@pytest.fixture
def nowhere():
    """The port of an upstream that lets nobody in: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, \
            contextlib.ExitStack() as fillers:
        for _ in range(3):
            s = fillers.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def serve(weir, nowhere, http):
    return weir("""
        admin: 127.0.0.1:{port1}
        error_log: {to: stderr, level: info}
        http: {%s}
        listeners: {{port}: {h2c: on}}
        upstreams: {app: {servers: ["127.0.0.1:%d"]}}
        sites:
          - listen: {port}
            routes:
              - {path: /hello, respond: {body: hello}}
              - proxy: {to: app, connect_timeout: 60s}
    """ % (http, nowhere))


def refused(w, word):
    text = w.get("/metrics", port="port1").text
    return int(re.search(r'^weir_http_refused_total\{reason="%s"\} (\d+)$' % word,
                         text, re.M)[1])


def test_beyond_three_quarters_requests_are_to_be_tried_again(weir, nowhere):
    w = serve(weir, nowhere, "max_memory_per_connection: 200k")
    c = Frames(w.port).hello()
    for stream in range(1, 121, 2):
        c.request(stream, path="/wait")
    assert c.is_alive()
    c.send(frame(PING, 0, 0, b"all said"))
    late = []
    while (f := c.next()).kind != PING:
        assert f.kind == RST_STREAM and f.error == REFUSED_STREAM
        late.append(f.stream)
    first = late[0]
    assert late == list(range(first, 121, 2))
    # Some 25 KiB for the connection, and 4 to 8 for each.
    assert 10 < first // 2 < 32
    assert refused(w, "connection_memory") == len(late)
    # Whoever ends makes room.
    for stream in range(1, 11, 2):
        c.send(frame(RST_STREAM, 0, stream, CANCEL.to_bytes(4, "big")))
    assert c.get(121, "/hello")[1] == b"hello"


def test_a_connection_that_holds_too_much_is_cut(weir, nowhere):
    w = serve(weir, nowhere, "max_memory_per_connection: 64k")
    c = Frames(w.port).hello()
    assert c.get(1, "/hello")[1] == b"hello"
    c.request(3, end=False, method="POST", path="/wait")
    for _ in range(3):
        c.data(3, bytes(16384))
    assert c.expect(GOAWAY).error == ENHANCE_YOUR_CALM
    with pytest.raises(Closed):
        c.next()
    assert refused(w, "connection_memory") == 1
    w.wait_log("the connection holds max_memory_per_connection")


def test_what_all_connections_of_a_client_hold_is_counted(weir, nowhere):
    w = serve(weir, nowhere, "max_memory_per_client: 200k")
    with connections(w, 4) as crowd:
        for c in crowd[:3]:
            assert c.get(1, "/hello")[1] == b"hello"
            c.request(3, end=False, method="POST", path="/wait")
            assert c.is_alive()
        # 30 KiB each so far; a body of 60 is too much for the third.
        for c in crowd[:2]:
            c.data(3, bytes(16000))
            assert c.is_alive()
        for _ in range(3):
            crowd[2].data(3, bytes(16384))
        assert crowd[2].expect(GOAWAY).error == ENHANCE_YOUR_CALM
        # The others go on, with what it held.
        wait_until(lambda: refused(w, "client_memory") == 1)
        assert all(c.is_alive() for c in crowd[:2])
        crowd[3].request(1, end=False, method="POST", path="/wait")
        crowd[3].data(1, bytes(16384))
        assert crowd[3].is_alive()


def test_windows_grow_no_further_than_memory_allows(weir, nowhere):
    """All that may come without being taken is held, and not too much."""
    w = serve(weir, nowhere, "max_memory_per_connection: 512k")
    c = Frames(w.port).hello()
    for stream in (1, 3, 5):
        c.request(stream, end=False, method="POST", path="/wait")
    window, sent = 65535, 0
    while window >= 16000 and sent < 1000000:
        c.data(1 + 2 * (sent // 16000 % 3), bytes(16000))
        sent += 16000
        window -= 16000
        c.send(frame(PING, 0, 0, b"and now?"))
        while True:
            f = c.next()
            assert f.kind != GOAWAY
            if f.kind == PING and f.flags & ACK and f.payload == b"and now?":
                break
            if f.kind == PING and not f.flags & ACK:
                c.send(frame(PING, ACK, 0, f.payload))
            if f.kind == 8 and f.stream == 0:
                window += int.from_bytes(f.payload, "big")
    assert 65535 < sent < 400000
