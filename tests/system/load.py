"""Clients that ask again and again while a test does something to the daemon.

    load = Load(w, connections=4, path="/a").start()
    ...
    assert load.end().failures == []

A failure is a request that was sent and not answered in full. A connection
that the server ended before the next request was sent is none: a client sees
that and opens another. Every answer carries its `X-Worker` if the site says
so (WORKER), for tests that must know which process failed.
"""

import select
import socket
import threading
import time

from conftest import SLOW

WORKER = 'response_headers: {set: {X-Worker: "$pid"}}'


class Failed(Exception):
    pass


class Connection:
    """One connection, with what is known of its worker."""

    def __init__(self, w, port="port", timeout=10):
        self.s = w.connect(port, timeout * SLOW)
        self.worker = None
        self.buffer = b""

    def close(self):
        self.s.close()

    def is_over(self):
        """Whether the server has ended it between two requests."""
        if not select.select([self.s], [], [], 0)[0]:
            return False
        try:
            return self.s.recv(1, socket.MSG_PEEK) == b""
        except ConnectionResetError:
            return True

    def more(self):
        part = self.s.recv(65536)
        if not part:
            raise Failed("closed without an answer" if not self.buffer
                         else "closed within an answer")
        self.buffer += part

    def ask(self, path="/", expect=b"200", close=False):
        """Sends a request; the body of the answer. It must have a length."""
        self.s.sendall(b"GET %s HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
            path.encode(), b"Connection: close\r\n" if close else b""))
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        line, *fields = head.lower().split(b"\r\n")
        fields = dict(f.split(b": ", 1) for f in fields)
        length = int(fields[b"content-length"])
        while len(self.buffer) < length:
            self.more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        if expect not in line:
            raise Failed(head.decode("latin-1"))
        if b"x-worker" in fields:
            self.worker = int(fields[b"x-worker"])
        self.is_last = fields.get(b"connection") == b"close"
        return body


class Load:
    """`connections` threads; each asks, pauses for one of `pauses` seconds,
    asks again. With kept=False every request has a connection of its own."""

    def __init__(self, w, connections=4, path="/", expect=b"200", kept=True,
                 pauses=(0,), port="port"):
        self.w, self.path, self.expect, self.port = w, path, expect, port
        self.kept, self.pauses = kept, pauses
        self.is_over, self.failures, self.answered = False, [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,),
                                         daemon=True)
                        for i in range(connections)]

    def start(self):
        for t in self.threads:
            t.start()
        return self

    def end(self):
        self.is_over = True
        for t in self.threads:
            t.join(20 * SLOW)
            assert not t.is_alive()
        return self

    def run(self, number):
        c, turn = None, number
        while not self.is_over:
            worker = c.worker if c else None
            try:
                if c is not None and c.is_over():
                    c.close()
                    c = None
                    worker = None
                if c is None:
                    c = Connection(self.w, self.port)
                c.ask(self.path, self.expect, close=not self.kept)
                self.answered += 1
                if c.is_last or not self.kept:
                    c.close()
                    c = None
            except (OSError, Failed) as e:
                self.failures.append((worker, repr(e)))
                if c is not None:
                    c.close()
                c = None
                time.sleep(0.01)
            time.sleep(self.pauses[turn % len(self.pauses)])
            turn += 1
