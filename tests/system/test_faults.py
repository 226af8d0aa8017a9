"""A machine that fails under the daemon: disks, logs, upstreams, files."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

import conftest
from conftest import SLOW, WEIR, recv_all, wait_until
from load import Connection, Load
from test_reload import WebSocket, app  # noqa: F401

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

# ---- a full disk


@pytest.fixture
def small_disk(weir, monkeypatch, tmp_path):
    """Starts a daemon whose {dir}/logs is a disk of 64 KiB that nobody else
    sees; what lies on it is reached through the daemon's root."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a file system")

    def start(text):
        w = weir(text, start=False)
        logs = w.dir / "logs"
        logs.mkdir()
        script = tmp_path / "small-disk"
        script.write_text('#!/bin/sh\nmount -t tmpfs -o size=64k none "%s" &&'
                          ' exec "%s" "$@"\n' % (logs, WEIR))
        outer = tmp_path / "in-a-namespace"
        outer.write_text('#!/bin/sh\nexec unshare -m "%s" "$@"\n' % script)
        for f in script, outer:
            f.chmod(0o755)
        with monkeypatch.context() as m:
            m.setattr(conftest, "WEIR", str(outer))
            # Its words may be on that disk.
            w.is_serving = lambda: (w.process.poll() is None and
                                    (w.dir / "weir.pid").exists() and
                                    len(w.children()) > 1)
            w.start()
        w.disk = pathlib.Path("/proc/%d/root" % w.pid) / \
            str(logs).lstrip("/")
        wait_until(lambda: w.get("/", port="port").status == 204)
        return w

    return start


def metric(w, name):
    text = w.get("/metrics", port="port1").text
    return int(re.search("^%s (\\d+)$" % name, text, re.M)[1])


def test_full_disk_for_the_access_log(small_disk):
    w = small_disk("""
        admin: 127.0.0.1:{port1}
        access_log: {to: {dir}/logs/access.log, format: '$uri', buffer: 4k,
                     flush: 50ms}
        sites: [{listen: {port}, routes: [{respond: 204}]}]
    """)
    filler = w.disk / "filler"
    with pytest.raises(OSError):
        filler.write_bytes(b"x" * (1 << 20))
    c = Connection(w)

    def ask(name, n):
        for i in range(n):
            c.s.sendall(b"GET /%s%d%s HTTP/1.1\r\nHost: x\r\n\r\n" % (
                name, i, b"x" * 200))
            while b"\r\n\r\n" not in c.buffer:
                c.more()
            head, _, c.buffer = c.buffer.partition(b"\r\n\r\n")
            assert b" 204 " in head

    ask(b"full", 500)  # nobody waits for the disk
    lost = "weir_access_log_lost_lines_total"
    wait_until(lambda: metric(w, lost) > 0)
    said = re.findall("lines lost from the access log .*: (\\d+) "
                      "\\(No space left on device\\)", w.log())
    assert len(said) == 1
    filler.unlink()
    time.sleep(1.2)  # how often a full disk is tried again
    before = metric(w, lost)
    ask(b"after", 100)
    log = w.disk / "access.log"
    wait_until(lambda: log.read_text().count("/after") == 100)
    assert metric(w, lost) == before
    # Every line is whole, and those that are not there were counted.
    lines = log.read_text().splitlines()
    assert all(re.fullmatch(r"/((full|after)\d+x{200})?", l) for l in lines)
    assert sum("/full" in l for l in lines) + before == 500


def test_full_disk_for_the_error_log(small_disk):
    w = small_disk("""
        admin: 127.0.0.1:{port1}
        error_log: {to: {dir}/logs/error.log, level: info}
        sites:
          - listen: {port}
            routes:
              - {path: /dead, proxy: "http://127.0.0.1:{port9}"}
              - {respond: 204}
    """)
    filler, log = w.disk / "filler", w.disk / "error.log"
    with pytest.raises(OSError):
        filler.write_bytes(b"x" * (1 << 20))
    for _ in range(100):  # the last page of the log fills up
        assert w.get("/dead").status == 502
        assert w.get().status == 204
    wait_until(lambda: metric(w, "weir_error_log_lost_lines_total") > 0, 5)
    assert w.log().count("the error log takes no lines: "
                         "No space left on device") == 1
    filler.unlink()
    # More than some lines a second are left out on purpose.
    wait_until(lambda: w.get("/dead").status == 502 and
               "lines of this log were lost: No space left"
               in log.read_text(), every=0.2)
    assert all(re.match("(\\S+ \\w+ [\\w ]+\\[\\d+\\]: )", l)
               for l in log.read_text().splitlines()[-2:])


# ---- rotation under load


@pytest.mark.parametrize("way", ["usr1", "command"])
def test_rotation_under_load_loses_no_line(weir, way):
    w = weir("""
        workers: 2
        access_log: {to: {dir}/access.log, format: '$uri', buffer: 4k,
                     flush: 20ms}
        sites: [{listen: {port}, routes: [{respond: {body: "here"}}]}]
    """)
    loads = [Load(w, 3, "/kept").start(), Load(w, 2, "/new", kept=False).start()]
    for i in range(8):
        time.sleep(0.15)
        (w.dir / "access.log").rename(w.dir / ("old%d.log" % i))
        if way == "usr1":
            w.process.send_signal(signal.SIGUSR1)
            wait_until(lambda: (w.dir / "access.log").exists())
        else:
            assert w.command("-s", "reopen").returncode == 0
    for load in loads:
        assert load.end().failures == []
    w.stop()
    lines = []
    for f in w.dir.glob("*.log"):
        if f.name != "weir.log":
            lines += f.read_text().splitlines()
    kept, new = loads[0].answered, loads[1].answered
    assert kept > 200 and new > 50
    assert (lines.count("/kept"), lines.count("/new"), len(lines)) == (
        kept, new, kept + new)


# ---- reloads


def test_long_download_and_websocket_survive_a_reload_storm(weir, app):  # noqa
    size = 30 << 20
    w = weir("""
        workers: 2
        shutdown_timeout: 60s
        sites:
          - listen: {port}
            routes:
              - {path: /ws, proxy: "http://%s"}
              - {files: {root: {dir}/www}}
    """ % app, start=False)
    (w.dir / "www").mkdir()
    with open(w.dir / "www" / "large", "wb") as f:
        for i in range(size // 65536):
            f.write(bytes([i % 251]) * 65536)
    w.start()
    ws = WebSocket(w)
    s = w.connect()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    got = bytearray()
    while len(got) < size // 30:
        got += s.recv(65536)
    for i in range(20):
        w.process.send_signal(signal.SIGHUP)
        assert ws.echo(b"round %d" % i)
        until = size * (i + 2) // 30
        while len(got) < until:
            got += s.recv(65536)
        time.sleep(0.05)
    got += recv_all(s)
    body = bytes(got).partition(b"\r\n\r\n")[2]
    assert len(body) == size
    assert all(body[i * 65536] == i % 251 and
               body[i * 65536 + 65535] == i % 251
               for i in range(size // 65536))
    assert ws.echo(b"still here")


def test_winch_during_a_reload_drains_when_it_has_ended(weir):
    w = weir("sites: [{listen: {port}, routes: [{respond: 204}]}]")
    w.process.send_signal(signal.SIGHUP)
    w.wait_log("reloading")
    w.process.send_signal(signal.SIGWINCH)
    w.wait_log("draining the workers; HUP brings them back")
    assert "generation 2 serves" in w.log()
    wait_until(lambda: w.children() == [])
    w.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(w.children()) == 2)
    wait_until(lambda: w.get().status == 204)


# ---- upstreams


def deaf():
    """A server whose queue is full, so that nobody can connect to it: what an
    address looks like from which nothing comes back."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(0)
    fillers = []
    for _ in range(4):
        c = socket.socket()
        c.setblocking(False)
        c.connect_ex(s.getsockname())
        fillers.append(c)
    return s, fillers


def test_bad_upstreams_cost_others_nothing(weir):
    s, fillers = deaf()
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
    with RawBackend([Reply(ok())]) as good, \
            RawBackend([Reply(close="reset")]) as resets, \
            RawBackend([Reply(close="fin")]) as closes, \
            RawBackend([Reply(close="hang")]) as hangs, \
            RawBackend([Reply([0.5, whole])]) as late:
        proxies = {
            "/good": good.port, "/resets": resets.port,
            "/closes": closes.port, "/hangs": hangs.port, "/late": late.port,
            "/deaf": s.getsockname()[1], "/dead": conftest.free_port(),
        }
        w = weir("""
            sites:
              - listen: {port}
                routes:
        """ + "".join("""
                  - path: %s
                    proxy: {to: "http://127.0.0.1:%d", connect_timeout: 1s,
                            read_timeout: 1s}
        """ % p for p in proxies.items()))
        expect = {"/resets": 502, "/closes": 502, "/dead": 502,
                  "/hangs": 504, "/deaf": 504, "/late": 200}
        seen, times, failures = {}, [], []
        is_over = threading.Event()

        def ask(path):
            for _ in range(2):
                began = time.monotonic()
                status = w.get(path).status
                seen.setdefault(path, []).append(
                    (status, time.monotonic() - began))

        def measure():
            while not is_over.is_set():
                began = time.monotonic()
                if w.get("/good").status != 200:
                    failures.append(began)
                times.append(time.monotonic() - began)
                time.sleep(0.01)

        other = threading.Thread(target=measure)
        other.start()
        crowd = [threading.Thread(target=ask, args=(p,))
                 for p in expect for _ in range(5)]
        for t in crowd:
            t.start()
        for t in crowd:
            t.join()
        is_over.set()
        other.join()
    for path, status in expect.items():
        assert {x for x, _ in seen[path]} == {status}, path
        assert max(t for _, t in seen[path]) < 1.6 * SLOW, path
    assert min(t for _, t in seen["/deaf"] + seen["/hangs"]) > 0.9
    assert failures == [] and len(times) > 50
    assert sorted(times)[len(times) * 95 // 100] < 0.1 * SLOW
    for f in fillers:
        f.close()
    s.close()


# ---- unix sockets


UNIX = """
    admin: unix:{dir}/admin.sock
    sites: [{listen: ["unix:{dir}/s.sock", {port}], routes: [{respond: 204}]}]
"""


def answers(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
        return b" 204 " in recv_all(s)


def test_stale_unix_socket_is_taken_over(weir):
    w = weir(UNIX)
    w.process.kill()
    w.process.wait()
    path = w.dir / "s.sock"
    assert path.exists()
    wait_until(lambda: not can_connect(path))
    w.log_path.unlink()
    w.start()
    assert answers(path)
    w.stop()
    assert not path.exists()


def can_connect(path):
    with socket.socket(socket.AF_UNIX) as s:
        return s.connect_ex(str(path)) == 0


def test_unix_socket_on_which_somebody_answers_is_not_taken(weir):
    w = weir(UNIX, start=False)
    path = w.dir / "s.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        r = w.command()
        assert r.returncode == 3 and "s.sock" in r.stderr
        assert can_connect(path)
    # It is gone, and left its path.
    w.start()
    assert answers(path)


def test_unix_socket_over_an_upgrade(weir):
    """Whoever ends last removes the path."""
    w = weir(UNIX)
    path = w.dir / "s.sock"
    w.process.send_signal(signal.SIGUSR2)
    oldbin = w.dir / "weir.pid.oldbin"
    wait_until(lambda: oldbin.exists() and (w.dir / "weir.pid").exists() and
               w.log().count("serves with") == 2)
    # The new one is sent away: the old one still serves there.
    new = int((w.dir / "weir.pid").read_text())
    os.kill(new, signal.SIGTERM)
    w.wait_log("the new binary ended")
    assert answers(path)
    assert w.command("-s", "upgrade").returncode == 0
    w.process.wait(10 * SLOW)
    new = int((w.dir / "weir.pid").read_text())
    assert answers(path)
    os.kill(new, signal.SIGTERM)
    wait_until(lambda: not path.exists())
    assert not (w.dir / "admin.sock").exists()


# ---- files that are not there


def certificate(directory, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a",
                    "-keyout", str(directory / (name + ".key")), "-out",
                    str(directory / (name + ".pem"))], check=True,
                   capture_output=True)


FILES = """
    sites:
      - listen: {https: {port}}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes:
          - {path: /x/*, files: {root: www}}
          - {respond: 204}
"""


@pytest.mark.parametrize("what", ["a.pem", "a.key", "www"])
@pytest.mark.parametrize("how", ["missing", "unreadable"])
def test_files_that_are_not_there_stop_a_reload_only(weir, what, how):
    w = weir(FILES, start=False)
    certificate(w.dir, "a")
    (w.dir / "www").mkdir()
    w.start()
    path = w.dir / what
    if how == "missing":
        path.rename(w.dir / "away")
    elif what == "www":
        path.rmdir()
        path.write_text("no directory")
    else:  # also by root, who may read everything
        path.rename(w.dir / "away")
        path.mkdir()
    children = set(w.children())
    test = w.command("-t")
    assert test.returncode == 1 and what in test.stderr, test.stderr
    assert re.search(r"weir\.yaml:\d+:\d+: ", test.stderr)
    reload = w.reload()
    assert reload.returncode == 1 and what in reload.stderr
    assert set(w.children()) == children
    assert w.get(tls=True).status == 204
    # It comes back, and so does the reload.
    if path.is_dir():
        path.rmdir()
    elif path.exists():
        path.unlink()
    if what == "www":
        shutil.rmtree(w.dir / "away", ignore_errors=True)
        path.mkdir()
    else:
        (w.dir / "away").rename(path)
    assert w.reload().returncode == 0
