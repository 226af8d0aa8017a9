"""Starts the daemon for a test and takes it down again.

    def test_it(weir):
        w = weir('''
            sites:
              - listen: {port}
                routes: [{respond: 204}]
        ''')
        assert w.get("/").status == 204

`{port}`, `{port1}` .. `{port9}`, `{dir}` are filled in; other braces are left
alone. At the end the daemon must have exited cleanly and no process of it may
have crashed or tripped a sanitizer.
"""

import http.client
import os
import pathlib
import random
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
WEIR = os.environ.get("WEIR", str(ROOT / "build" / "weir"))
SANITIZED = "SANITIZE" in os.environ or "build-" in WEIR
SLOW = 4 if SANITIZED else 1  # factor for waits

CRASHES = re.compile(
    r"AddressSanitizer|LeakSanitizer|runtime error|assertion failed|"
    r"unreachable code|was killed by signal (?!9\b)(?!15\b)")


ports_given = set()  # of this run


def free_port():
    """One that nothing listens on, and that no test was given before. Below
    those of connections that are dialled, which come and go meanwhile."""
    while True:
        port = random.SystemRandom().randrange(10240, 32768)
        if port in ports_given:
            continue
        ports_given.add(port)
        try:
            for family, host in ((socket.AF_INET, "127.0.0.1"),
                                 (socket.AF_INET6, "::")):
                with socket.socket(family) as s:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    s.bind((host, port))
        except OSError:
            continue
        return port


def wait_until(condition, seconds=10, every=0.02):
    end = time.monotonic() + seconds * SLOW
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError("nothing happened within %s s" % (seconds * SLOW))


class Response:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.text = body.decode("utf-8", "replace")


class Weir:
    def __init__(self, directory, text, args=(), env=None):
        self.dir = pathlib.Path(directory)
        self.ports = {}
        self.config = self.dir / "weir.yaml"
        self.log_path = self.dir / "weir.log"
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        self.allow_crash = False
        self.process = None
        self.write(text)

    # -- configuration

    def fill(self, text):
        import textwrap

        def port(m):
            return str(self.port_of(m.group(1)))

        text = textwrap.dedent(text)
        text = re.sub(r"\{(port\d?)\}", port, text)
        return text.replace("{dir}", str(self.dir))

    def port_of(self, name="port"):
        if name not in self.ports:
            self.ports[name] = free_port()
        return self.ports[name]

    @property
    def port(self):
        return self.port_of("port")

    http_port = port

    def write(self, text):
        text = self.fill(text)
        if not re.search(r"^pid_file:", text, re.M):
            text = "pid_file: %s/weir.pid\n%s" % (self.dir, text)
        if not re.search(r"^user:", text, re.M) and os.geteuid() == 0:
            text = "user: root\n" + text
        if not re.search(r"^workers:", text, re.M):
            text = "workers: 1\n" + text
        self.config.write_text(text)

    # -- life

    def start(self):
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [WEIR, "-c", str(self.config), *self.args],
            stdin=subprocess.DEVNULL, stdout=self.log_file,
            stderr=self.log_file, env=self.env)
        try:
            wait_until(self.is_serving, 15)
        except AssertionError:
            self.process.kill()
            raise AssertionError("weir did not start:\n" + self.log())
        return self

    def is_serving(self):
        if self.process.poll() is not None:
            raise AssertionError("weir ended with %d:\n%s" %
                                 (self.process.returncode, self.log()))
        return "serves with" in self.log()

    def stop(self, signo=signal.SIGTERM):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signo)
        try:
            self.process.wait(15 * SLOW)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("weir did not stop:\n" + self.log())

    def check(self):
        self.stop()
        crash = CRASHES.search(self.log())
        if crash and not self.allow_crash:
            raise AssertionError("it crashed:\n" + self.log())

    def command(self, *args, timeout=60):
        return subprocess.run([WEIR, "-c", str(self.config), *args],
                              stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout * SLOW,
                              env=self.env)

    def reload(self, text=None):
        if text is not None:
            self.write(text)
        return self.command("-s", "reload")

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        out = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.pid)],
                             capture_output=True, text=True).stdout
        return [int(p) for p in out.split()]

    # -- what it says

    def log(self):
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(errors="replace")

    def access_log(self, name="access.log"):
        path = self.dir / name
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_access_log(self, text, seconds=10):
        """The line is written after the response has been sent."""
        wait_until(lambda: text in self.access_log(), seconds)

    def wait_log(self, text, seconds=10):
        wait_until(lambda: text in self.log(), seconds)

    # -- clients

    def url(self, path="/", port="port", scheme="http"):
        return "%s://127.0.0.1:%d%s" % (scheme, self.port_of(port), path)

    def request(self, method, path, headers=None, body=None, port="port",
                tls=False, timeout=20):
        if tls:
            context = ssl._create_unverified_context()
            c = http.client.HTTPSConnection("127.0.0.1", self.port_of(port),
                                            timeout=timeout, context=context)
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port_of(port),
                                           timeout=timeout)
        try:
            c.request(method, path, body=body, headers=headers or {})
            r = c.getresponse()
            return Response(r.status, r.headers, r.read())
        finally:
            c.close()

    def get(self, path="/", headers=None, **kw):
        return self.request("GET", path, headers, **kw)

    def connect(self, port="port", timeout=20):
        s = socket.create_connection(("127.0.0.1", self.port_of(port)),
                                     timeout=timeout)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return s

    def raw(self, data, port="port", timeout=20, half_close=False):
        """Sends bytes, returns all that comes until the server closes."""
        with self.connect(port, timeout) as s:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return recv_all(s)


def recv_all(s):
    got = b""
    try:
        while True:
            part = s.recv(65536)
            if not part:
                return got
            got += part
    except ConnectionResetError:
        return got


@pytest.fixture
def weir(tmp_path):
    made = []

    def make(text, args=(), env=None, start=True):
        directory = tmp_path / ("weir%d" % len(made))
        directory.mkdir()
        w = Weir(directory, text, args, env)
        made.append(w)
        return w.start() if start else w

    yield make
    for w in made:
        w.check()
