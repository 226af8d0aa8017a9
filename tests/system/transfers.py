"""Many transfers of random sizes while the daemon is mistreated.

Each is an upload or a download whose bytes are known by their SHA-256. Either
the digest is right at the other end or the client can tell that it is not
whole: an error status, a reset, an end before the length or the last chunk.
What is told as complete and is not is wrong, and so is an answer to somebody
else's request.

    r = Transfers(w, backend, count=300, seed=1).run(storm)
    r.wrong, r.failed, r.done

`storm` is called again and again, in a thread of its own, until all is over.
"""

import hashlib
import http.server
import os
import random
import select
import signal
import socket
import socketserver
import ssl
import threading
import time

SITE = """
    workers: 2
    shutdown_timeout: 20s
    http: {max_body_size: 0}
    admin: unix:{dir}/admin.sock
    sites:
      - listen: {http: {port}, https: {port1}}
        tls: {self_signed: on}
        routes: [{proxy: "http://%s"}]
"""

MOST = 4 << 20
POOL = random.Random(4711).randbytes(MOST + (1 << 16))


def body_of(number, size):
    """Bytes that no other transfer has at the same place."""
    at = number * 7919 % (1 << 16)
    return memoryview(POOL)[at:at + size]


def size_of(rng):
    """Few are large, and all powers of two in between are as likely."""
    if rng.random() < 0.1:
        return 0
    return min(int(2 ** rng.uniform(0, 22)), MOST)


class Handler(http.server.BaseHTTPRequestHandler):
    """PUT answers with what came: "number size digest". GET /number/size
    sends those bytes, chunked if /c/ stands before."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, *args):
        pass

    def read_chunked(self):
        while True:
            size = int(self.rfile.readline(), 16)
            part = self.rfile.read(size)
            if len(part) < size or self.rfile.readline() != b"\r\n":
                raise ConnectionError("short")
            if size == 0:
                return
            yield part

    def read_sized(self):
        left = int(self.headers["Content-Length"])
        while left > 0:
            part = self.rfile.read(min(left, 1 << 16))
            if not part:
                raise ConnectionError("short")
            left -= len(part)
            yield part

    def do_PUT(self):
        digest, n = hashlib.sha256(), 0
        chunked = "Transfer-Encoding" in self.headers
        try:
            for part in self.read_chunked() if chunked else self.read_sized():
                digest.update(part)
                n += len(part)
        except (ConnectionError, ValueError):
            self.close_connection = True
            return
        text = b"%s %d %s" % (self.path.split("/")[1].encode(), n,
                              digest.hexdigest().encode())
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        way, number, size = self.path.split("/")[1:]
        body = body_of(int(number), int(size))
        self.send_response(200)
        self.send_header("X-Number", number)
        if way != "c":
            self.send_header("Content-Length", size)
            self.end_headers()
            self.wfile.write(body)
            return
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        step = 1 + int(number) * 1237 % 70000
        for at in range(0, len(body), step):
            part = body[at:at + step]
            self.wfile.write(b"%x\r\n" % len(part))
            self.wfile.write(part)
            self.wfile.write(b"\r\n")
        self.wfile.write(b"0\r\n\r\n")


class Backend(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, address):
        pass  # its peer was killed

    def __exit__(self, *args):
        self.shutdown()
        super().__exit__(*args)


class Visible(Exception):
    """A failure that the client can see."""


class Wrong(Exception):
    """One that it cannot, or that must not be."""


def is_over(s):
    """Whether the server has ended it between two requests. Of TLS nothing
    else is there to be read."""
    return bool(select.select([s], [], [], 0)[0])


class Connection:
    def __init__(self, s):
        self.s, self.f = s, s.makefile("rb", 1 << 16)
        self.served = 0         # transfers so far
        self.is_begun = False   # an answer, which is not there as a whole

    def close(self):
        self.f.close()
        self.s.close()


class Transfers:
    def __init__(self, w, count, seed, clients=50, timeout=60):
        self.w, self.count, self.seed = w, count, seed
        self.clients, self.timeout = clients, timeout
        self.done = self.bytes = self.next = 0
        self.failed, self.wrong, self.again = [], [], []
        self.resent, self.finished = 0, set()
        self.lock = threading.Lock()

    def run(self, storm=None):
        threads = [threading.Thread(target=self.client, args=(i,),
                                    daemon=True)
                   for i in range(self.clients)]
        for t in threads:
            t.start()
        while storm and any(t.is_alive() for t in threads):
            storm()
        for t in threads:
            t.join()
        return self

    def take(self, most):
        with self.lock:
            if self.again:
                return [self.again.pop()]
            first = self.next
            self.next = min(self.count, first + most)
            return range(first, self.next)

    def client(self, number):
        rng = random.Random("%s %d" % (self.seed, number))
        connection = None
        while True:
            # Downloads may be pipelined, what follows an upload may not.
            batch = self.take(rng.choice([1, 1, 1, 2, 5]))
            if not batch:
                break
            if connection and (rng.random() < 0.2 or is_over(connection.s)):
                connection = self.drop(connection)
            try:
                connection = connection or self.connect(rng)
                if len(batch) > 1 or rng.random() < 0.5:
                    is_last = self.download(connection, batch, rng)
                else:
                    is_last = self.upload(connection, batch[0], rng)
                if is_last:
                    connection = self.drop(connection)
            except Wrong as e:
                self.wrong.append("%s: %s" % (list(batch), e))
                connection = self.drop(connection)
            except (Visible, OSError, ValueError) as e:
                self.fail(connection, batch, e)
                connection = self.drop(connection)
        self.drop(connection)

    def connect(self, rng):
        tls = rng.random() < 0.5
        s = self.w.connect("port1" if tls else "port", self.timeout)
        if tls:
            s = ssl._create_unverified_context().wrap_socket(s)
        return Connection(s)

    def drop(self, connection):
        if connection is not None:
            connection.close()

    def fail(self, connection, batch, e):
        """The end of a kept connection may cross with the next request,
        which is sent again then, as all of ours may be
        (RFC 9112 section 9.3.1)."""
        crossed = (connection is not None and connection.served > 0 and
                   not connection.is_begun)
        with self.lock:
            left = [n for n in batch if n not in self.finished]
            if crossed:
                self.resent += len(left)
                self.again += left
            else:
                self.failed.append("%s: %r" % (left, e))

    # -- one transfer

    def head(self, connection):
        f = connection.f
        line = f.readline()
        connection.is_begun = line != b""
        fields = {}
        while True:
            field = f.readline()
            if field == b"\r\n":
                break
            if not field.endswith(b"\r\n"):
                raise Visible("no answer")
            name, _, value = field.partition(b":")
            fields[name.strip().lower()] = value.strip()
        if b" 200 " not in line:
            raise Visible(line.decode("latin-1"))
        return fields

    def body(self, f, fields):
        if fields.get(b"transfer-encoding") == b"chunked":
            return self.chunks(f)
        n = int(fields[b"content-length"])
        data = f.read(n)
        if len(data) < n:
            raise Visible("%d of %d bytes" % (len(data), n))
        return data

    def chunks(self, f):
        data = bytearray()
        while True:
            line = f.readline()
            if not line.endswith(b"\r\n"):
                raise Visible("no last chunk")
            size = int(line, 16)
            part = f.read(size)
            if len(part) < size or f.readline() != b"\r\n":
                raise Visible("a chunk is cut")
            if size == 0:
                return data
            data += part

    def finish(self, connection, number, n):
        connection.served += 1
        connection.is_begun = False
        with self.lock:
            self.finished.add(number)
            self.done += 1
            self.bytes += n

    def download(self, connection, batch, rng):
        sizes = {n: size_of(rng) for n in batch}
        connection.s.sendall(b"".join(
            b"GET /%s/%d/%d HTTP/1.1\r\nHost: x\r\n\r\n" %
            (rng.choice([b"c", b"l"]), n, sizes[n]) for n in batch))
        for n in batch:
            fields = self.head(connection)
            data = self.body(connection.f, fields)
            want = body_of(n, sizes[n])
            if hashlib.sha256(data).digest() != hashlib.sha256(want).digest():
                raise Wrong("%d of %d bytes, of %s" % (
                    len(data), sizes[n], fields.get(b"x-number")))
            self.finish(connection, n, len(data))
            # What was sent behind the last that is answered was not looked
            # at, and may be sent again (RFC 9112 section 9.6).
            if fields.get(b"connection") == b"close":
                with self.lock:
                    self.again += [k for k in batch if k > n]
                return True
        return False

    def upload(self, connection, n, rng):
        s = connection.s
        body = body_of(n, size_of(rng))
        if rng.random() < 0.5:
            s.sendall(b"PUT /%d HTTP/1.1\r\nHost: x\r\n"
                      b"Content-Length: %d\r\n\r\n" % (n, len(body)))
            s.sendall(body)
        else:
            s.sendall(b"PUT /%d HTTP/1.1\r\nHost: x\r\n"
                      b"Transfer-Encoding: chunked\r\n\r\n" % n)
            self.send_chunks(s, body, rng)
        fields = self.head(connection)
        answer = bytes(self.body(connection.f, fields))
        want = b"%d %d %s" % (n, len(body),
                              hashlib.sha256(body).hexdigest().encode())
        if answer != want:
            raise Wrong("%r, not %r" % (answer, want))
        self.finish(connection, n, len(body))
        return fields.get(b"connection") == b"close"

    def send_chunks(self, s, body, rng):
        at, step = 0, rng.choice([100, 5000, 70000, 1 << 20])
        if len(body) > 100 * step:
            step = 70000
        while at < len(body):
            n = rng.randint(1, step)
            part = bytes(body[at:at + n])
            s.sendall(b"%x\r\n%s\r\n" % (len(part), part))
            at += len(part)
        s.sendall(b"0\r\n\r\n")


def storm_of(w, workers, seed, every, kills=0.3):
    """HUP, and with that probability the death of a worker instead, but for the
    first."""
    rng = random.Random(seed)
    told = {"reloads": 0, "kills": 0}

    def storm():
        time.sleep(rng.uniform(0, 2 * every))
        if told["reloads"] == 0 or rng.random() >= kills:
            w.process.send_signal(signal.SIGHUP)
            told["reloads"] += 1
            return
        pids = workers()
        if pids:
            try:
                os.kill(rng.choice(pids), signal.SIGKILL)
                told["kills"] += 1
            except ProcessLookupError:
                pass

    return storm, told


def workers_of(w):
    """All workers, by the admin endpoint; none while it is between two."""
    import json
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(str(w.dir / "admin.sock"))
            s.sendall(b"GET /status HTTP/1.0\r\nHost: x\r\n\r\n")
            data = b"".join(iter(lambda: s.recv(1 << 16), b""))
        processes = json.loads(data.partition(b"\r\n\r\n")[2])["processes"]
    except (OSError, ValueError):
        return []
    return [p["pid"] for p in processes if p["role"] == "worker"]
