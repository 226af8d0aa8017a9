"""What is measured. A workload is a row: a task, who does it, how one round is
taken. A round answers with a dictionary of numbers; "cpu_us" is the processor
time of the server's whole process tree per answer, "busy" its share of the
time: well below 100 % the load, not the server, was what limited the round.
"""

import contextlib
import dataclasses
import json
import pathlib
import re
import resource
import signal
import subprocess
import time
import typing

from servers import (STREAMS, H2o, Haproxy, Nginx, NginxNoSendfile,
                     NginxNopush, Task, Unavailable, Weir, end, spawn,
                     wait_until)

COUNTED = 10000  # requests under strace
IDLE_SECONDS = 2  # before it counts: some memory is kept a moment for more


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    title: str
    task: Task
    contestants: dict        # name: class; in the order of their turns
    measure: typing.Callable  # (server, seconds) -> {name: number}
    first: str = "per_second"  # what the ratio is of
    once: bool = False       # counts and does not time: a round is enough
    fresh: bool = False      # needs servers that have done nothing yet


# ---- time

@contextlib.contextmanager
def cpu_of(server, result):
    """Adds what the server spent, once the load has told its answers; "all"
    are those of a warm-up too."""
    pids = server.pids()
    cpu, clock = server.cpu_seconds(), time.monotonic()
    yield
    if not set(pids) <= set(server.pids()):
        raise Unavailable("one of its processes ended under load")
    cpu, clock = server.cpu_seconds() - cpu, time.monotonic() - clock
    result["busy"] = cpu / clock
    result["cpu_us"] = 1e6 * cpu / max(1, result.get("all", result["answers"]))


def load(server, argv, seconds):
    """Runs a generator where generators run; its output."""
    log = server.dir / "load"
    log.write_bytes(b"")
    process = spawn(argv, server.place.load_cpu, log)
    try:
        status = process.wait(seconds)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{argv[0]} does not come to an end") from None
    finally:
        end(process)
    text = log.read_text(errors="replace")
    if status != 0:
        raise Unavailable(text.strip() or f"{argv[0]} failed")
    return text


UNITS = {"us": 1, "ms": 1e3, "s": 1e6, "m": 6e7}


def wrk(server, seconds):
    result = {}
    with cpu_of(server, result):
        text = load(server, ["wrk", "-t", 1, "-c", server.task.connections,
                             "-d", f"{seconds}s", "--latency", server.url()],
                    seconds + 30)
        result["answers"] = int(re.search(r"(\d+) requests in", text)[1])
    result["per_second"] = float(re.search(r"Requests/sec: *([\d.]+)", text)[1])
    for share in ("50", "99"):
        number, unit = re.search(rf"^ +{share}% +([\d.]+)(\w+)", text,
                                 re.MULTILINE).groups()
        result[f"p{share}_us"] = float(number) * UNITS[unit]
    errors = re.search(r"Socket errors: (.*)", text)
    result["errors"] = sum(map(int, re.findall(r"\d+", errors[1]))) \
        if errors else 0
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    result["errors"] += int(refused[1]) if refused else 0
    return result


def crowd(server, seconds, *options):
    result = {}
    with cpu_of(server, result):
        text = load(server, [server.place.tools / "crowd",
                             "-c", server.task.connections, "-d", seconds,
                             *options, server.port, server.task.path],
                    seconds + 40)
        result.update(json.loads(text))
    result["errors"] += result.pop("unanswered")
    return result


def closed(server, seconds):
    return crowd(server, seconds, "-w", 1)


def paced(server, seconds):
    return crowd(server, seconds, "-w", 1, "-r", 1)


def handshakes(server, seconds, *options):
    result = {}
    with cpu_of(server, result):
        result.update(json.loads(load(
            server, [server.place.tools / "handshake", *options, server.port,
                     seconds], seconds + 30)))
    return result


def resumptions(server, seconds):
    return handshakes(server, seconds, "-r")


def h2load(server, seconds):
    result = {}
    with cpu_of(server, result):
        text = load(server, ["h2load", "-t", 1, "-c", server.task.connections,
                             "-m", STREAMS, "-D", seconds, server.url()],
                    seconds + 30)
        result["answers"] = int(re.search(r"status codes: (\d+) 2xx", text)[1])
    result["per_second"] = float(re.search(r", ([\d.]+) req/s", text)[1])
    result["errors"] = sum(int(n) for n in re.search(
        r"(\d+) failed, (\d+) errored, (\d+) timeout", text).groups())
    return result


# ---- memory

def settled_kib(server):
    """Memory once it has stopped moving: answers may still be cleaned up."""
    seen = [server.private_kib()]

    def is_still():
        time.sleep(0.1)
        seen.append(server.private_kib())
        return seen[-1] == seen[-2]

    wait_until(is_still)
    return seen[-1]


def idle(server, _seconds):
    """Connections that had one answer and are kept. What the kernel holds for
    them is in no process, and what a server set aside before the first one
    (nginx: some 0.45 KiB for each of worker_connections) is in "start"."""
    connections = []
    try:
        for _ in range(16):
            with server.connect() as s:
                server.ask(s)
        before = settled_kib(server)
        for _ in range(server.task.connections):
            connections.append(server.connect())
            server.ask(connections[-1])
        time.sleep(IDLE_SECONDS)
        after = settled_kib(server)
    finally:
        for s in connections:
            s.close()
    return {"kib": (after - before) / server.task.connections,
            "start_mib": before / 1024}


# ---- system calls

def is_traced(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return "TracerPid:\t0" not in status


def calls(server, _seconds):
    """Of the whole tree, while one kept connection asks 10,000 times."""
    pids, table = server.pids(), server.dir / "calls"
    which = [word for pid in pids for word in ("-p", pid)]
    tracer = spawn(["strace", "-c", "-f", "-U", "name,calls", "-o", table,
                    *which], server.place.load_cpu, server.dir / "strace")
    try:
        if not wait_until(lambda: all(map(is_traced, pids))):
            raise Unavailable("strace may not look at it")
        text = load(server, [server.place.tools / "crowd", "-n", COUNTED,
                             server.port, server.task.path], 120)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(10)
    finally:
        end(tracer)
    result = json.loads(text)
    if result["answers"] != COUNTED or result["errors"]:
        raise Unavailable(f"{result['answers']} of {COUNTED} answers")
    by_name = {name: int(n) / COUNTED for name, n in
               re.findall(r"^(\w+) +(\d+)$", table.read_text(), re.MULTILINE)
               if name != "total"}
    # What happens once in a hundred requests is not part of a request.
    often = {name: round(n, 2) for name, n in by_name.items() if n >= 0.01}
    return {"calls": sum(by_name.values()), "which": often}


# ---- the rows

def crowd_size():
    """A proxied connection takes two descriptors of the server's; the rest is
    left for files, listeners and logs. Beyond 9,500 ports become scarce."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY:
        return 9500
    return min(9500, (hard - 1000) // 2)


CROWD = crowd_size()
IDLE_PLAIN = min(8000, CROWD)
IDLE_TLS = min(2000, CROWD)

FILES = {"weir": Weir, "nginx": Nginx, "nginx sendfile off": NginxNoSendfile}
BULK = {"weir": Weir, "nginx tcp_nopush on": NginxNopush, "nginx": Nginx}
PROXIES = {"weir": Weir, "nginx": Nginx, "haproxy": Haproxy}
TLS = {**PROXIES, "h2o": H2o}


def rows():
    for n in (64, 512):
        yield Workload(f"static-{n}", f"file of 1 KiB, {n} connections",
                       Task(connections=n), FILES, wrk)
    yield Workload("static-1m", "file of 1 MiB, 64 connections",
                   Task(path="/1m.bin"), BULK, crowd)
    for n in (64, 512):
        yield Workload(f"proxied-{n}", f"proxied 1 KiB, {n} connections",
                       Task(proxied=True, connections=n), PROXIES, wrk)
    yield Workload("https", "file of 1 KiB, kept TLS 1.3, 64 connections "
                   "(haproxy: from memory)", Task(tls=True), TLS, wrk)
    yield Workload("http2", "file of 1 KiB over HTTP/2, 32 connections with 32 "
                   "requests each", Task(tls=True, http2=True, connections=32),
                   TLS, h2load)
    yield Workload("http2-proxied", "proxied 1 KiB over HTTP/2, upstream "
                   "HTTP/1.1, 32 connections with 32 requests each",
                   Task(tls=True, http2=True, proxied=True, connections=32),
                   TLS, h2load)
    for name, key, measure, what in (
            ("handshake", "ec", handshakes, "new, ECDSA P-256"),
            ("handshake-rsa", "rsa", handshakes, "new, RSA-2048"),
            ("handshake-resumed", "ec", resumptions, "resumed by ticket")):
        yield Workload(name, f"TLS 1.3 connections, {what}",
                       Task(tls=True, key=key), TLS, measure)
    for name, measure, how in (
            ("crowd", closed, "closed loop"),
            ("crowd-paced", paced, "each asks once a second")):
        yield Workload(name, f"{CROWD} connections, upstream of 20 ms, {how}",
                       Task(proxied=True, connections=CROWD, delay_ms=20),
                       PROXIES, measure)
    for name, what, task, who in (
            ("idle", "", Task(connections=IDLE_PLAIN), PROXIES),
            ("idle-tls", "TLS ", Task(connections=IDLE_TLS, tls=True), TLS),
            ("idle-http2", "HTTP/2 ",
             Task(connections=IDLE_TLS, tls=True, http2=True), TLS)):
        yield Workload(name, f"memory of each of {task.connections} idle "
                       f"{what}connections", task, who, idle,
                       first="kib", once=True, fresh=True)
    for name, task, who in (
            ("calls-static", Task(connections=1), FILES),
            ("calls-proxied", Task(connections=1, proxied=True), PROXIES)):
        yield Workload(name, f"system calls per request, {COUNTED} requests "
                       "on a kept connection", task, who, calls,
                       first="calls", once=True, fresh=True)


WORKLOADS = {w.name: w for w in rows()}
