"""Processes: signals, reloads, crashes, upgrades, rights."""

import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

import pytest

import conftest
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


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGQUIT])
def test_ends_also_while_it_reloads(weir, signo):
    for delay in 0, 0.002, 0.004, 0.006, 0.008, 0.012:
        w = weir(SITE)
        w.process.send_signal(signal.SIGHUP)
        w.wait_log("reloading")
        time.sleep(delay * SLOW)
        w.process.send_signal(signo)
        assert w.process.wait(10 * SLOW) == 0, w.log()
        assert "did not end in time" not in w.log()


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


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to change users")
@pytest.mark.parametrize("user", ["nobody", "www-data"])
def test_what_only_root_can_open_serves_without_root(weir, user):
    """Keys, logs and sockets in a directory that the workers cannot enter."""
    w = weir("""
        user: %s
        workers: 2
        error_log: {dir}/error.log
        access_log: {to: {dir}/access.log, buffer: 0}
        admin: unix:{dir}/admin.sock
        sites:
          - listen: {https: ["unix:{dir}/tls.sock", {port1}], http: {port}}
            tls: {certificates: [{certificate: a.pem, key: a.key}]}
            routes: [{respond: {body: "one\\n"}}]
    """ % user, start=False)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a",
                    "-keyout", str(w.dir / "a.key"), "-out",
                    str(w.dir / "a.pem")], check=True, capture_output=True)
    (w.dir / "a.key").chmod(0o600)
    w.dir.chmod(0o700)
    log = w.dir / "error.log"
    w.log_path = w.dir / "stderr"
    w.is_serving = lambda: log.exists() and "serves with" in log.read_text()
    w.start()

    def curl(socket_path, url):
        return subprocess.run(
            ["curl", "-sk", "-m", "10", "--unix-socket",
             str(w.dir / socket_path), url], capture_output=True, text=True)

    def is_served():
        return (w.get().text == "one\n" and
                w.get(port="port1", tls=True).text == "one\n" and
                curl("tls.sock", "https://x/").stdout == "one\n" and
                "weir_workers 2" in curl("admin.sock",
                                         "http://x/metrics").stdout)

    assert is_served()
    uid = pwd.getpwnam(user).pw_uid
    for pid in w.children():
        assert os.stat("/proc/%d" % pid).st_uid == uid
    # Once more after what an operator does to a running daemon.
    assert w.reload().returncode == 0
    assert is_served()
    for name in "access.log", "error.log":
        (w.dir / name).rename(w.dir / (name + ".1"))
    assert w.command("-s", "reopen").returncode == 0
    lines = len(w.access_log().splitlines())
    assert is_served()
    wait_until(lambda: len(w.access_log().splitlines()) == lines + 3)
    assert log.exists()
    w.stop()
    assert not (w.dir / "tls.sock").exists()
    assert not (w.dir / "admin.sock").exists()


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
    """$NOTIFY_SOCKET, as the service manager holds it."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.s.bind(str(path))
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.s.settimeout(10 * SLOW)
        self.path = str(path)

    def wait(self, word, sender=None):
        for _ in range(100):
            data, ancillary, _, _ = self.s.recvmsg(4096, 64)
            pid = struct.unpack("iii", ancillary[0][2])[0]
            if word in data.decode() and sender in (None, pid):
                return data.decode()
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


def test_service_manager_hears_of_a_refused_reload(weir, tmp_path):
    n = Notify(tmp_path / "notify")
    w = weir(SITE, env={"NOTIFY_SOCKET": n.path})
    assert "STATUS=serving" in n.wait("READY=1")
    assert w.reload(SITE + "    upsteams: {}\n").returncode == 1
    n.wait("RELOADING=1")
    # READY ends the reload, however it went (sd_notify(3)).
    assert "STATUS=serving; the last reload failed" in n.wait("READY=1")
    assert w.reload(SITE).returncode == 0
    n.wait("RELOADING=1")
    assert n.wait("READY=1").endswith("STATUS=serving")


def test_service_manager_follows_an_upgrade(weir, tmp_path, monkeypatch):
    script = tmp_path / "as-systemd-does"
    script.write_text('#!/bin/sh\nWATCHDOG_PID=$$ exec "%s" "$@"\n' % WEIR)
    script.chmod(0o755)
    n = Notify(tmp_path / "notify")
    w = weir(SITE, env={"NOTIFY_SOCKET": n.path, "WATCHDOG_USEC": "400000"},
             start=False)
    with monkeypatch.context() as m:
        m.setattr(conftest, "WEIR", str(script))
        w.start()
    n.wait("WATCHDOG=1", sender=w.pid)
    assert w.command("-s", "upgrade").returncode == 0
    new = int((w.dir / "weir.pid").read_text())
    try:
        # The old one says it: of others the manager takes no word before.
        last = n.wait("MAINPID=%d" % new, sender=w.pid)
        assert "STOPPING" not in last
        n.wait("WATCHDOG=1", sender=new)
        w.process.wait(10 * SLOW)
    finally:
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not alive(new))


UNIT = pathlib.Path(__file__).parents[2] / "contrib/systemd/weir.service"


def test_unit_is_understood(weir, tmp_path):
    """As `make install` leaves it, and by systemd's own eyes."""
    unit = tmp_path / "weir.service"
    text = UNIT.read_text().replace("@sbindir@/weir",
                                    os.path.abspath(WEIR))
    unit.write_text(text.replace("@confdir@", "/etc/weir"))
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    r = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)],
                       capture_output=True, text=True, timeout=60)
    said = [l for l in r.stderr.splitlines() if "weir.service" in l]
    assert r.returncode == 0 and said == [], r.stderr
    # Its commands are ours.
    w = weir(SITE)
    for key in "ExecStartPre", "ExecReload":
        command = re.search("^%s=(.*)$" % key, text, re.M)[1].replace(
            "@confdir@/weir.yaml", str(w.config)).split()
        assert subprocess.run(command, timeout=60).returncode == 0, command


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
