"""limits: how often, how many at once, how large and how fast, over HTTP/1.1
and HTTP/2; and how exact that is with several workers."""

import pathlib
import socket
import sys
import textwrap
import threading
import time

import pytest

from conftest import SLOW, wait_until
from h2_frames import RST_STREAM, Frames
from test_http1 import split_response
from test_request_limits import metric, refused, say

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

TOP = """
    admin: 127.0.0.1:{port9}
    error_log: {to: stderr, level: info}
    log_formats: {words: "$status [$reason] [$reported] [$limits_delay]"}
    access_log: {to: "{dir}/access.log", format: words, buffer: 0}
    listeners: {"127.0.0.1:{port}": {h2c: on}}
"""

ROUTES = """
    sites:
      - listen: "127.0.0.1:{port}"
        routes:
          - path: /rate
            limits: {requests: {rate: 1/h, burst: 2, headers: on}}
            respond: "204"
          - path: /by-key
            limits: {requests: {key: $http_x_key, rate: 1/h, status: 503}}
            respond: "204"
          - path: /delay
            limits: {requests: {rate: 10/s, burst: 3, delay: on}}
            respond: "204"
          - path: /log
            limits: {mode: log, requests: 1/h}
            respond: "204"
          - path: /few
            limits: {requests: {rate: 1/h, key: $arg_k, max_keys: 2}}
            respond: "204"
          - path: /at-once
            limits: {connections: 1}
            proxy: http://127.0.0.1:{port1}
          - path: /body
            limits: {body: 8}
            proxy: http://127.0.0.1:{port1}
          - path: /slow/*
            limits: {bandwidth: 200k}
            files: {root: "{dir}"}
          - path: /shared/*
            limits: {bandwidth: {connection: 200k}}
            files: {root: "{dir}"}
"""

SIZE = 120000  # at 200k (204800 bytes) a second, all but the first 20480: .49 s


@pytest.fixture
def w(weir):
    w = weir(textwrap.dedent(TOP) + textwrap.dedent(ROUTES), start=False)
    for name in "slow", "shared":
        (w.dir / name).mkdir()
        for i in "ab":
            (w.dir / name / i).write_bytes(bytes(range(240)) * (SIZE // 240))
    return w.start()


class Http1:
    def __init__(self, w):
        self.w = w

    def get(self, path, fields=()):
        r = self.w.get(path, dict(fields))
        return r.status, {k.lower(): v for k, v in r.headers.items()}, r.body

    def close(self):
        pass


class Http2:
    def __init__(self, w):
        self.frames = Frames(w.port).hello()
        self.stream = -1

    def get(self, path, fields=()):
        self.stream += 2
        head, body = self.frames.get(self.stream, path, fields=fields)
        return int(head[":status"]), head, body

    def close(self):
        self.frames.close()


@pytest.fixture(params=[Http1, Http2], ids=["http1", "http2"])
def client(request, w):
    c = request.param(w)
    yield c
    c.close()


def test_beyond_the_burst_is_refused_until_it_is_due(w, client):
    for left in 2, 1, 0:
        status, head, _ = client.get("/rate")
        assert status == 204
        assert head["ratelimit"].startswith('"requests";r=%d;t=' % left)
        assert head["ratelimit-policy"] == '"requests";q=3;w=10800'
    status, head, body = client.get("/rate")
    assert status == 429
    assert b"Too Many Requests" in body
    assert 3590 <= int(head["retry-after"]) <= 3600
    assert head["ratelimit"].startswith('"requests";r=0;t=')
    assert refused(w, "request_rate") == 1
    w.wait_log("requests come faster than a rate of limits: refused with 429 "
               "(request_rate), ")
    wait_until(lambda: "429 [request_rate] [-] [-]\n" in w.access_log())


def test_keys_are_told_apart_and_none_is_not_limited(w, client):
    for status, key in (204, "a"), (503, "a"), (204, "b"), (503, "b"), \
            (204, 5000 * "l"), (503, 5000 * "l"), (204, 5000 * "l" + "1"):
        assert client.get("/by-key", [("x-key", key)])[0] == status
    for _ in range(3):
        assert client.get("/by-key")[0] == 204
    w.wait_log("refused with 503 (request_rate), ")


def test_delayed_requests_leave_one_by_one(w, client):
    began = time.monotonic()
    for _ in range(4):
        assert client.get("/delay")[0] == 204
    assert .28 < time.monotonic() - began < .4 * SLOW + .6
    assert metric(w, "weir_limits_delayed_total") == 3
    assert metric(w, "weir_limits_waiting") == 0
    wait_until(lambda: w.access_log().count("204 [-] [-] [0.") == 3)


def test_of_many_at_once_the_burst_waits_and_the_rest_is_refused(w):
    c = Frames(w.port).hello()
    for stream in range(1, 20, 2):
        c.request(stream, path="/delay")
    statuses = [c.response(1)[0][":status"]]
    heads = {1: statuses[0]}
    while len(heads) < 10:
        f = c.next()
        if hasattr(f, "fields"):
            heads[f.stream] = dict(f.fields)[":status"]
    c.close()
    assert sorted(heads.values()).count("429") == 6
    assert [heads[s] for s in (1, 3, 5, 7)] == 4 * ["204"]


def test_who_leaves_while_waiting_is_forgotten(w):
    for _ in range(3):
        with w.connect() as s:
            s.sendall(b"GET /delay HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: metric(w, "weir_limits_waiting") == 0)


def test_what_is_only_reported_passes(w, client):
    assert [client.get("/log")[0] for _ in range(3)] == 3 * [204]
    assert metric(w, "weir_http_reported_total",
                  '{reason="request_rate"}') == 2
    w.wait_log("would be refused with 429 (request_rate)")
    wait_until(lambda: "204 [-] [request_rate] [-]\n" in w.access_log())


def test_a_full_table_forgets_the_oldest_and_counts_it(w, client):
    for key in "abc":
        assert client.get("/few?k=" + key)[0] == 204
    assert client.get("/few?k=c")[0] == 429
    assert client.get("/few?k=b")[0] == 429
    assert metric(w, "weir_limits_forgotten_total") == 1
    assert client.get("/few?k=a")[0] == 204


def test_requests_at_once_are_counted_until_the_response_has_left(w, client):
    go = threading.Event()
    with RawBackend([Reply([.4 * SLOW, ok()]), Reply(ok())],
                    port=w.port_of("port1")) as b:
        with w.connect() as s:
            s.sendall(b"GET /at-once HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: b.requests)
            status, head, _ = client.get("/at-once")
            assert status == 429
            assert head["retry-after"] == "1"
            assert s.recv(65536).startswith(b"HTTP/1.1 200 ")
        wait_until(lambda: client.get("/at-once")[0] == 200)
    go.set()
    assert refused(w, "requests_at_once") >= 1


def test_each_stream_counts(w):
    with RawBackend([Reply([.3, ok()])], port=w.port_of("port1")):
        c = Frames(w.port).hello()
        c.request(1, path="/at-once")
        c.request(3, path="/at-once")
        assert c.response(3)[0][":status"] == "429"
        assert c.response(1)[0][":status"] == "200"
        assert c.get(5, "/at-once")[0][":status"] == "200"
        # One that was reset counts no more.
        c.request(7, path="/at-once")
        c.send(b"\0\0\4" + bytes((RST_STREAM, 0)) + b"\0\0\0\7\0\0\0\x08")
        assert c.get(9, "/at-once")[0][":status"] == "200"
        c.close()


def post(length, chunks):
    framing = b"Content-Length: %d" % length if length is not None else \
        b"Transfer-Encoding: chunked"
    return b"POST /body HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n" + \
        chunks


@pytest.mark.parametrize("data, status", [
    (post(8, b"12345678"), 200),
    (post(9, b"123456789"), 413),
    (post(None, b"4\r\n1234\r\n4\r\n5678\r\n0\r\n\r\n"), 200),
    (post(None, b"4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\n"), 413),
], ids=["length", "long", "chunked", "chunks"])
def test_a_body_may_be_as_large_as_its_route_says(w, data, status):
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        answer = say(w, data, until=b"ok" if status == 200 else None)
        assert split_response(answer)[0] == status
    assert refused(w, "large_body") == (status == 413)


@pytest.mark.parametrize("length", ["9", None], ids=["length", "none"])
def test_the_same_over_http2(w, length):
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        c = Frames(w.port).hello()
        fields = [("content-length", length)] if length else []
        c.request(1, end=False, method="POST", path="/body", fields=fields)
        c.data(1, b"123456789", end=True)
        assert c.response(1)[0][":status"] == "413"
        c.request(3, end=False, method="POST", path="/body")
        c.data(3, b"12345678", end=True)
        assert c.response(3)[0][":status"] == "200"
        c.close()


def test_a_response_leaves_at_its_rate(w, client):
    began = time.monotonic()
    status, _, body = client.get("/slow/a")
    took = time.monotonic() - began
    assert status == 200
    assert body == (w.dir / "slow" / "a").read_bytes()
    assert .4 < took < .6 * SLOW + .6
    assert metric(w, "weir_limits_paced_total") >= 8


def test_streams_share_what_their_connection_may(w):
    c = Frames(w.port).hello(window=1 << 20)
    began = time.monotonic()
    c.request(1, path="/shared/a")
    c.request(3, path="/shared/b")
    got, ends = {1: 0, 3: 0}, {}
    first = time.monotonic()
    while len(ends) < 2:
        f = c.next()
        if f.kind != 0:
            continue
        got[f.stream] += len(f.payload)
        c.send(b"\0\0\4\x08\0\0\0\0\0" + len(f.payload).to_bytes(4, "big"))
        if f.flags & 1:
            ends[f.stream] = time.monotonic() - first
    c.close()
    assert got == {1: SIZE, 3: SIZE}
    # 240000 bytes at 204800 a second, the first 20480 at once.
    assert .95 < time.monotonic() - began < 1.4 * SLOW + .6
    assert min(ends.values()) > .7 * max(ends.values())


def test_a_connection_goes_on_at_its_rate_with_the_next_response(w):
    with w.connect() as s:
        began = time.monotonic()
        for _ in range(2):
            s.sendall(b"GET /shared/a HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            while len(got.partition(b"\r\n\r\n")[2]) < SIZE:
                part = s.recv(65536)
                assert part
                got += part
        assert .95 < time.monotonic() - began


# ---- several workers --------------------------------------------------------

WORKERS = """
    workers: 4
    listeners: {"127.0.0.1:{port}": {steer: %s}}
    sites:
      - listen: "127.0.0.1:{port}"
        limits: {requests: {rate: 1/h, burst: 4}}
        routes: [{respond: "204"}]
"""


def passed(w, n):
    """How many of N connections get their request answered."""
    return sum(w.get("/").status == 204 for _ in range(n))


def test_steered_by_client_a_limit_is_exact(weir):
    w = weir(textwrap.dedent(WORKERS) % "client")
    assert passed(w, 60) == 5


def test_balanced_a_client_gets_as_much_from_each_worker_at_most(weir):
    w = weir(textwrap.dedent(WORKERS) % "balanced")
    # 200 connections miss one of 4 workers once in 10^24 times.
    assert passed(w, 200) == 4 * 5
    # One connection has one worker: exact, unless that is used up already.
    assert passed(w, 20) == 0


def test_one_connection_has_one_worker(weir):
    w = weir(textwrap.dedent(WORKERS) % "balanced")
    with w.connect() as s:
        statuses = []
        for _ in range(8):
            s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            statuses.append(split_response(s.recv(65536))[0])
    assert statuses == 5 * [204] + 3 * [429]


# ---- the manual's example ---------------------------------------------------

def test_the_example_of_the_manual_serves(weir):
    text = (pathlib.Path(__file__).parents[2] / "src/modules/limits.c") \
        .read_text().partition(".example =\n")[2].partition(",\n};")[0]
    text = "".join(eval(line.strip())
                   for line in text.splitlines() if '"' in line)
    w = weir(text.replace("8000", "{port}").replace("8081", "{port1}")
             .replace("/srv/www", "{dir}/www"), start=False)
    (w.dir / "www" / "downloads").mkdir(parents=True)
    (w.dir / "www" / "downloads" / "x").write_bytes(b"x" * 300000)
    w.start()
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        statuses = [w.get("/login").status for _ in range(7)]
    assert statuses == 6 * [200] + [429]
    assert w.request("POST", "/login", body=b"x" * 4097).status == 413
    assert len(w.get("/downloads/x").body) == 300000
