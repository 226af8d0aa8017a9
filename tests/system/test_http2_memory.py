"""What connections of HTTP/2 hold, and what becomes of those that hold much."""

import contextlib
import pathlib
import time

import pytest

from conftest import wait_until
from h2_frames import ACK, Closed, Frames, GOAWAY, NO_ERROR, PING, frame

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
