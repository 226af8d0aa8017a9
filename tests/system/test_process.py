"""Processes: signals, reloads, crashes, upgrades, rights."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import SLOW, WEIR, recv_all, wait_until
from load import WORKER, Load

SITE = """
    workers: 2
    access_log: {to: {dir}/access.log, buffer: 0}
    admin: 127.0.0.1:{port1}
    sites:
      - listen: {port}
        routes: [{respond: {body: "one\\n"}}]
"""


def test_children(weir):
    w = weir(SITE)
    assert len(w.children()) == 3  # two workers and the scout
    assert w.get().text == "one\n"


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGINT,
                                   signal.SIGQUIT])
def test_ends(weir, signo):
    w = weir(SITE)
    children = w.children()
    began = time.monotonic()
    w.stop(signo)
    assert w.process.returncode == 0
    assert time.monotonic() - began < 5 * SLOW
    for pid in children:
        assert not os.path.exists("/proc/%d" % pid)
    assert not (w.dir / "weir.pid").exists()


def test_quit_lets_requests_finish(weir):
    backend = socket.socket()
    backend.bind(("127.0.0.1", 0))
    backend.listen()
    w = weir("""
        sites:
          - listen: {port}
            routes: [{proxy: "http://127.0.0.1:%d"}]
    """ % backend.getsockname()[1])
    with w.connect() as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        up, _ = backend.accept()
        up.recv(4096)
        w.process.send_signal(signal.SIGQUIT)
        time.sleep(0.5)
        with pytest.raises(OSError):
            w.connect().recv(1) or (_ for _ in ()).throw(OSError())
        up.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
        data = recv_all(s)
    assert b"done" in data and b"Connection: close" in data
    w.process.wait(10 * SLOW)
    assert w.process.returncode == 0


def test_reload(weir):
    w = weir(SITE)
    old = set(w.children())
    r = w.reload(SITE.replace("one", "two"))
    assert r.returncode == 0, r.stderr
    assert w.get().text == "two\n"
    wait_until(lambda: not old & set(w.children()))


def test_bad_reload_leaves_the_old_one(weir):
    w = weir(SITE)
    old = set(w.children())
    r = w.reload(SITE + "    upsteams: {}\n")
    assert r.returncode == 1
    assert 'unknown key "upsteams"' in r.stderr and "upstreams" in r.stderr
    assert w.get().text == "one\n"
    assert set(w.children()) == old
    assert 'unknown key "upsteams"' in w.log()


def test_reload_that_cannot_bind(weir):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        taken = s.getsockname()[1]
        w = weir(SITE)
        r = w.reload(SITE.replace("listen: {port}",
                                  "listen: [{port}, 127.0.0.1:%d]" % taken))
        assert r.returncode != 0 and "cannot bind" in r.stderr
        assert w.get().text == "one\n"


def test_reload_adds_and_removes_addresses(weir):
    w = weir(SITE)
    assert w.reload(SITE.replace("{port}", "{port2}", 1)
                    if False else SITE.replace(
                        "listen: {port}", "listen: [{port}, {port2}]")
                    ).returncode == 0
    assert w.get(port="port2").text == "one\n"
    assert w.reload(SITE).returncode == 0
    def refused():
        try:
            w.connect("port2").close()
            return False
        except ConnectionRefusedError:
            return True
    wait_until(refused)


def test_no_request_fails_over_reloads(weir):
    w = weir(SITE)
    load = Load(w).start()
    for i in range(15):
        time.sleep(0.2 * SLOW)
        w.process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    load.end()
    assert load.failures == []
    assert load.answered > 100
    assert w.log().count("reload failed") == 0


def test_killed_worker_takes_only_its_own_requests_along(weir):
    w = weir("""
        workers: 2
        admin: 127.0.0.1:{port1}
        sites:
          - listen: {port}
            %s
            routes: [{respond: {body: "here\\n"}}]
    """ % WORKER)
    first, second = workers(w)
    kept = Load(w, connections=16).start()
    new = Load(w, connections=1, kept=False).start()
    time.sleep(0.3 * SLOW)
    os.kill(first, signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: len(set(workers(w)) - {first, second}) == 1)
    assert time.monotonic() - began < 1 * SLOW
    successor = (set(workers(w)) - {first, second}).pop()
    seen = set()

    def hear():
        with w.connect() as s:
            s.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            seen.add(int(re.search(rb"X-Worker: (\d+)", recv_all(s))[1]))
            return successor in seen

    wait_until(hear)
    assert seen <= {second, successor}
    failures = kept.end().failures
    assert {worker for worker, _ in failures} <= {first}
    assert len(failures) <= 16
    # The queue of the dead one was the master's and waited.
    assert len(new.end().failures) <= 1
    assert kept.answered > 100 and new.answered > 10


def workers(w):
    """The pids of the workers, by the admin endpoint."""
    status = json.loads(w.get("/status", port="port1").text)
    return [p["pid"] for p in status["processes"] if p["role"] == "worker"]


def test_crash_reports_the_request_in_hand(weir):
    w = weir("""
        admin: 127.0.0.1:{port1}
        sites:
          - listen: {port}
            routes: [{path: /files/*, files: {dir}}, {respond: 204}]
    """)
    w.allow_crash = True
    victim, = workers(w)
    # The signal comes as the file is looked for.
    with subprocess.Popen(
            ["strace", "-f", "-p", str(victim), "-e", "trace=openat,openat2",
             "-e", "inject=openat,openat2:signal=SEGV"],
            stderr=subprocess.PIPE, text=True) as tracer:
        assert "attached" in tracer.stderr.readline()
        with pytest.raises(OSError):
            w.get("/files/none?x=1", headers={"Host": "shop.example"})
        tracer.wait(10 * SLOW)
        tracer.stderr.read()
    w.wait_log("was killed by signal 11")
    report = w.log()
    assert "signal 11 (SIGSEGV)" in report
    frames = report.partition("backtrace:\n")[2].partition("callback")[0]
    assert frames.count(os.path.basename(WEIR) + "(") > 5
    assert ('request in hand: "GET /files/none?x=1 HTTP/1.1" '
            'host shop.example, in its steps') in report
    assert "at step 1 of 1: files" in report
    assert "last lines of the log:" in report
    assert w.get().status == 204


def test_master_death_ends_the_children(weir):
    w = weir(SITE)
    children = w.children()
    w.process.kill()
    w.process.wait()
    wait_until(lambda: not any(alive(p) for p in children))


def alive(pid):
    try:
        return "Z" not in pathlib.Path("/proc/%d/stat" % pid).read_text() \
            .rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("way", ["usr1", "command"])
def test_logs_are_reopened(weir, way):
    w = weir(SITE)
    w.get("/before")
    wait_until(lambda: "/before" in w.access_log())
    (w.dir / "access.log").rename(w.dir / "old.log")
    if way == "usr1":
        w.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: (w.dir / "access.log").exists())
        time.sleep(0.3 * SLOW)
    else:
        assert w.command("-s", "reopen").returncode == 0
        time.sleep(0.1 * SLOW)
    w.get("/after")
    wait_until(lambda: "/after" in w.access_log())
    assert "/before" in w.access_log("old.log")


def test_winch_drains_and_hup_brings_back(weir):
    w = weir(SITE)
    w.process.send_signal(signal.SIGWINCH)
    wait_until(lambda: w.children() == [])
    assert w.process.poll() is None
    w.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(w.children()) == 3)
    wait_until(lambda: w.get().text == "one\n")


def test_upgrade(weir):
    w = weir(SITE)
    load = Load(w).start()
    old = w.pid
    r = w.command("-s", "upgrade")
    assert r.returncode == 0, r.stderr + w.log()
    w.process.wait(20 * SLOW)
    new = int((w.dir / "weir.pid").read_text())
    try:
        assert new != old and not (w.dir / "weir.pid.oldbin").exists()
        assert w.get().text == "one\n"
        load.end()
        assert load.failures == []
        assert w.command("-s", "reload").returncode == 0
    finally:
        load.is_over = True
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not os.path.exists("/proc/%d" % new) or
                   not alive(new))


def test_failed_upgrade_goes_on(weir, tmp_path):
    binary = tmp_path / "weir-copy"
    shutil.copy(WEIR, binary)
    w = weir(SITE, start=False)
    import conftest
    saved, conftest.WEIR = conftest.WEIR, str(binary)
    try:
        w.start()
        binary.unlink()
        binary.write_text("#!/bin/false\n")
        binary.chmod(0o755)
        w.process.send_signal(signal.SIGUSR2)
        w.wait_log("upgrade failed")
        assert w.get().text == "one\n"
        wait_until(lambda: (w.dir / "weir.pid").exists())
    finally:
        conftest.WEIR = saved


def test_daemon(weir):
    w = weir(SITE, start=False)
    r = w.command("--daemon")
    assert r.returncode == 0, r.stderr
    pid = int((w.dir / "weir.pid").read_text())
    try:
        assert w.get().text == "one\n"
        assert w.command("-s", "quit").returncode == 0
        assert not alive(pid)
    finally:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert w.command("-s", "stop").returncode == 4


def test_daemon_that_cannot_start_says_so(weir):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        w = weir(SITE.replace("listen: {port}",
                              "listen: 127.0.0.1:%d" % s.getsockname()[1]),
                 start=False)
        r = w.command("--daemon")
    assert r.returncode == 3 and "cannot bind" in r.stderr


def test_second_master_is_refused(weir):
    w = weir(SITE)
    r = w.command()
    assert r.returncode == 3
    assert "running already" in r.stderr or "cannot bind" in r.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")
def test_workers_give_up_root(weir):
    w = weir("    user: nobody" + SITE)
    for pid in w.children():
        status = pathlib.Path("/proc/%d/status" % pid).read_text()
        uid = [l.split()[1:] for l in status.splitlines()
               if l.startswith("Uid:")][0]
        assert "0" not in uid
        assert "NoNewPrivs:\t1" in status
        assert "CapEff:\t0000000000000000" in status


def test_workers_raise_their_limit_of_files(weir):
    w = weir(SITE)
    limits = pathlib.Path("/proc/%d/limits" % w.children()[0]).read_text()
    row = [l for l in limits.splitlines() if l.startswith("Max open files")][0]
    assert row.split()[3] == row.split()[4]


def test_children_hold_no_descriptors_of_the_master(weir):
    w = weir(SITE)
    def links(pid):
        fds = "/proc/%d/fd" % pid
        return {os.readlink(os.path.join(fds, f)) for f in os.listdir(fds)}
    master = {l for l in links(w.pid) if "socket" in l}
    with open("/proc/net/unix") as f:
        unix = {"socket:[%s]" % l.split()[6] for l in f.readlines()[1:]}
    for pid in w.children():
        assert not links(pid) & master & unix


class Notify:
    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(str(path))
        self.s.settimeout(10 * SLOW)
        self.path = str(path)

    def wait(self, word):
        for _ in range(100):
            text = self.s.recv(4096).decode()
            if word in text:
                return text
        raise AssertionError(word)


def test_service_manager_is_told(weir, tmp_path):
    n = Notify(tmp_path / "notify")
    w = weir(SITE, env={"NOTIFY_SOCKET": n.path, "WATCHDOG_USEC": "400000"})
    n.wait("READY=1")
    n.wait("WATCHDOG=1")
    w.process.send_signal(signal.SIGHUP)
    assert "MONOTONIC_USEC=" in n.wait("RELOADING=1")
    n.wait("READY=1")
    w.process.send_signal(signal.SIGTERM)
    n.wait("STOPPING=1")


def test_metrics_and_status(weir):
    w = weir(SITE)
    for _ in range(5):
        w.get()
    text = w.get("/metrics", port="port1").text
    values = dict(l.rsplit(" ", 1) for l in text.splitlines()
                  if not l.startswith("#"))
    assert values["weir_http_requests_total"] == "5"
    assert values['weir_http_responses_total{class="2xx"}'] == "5"
    assert values["weir_workers"] == "2"
    status = json.loads(w.get("/status", port="port1").text)
    assert status["totals"]["http"]["weir_http_requests_total"] == 5
    assert len([p for p in status["processes"] if p["role"] == "worker"]) == 2
    assert w.get("/other", port="port1").status == 404


def test_counters_survive_a_reload(weir):
    w = weir(SITE)
    for _ in range(5):
        w.get()
    assert w.reload().returncode == 0
    wait_until(lambda: len(w.children()) == 3)
    w.get()
    text = w.get("/metrics", port="port1").text
    assert "weir_http_requests_total 6" in text
    assert "weir_config_reloads_total 1" in text
