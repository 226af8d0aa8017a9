"""Workers that live and do nothing: found, reported, replaced."""

import os
import re
import signal
import subprocess
import time

from conftest import SLOW, WEIR, recv_all, wait_until
from load import WORKER, Load
from test_process import Notify, alive, workers

SITE = """
    workers: 2
    watchdog: 3s
    admin: 127.0.0.1:{port1}
    sites:
      - listen: {port}
        %s
        routes: [{respond: {body: "here\\n"}}]
""" % WORKER


def stop(w):
    """Stops the first worker; its pid, and when."""
    victim = workers(w)[0]
    w.allow_crash = True  # by the signal that asks for the report
    os.kill(victim, signal.SIGSTOP)
    return victim, time.monotonic()


def test_stopped_worker_is_replaced(weir):
    w = weir(SITE)
    load = Load(w, connections=8, pauses=(0.05,)).start()
    wait_until(lambda: load.answered > 50)
    victim, began = stop(w)
    wait_until(lambda: not alive(victim), 12)
    # Three seconds of silence, two for a report that cannot come.
    assert 2 < time.monotonic() - began < 8 * SLOW
    wait_until(lambda: len(set(workers(w)) - {victim}) == 2)
    load.end()
    assert {worker for worker, _ in load.failures} <= {victim, None}
    log = w.log()
    assert re.search(r"crit master\[\d+\]: worker \d \(%d\) is stuck: its "
                     r"loop has not turned for 3 s, its state is "
                     r"T \(stopped\)" % victim, log)
    assert "(%d) did not end, its state is T (stopped): killing" % victim in log
    assert "weir_worker_stuck_total 1" in w.get("/metrics", port="port1").text
    # Both serve, and nobody else was hurt.
    seen = set()

    def hear():
        seen.add(int(w.get().headers["X-Worker"]))
        return seen == set(workers(w))

    wait_until(hear)
    assert log.count("is stuck") == 1


def test_others_serve_meanwhile(weir):
    w = weir(SITE)
    victim, _ = stop(w)
    served = 0
    while alive(victim):
        with w.connect() as s:
            s.settimeout(0.2)
            s.sendall(b"GET / HTTP/1.0\r\nHost: x\r\n\r\n")
            try:
                served += b"here" in recv_all(s)
            except TimeoutError:
                pass  # it waits in the queue of the stopped one
    assert served > 3
    wait_until(lambda: w.get().status == 200)


# Writing the log is a callback's work. This one never comes back from it, as
# soon as a line says so.
HANG = r"""
#define _GNU_SOURCE
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

ssize_t
write(int fd, const void *p, size_t n)
{
	while (n == 6 && memcmp(p, "/hang\n", 6) == 0)
		pause();
	return syscall(SYS_write, fd, p, n);
}
"""


def test_worker_stuck_in_a_callback_says_where(weir, tmp_path):
    (tmp_path / "hang.c").write_text(HANG)
    library = str(tmp_path / "hang.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library,
                    str(tmp_path / "hang.c")], check=True)
    w = weir("""
        watchdog: 3s
        access_log: {to: {dir}/access.log, format: '$uri', buffer: 0}
        sites: [{listen: {port}, routes: [{respond: 204}]}]
    """, env={"LD_PRELOAD": library, "ASAN_OPTIONS": ":".join(
        [os.environ.get("ASAN_OPTIONS", ""), "verify_asan_link_order=0"])})
    w.allow_crash = True
    with w.connect() as s:
        s.sendall(b"GET /hang HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        w.wait_log("was killed by signal 6", 12)
        recv_all(s)
    report = w.log()
    assert "is stuck: its loop has not turned for 3 s" in report
    # Confined, it may not even pause.
    assert re.search(r"its state is [RS] \((running|sleeping)\)", report)
    assert "panic: signal 6 (SIGABRT) from process %d" % w.pid in report
    frames = report.partition("backtrace:\n")[2].partition("callback")[0]
    assert "hang.so(write" in frames
    assert frames.count(os.path.basename(WEIR) + "(") > 5
    assert ('request in hand: "GET /hang HTTP/1.1" host shop.example'
            in report)
    assert "did not end" not in report
    assert w.get().status == 204


def test_stuck_worker_that_drains_is_ended(weir):
    w = weir("    shutdown_timeout: 600s\n" + SITE)
    old = set(w.children())
    victim, _ = stop(w)
    assert w.reload().returncode == 0
    wait_until(lambda: not old & set(w.children()), 12)
    assert "(%d) is stuck" % victim in w.log()
    assert len(w.children()) == 3


def test_stuck_scout_is_replaced(weir):
    w = weir(SITE)
    scout, = set(w.children()) - set(workers(w))
    w.allow_crash = True
    os.kill(scout, signal.SIGSTOP)
    wait_until(lambda: not alive(scout), 12)
    wait_until(lambda: len(w.children()) == 3)
    assert "scout (%d) is stuck" % scout in w.log()
    assert len(workers(w)) == 2


def test_worker_in_a_debugger_is_left_alone(weir):
    w = weir(SITE)
    victim = workers(w)[0]
    # It stands still where a breakpoint would be.
    with subprocess.Popen(
            ["strace", "-p", str(victim), "-e", "trace=epoll_wait,epoll_pwait",
             "-e", "inject=epoll_wait,epoll_pwait:delay_enter=600s"],
            stderr=subprocess.PIPE, text=True) as tracer:
        assert "attached" in tracer.stderr.readline()
        w.wait_log("(%d) is held by a debugger" % victim, 12)
        time.sleep(3)
        assert alive(victim)
        tracer.terminate()
        tracer.wait(10 * SLOW)
    assert "is stuck" not in w.log()
    assert w.log().count("is held by a debugger") == 1


def test_service_manager_is_fed_while_a_worker_is_stuck(weir, tmp_path):
    n = Notify(tmp_path / "notify")
    w = weir(SITE, env={"NOTIFY_SOCKET": n.path, "WATCHDOG_USEC": "400000"})
    n.wait("READY=1")
    victim, _ = stop(w)
    last = time.monotonic()
    while alive(victim):
        n.wait("WATCHDOG=1", sender=w.pid)
        assert time.monotonic() - last < 0.4 * SLOW
        last = time.monotonic()
    assert w.process.poll() is None
