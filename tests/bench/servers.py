"""The servers that are compared, and the upstream behind them.

Each is one process tree of its own in a directory of its own, one worker,
pinned to one CPU, on a free port of 127.0.0.1:

    s = Nginx("nginx", task, place)
    s.open()
    ... s.url(), s.cpu_seconds(), s.private_kib() ...
    s.close()

A task says what all of them are to do; each class knows how that is written
in the language of its server, and nothing else.
"""

import contextlib
import ctypes
import dataclasses
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import time

import asking

STREAMS = 32    # of a connection that speaks HTTP/2
MANY = 1000000  # requests per connection: none is closed for its age
BACKLOG = 4096
TICKS = os.sysconf("SC_CLK_TCK")


class Unavailable(Exception):
    """This server cannot be measured, and why."""


@dataclasses.dataclass(frozen=True)
class Task:
    proxied: bool = False    # else a file is asked for
    tls: bool = False
    http2: bool = False      # over TLS
    key: str = "ec"          # of the certificate: ec (P-256) or rsa (2048)
    connections: int = 64    # that will be open at the same time
    delay_ms: int = 0        # of the upstream
    path: str = "/1k.bin"

    @property
    def at_once(self):
        """Requests: as many connections to the upstream, at most."""
        return self.connections * (STREAMS if self.http2 else 1)


@dataclasses.dataclass(frozen=True)
class Place:
    """Where everything of one run lies, and which CPU is whose."""
    dir: pathlib.Path        # www/, ec.pem, ec.key, ec.both, rsa.*; readable
    tools: pathlib.Path
    server_cpu: int
    load_cpu: int


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def spawn(argv, cpu, log):
    """A process on that CPU; it ends with us, however we end."""
    prctl = ctypes.CDLL(None).prctl

    def prepare():
        os.sched_setaffinity(0, {cpu})
        prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

    with open(log, "ab") as out:
        return subprocess.Popen([str(a) for a in argv], stdout=out, stderr=out,
                                stdin=subprocess.DEVNULL, preexec_fn=prepare)


def end(process):
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        for pid in reversed(tree_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(5)


def tree_of(pid):
    """The process and all that descend from it, parents first."""
    pids = [pid]
    for p in pids:
        try:
            children = pathlib.Path(f"/proc/{p}/task/{p}/children").read_text()
        except OSError:
            continue
        pids += [int(c) for c in children.split()]
    return pids


def wait_until(condition, seconds=5):
    end_at = time.monotonic() + seconds
    while time.monotonic() < end_at:
        if condition():
            return True
        time.sleep(0.02)
    return False


def can_connect(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Upstream:
    """One for each server: thousands of its connections to the upstream must
    not take the ports or descriptors of the next."""

    def __init__(self, name, task, place):
        self.port = free_port()
        self.process = spawn([place.tools / "upstream", self.port, 1024,
                              task.delay_ms], place.load_cpu,
                             place.dir / f"{name}.upstream.log")
        if not wait_until(lambda: can_connect(self.port)):
            self.close()
            raise Unavailable("the upstream does not start")

    def close(self):
        end(self.process)


class Server:
    binary = None

    def __init__(self, name, task, place):
        self.name, self.task, self.place = name, task, place
        self.process = self.upstream = None
        self.dir = place.dir / name.replace(" ", "-")
        self.log = self.dir / "log"
        self.port = free_port()

    # -- what a subclass says

    def find_binary(self):
        path = shutil.which(self.binary, path=os.environ["PATH"] + ":/usr/sbin")
        if path is None:
            raise Unavailable(f"{self.binary} is not installed")
        return path

    def configuration(self):
        raise NotImplementedError

    def command(self, config):
        raise NotImplementedError

    # -- its life

    def open(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise

    def last_words(self):
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "".join(f"\n    {line}" for line in lines[-8:])

    def start(self):
        binary = self.find_binary()
        self.dir.mkdir(exist_ok=True)
        self.log.write_bytes(b"")
        if self.task.proxied:
            self.upstream = Upstream(self.dir.name, self.task, self.place)
        config = self.dir / "conf"
        config.write_text(self.configuration())
        self.process = spawn([binary, *self.command(config)],
                             self.place.server_cpu, self.log)
        wait_until(lambda: self.process.poll() is not None or
                   can_connect(self.port))
        self.check_answer()

    def check_answer(self):
        """What answers wrongly may be fast, but is not compared."""
        try:
            with self.connect() as s:
                self.ask(s)
        except (OSError, ValueError) as e:
            raise Unavailable(f"no answer ({e})") from e

    def close(self):
        end(self.process)
        if self.upstream is not None:
            self.upstream.close()
        self.process = self.upstream = None

    # -- asking it

    def url(self):
        scheme = "https" if self.task.tls else "http"
        return f"{scheme}://127.0.0.1:{self.port}{self.task.path}"

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), 5)
        if self.task.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.set_alpn_protocols(["h2" if self.task.http2
                                        else "http/1.1"])
            s = context.wrap_socket(s)
        return s

    def ask(self, s):
        ask = asking.http2 if self.task.http2 else asking.http1
        ask(s, self.task.path)

    # -- looking at it: the whole tree, so that it does not matter which of
    #    its processes is the worker

    def pids(self):
        return tree_of(self.process.pid)

    def cpu_seconds(self):
        ticks = 0
        for pid in self.pids():
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat.rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime
        return ticks / TICKS

    def private_kib(self):
        """Pages of its own, and its share of those that it shares."""
        kib = 0
        for pid in self.pids():
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            kib += sum(int(line.split()[1]) for line in rollup.splitlines()
                       if line.startswith("Pss:"))
        return kib


class Weir(Server):
    binary = "weir"

    def find_binary(self):
        path = os.environ.get("WEIR")
        if not path or not os.access(path, os.X_OK):
            raise Unavailable(f"there is no {path or '$WEIR'}")
        return os.path.abspath(path)

    def command(self, config):
        return ["-c", config]

    def configuration(self):
        place, task = self.place, self.task
        address = f"127.0.0.1:{self.port}"
        lines = [
            "version: 1",
            "workers: 1",
            "error_log: {to: stderr, level: warn}",
            f"pid_file: {self.dir}/pid",
            f"http: {{keepalive_requests: {MANY}}}",
            f'listeners: {{"{address}": {{backlog: {BACKLOG}}}}}',
        ]
        if task.proxied:
            lines += [
                "upstreams:",
                "  app:",
                f'    servers: ["127.0.0.1:{self.upstream.port}"]',
                f"    keepalive: {{connections: {task.at_once}, "
                f"requests: {MANY}}}",
            ]
        lines += [
            "sites:",
            f'  - listen: {{{"https" if task.tls else "http"}: "{address}"}}',
            "    access_log: off",
        ]
        if task.tls:
            lines += [f"    tls: {{certificates: [{{certificate: {place.dir}/"
                      f"{task.key}.pem, key: {place.dir}/{task.key}.key}}]}}"]
        lines += ["    routes:", "      - proxy: app" if task.proxied else
                  f"      - files: {{root: {place.dir}/www}}"]
        return "\n".join(lines) + "\n"


class Nginx(Server):
    """As compiled, but for sendfile on, which every distribution sets."""
    binary = "nginx"
    sendfile = "on"
    tcp_nopush = "off"

    def command(self, config):
        return ["-p", self.dir, "-c", config, "-e", "stderr"]

    def configuration(self):
        place, task = self.place, self.task
        temporary = "\n".join(
            f"    {kind}_temp_path {self.dir}/{kind};"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        # Two for each client, and a quarter more: when fewer than a sixteenth
        # are free, nginx closes kept connections.
        connections = max(1024, 5 * task.at_once // 2)
        upstream, tls, where = "", "", f"root {place.dir}/www;"
        kind = "ssl" * task.tls + " http2" * task.http2
        if task.proxied:
            upstream = f"""
    upstream app {{
        server 127.0.0.1:{self.upstream.port};
        keepalive {task.at_once};
        keepalive_requests {MANY};
    }}"""
            where = ('proxy_pass http://app; proxy_http_version 1.1; '
                     'proxy_set_header Connection "";')
        if task.tls:
            tls = f"""
        ssl_certificate {place.dir}/{task.key}.pem;
        ssl_certificate_key {place.dir}/{task.key}.key;
        ssl_protocols TLSv1.3;"""
        return f"""
daemon off;
worker_processes 1;
pid {self.dir}/pid;
error_log stderr;
events {{ worker_connections {connections}; }}
http {{
    access_log off;
    sendfile {self.sendfile};
    tcp_nopush {self.tcp_nopush};
    keepalive_requests {MANY};
{temporary}{upstream}
    server {{
        listen 127.0.0.1:{self.port} {kind} backlog={BACKLOG};{tls}
        location / {{ {where} }}
    }}
}}
"""


class NginxNoSendfile(Nginx):
    sendfile = "off"


class NginxNopush(Nginx):
    tcp_nopush = "on"


class Haproxy(Server):
    """A proxy; what is not proxied is answered from memory."""
    binary = "haproxy"

    def command(self, config):
        return ["-db", "-q", "-f", config]

    def configuration(self):
        place, task = self.place, self.task
        tls = ""
        if task.tls:
            tls = (f" ssl crt {place.dir}/{task.key}.both"
                   " ssl-min-ver TLSv1.3"
                   f" alpn {'h2' if task.http2 else 'http/1.1'}")
        if task.proxied:
            what = f"""
    default_backend app
backend app
    http-reuse always
    server app 127.0.0.1:{self.upstream.port} pool-max-conn {task.at_once}
"""
        else:
            what = f"""
    http-request return status 200 content-type application/octet-stream \
file {place.dir}/www{task.path}
"""
        # The pool's shares are of all descriptors: half of them are the
        # upstream's here, and haproxy would close what is kept above 20 %.
        return f"""
global
    nbthread 1
    maxconn {max(1024, task.at_once + 100)}
    tune.pool-low-fd-ratio 90
    tune.pool-high-fd-ratio 95
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout http-keep-alive 75s
frontend front
    bind 127.0.0.1:{self.port} backlog {BACKLOG}{tls}{what}"""


class H2o(Server):
    """As Debian builds it: with OpenSSL."""
    binary = "h2o"

    def command(self, config):
        return ["-c", config]

    def configuration(self):
        place, task = self.place, self.task
        tls, where = "", f"file.dir: {place.dir}/www"
        if task.tls:
            tls = f"""
  ssl:
    certificate-file: {place.dir}/{task.key}.pem
    key-file: {place.dir}/{task.key}.key"""
        if task.proxied:
            where = (f"proxy.reverse.url: http://127.0.0.1:"
                     f"{self.upstream.port}/")
        return f"""
num-threads: 1
max-connections: {max(1024, 2 * task.connections)}
user: root
pid-file: {self.dir}/pid
error-log: /dev/stderr
listen:
  host: 127.0.0.1
  port: {self.port}{tls}
hosts:
  default:
    paths:
      /:
        {where}
"""
