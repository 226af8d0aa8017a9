"""A backend that records, byte for byte, what reaches it.

    with Recorder(port, path) as b:
        run = b.begin()
        ... requests through the proxy ...
        b.settle()
        assert run.whole == b"GET / HTTP/1.1\\r\\n..."

`whole` are the requests that were complete, in their order; `rest` is what came
and is not a request (yet). The content of a chunked body counts as one chunk:
how it was cut is not the proxy's doing alone. It listens on a port and on a
unix socket at once.

It answers 200 and "ok", an Upgrade with 101 and an echo, or what `begin` was
given. A request for /next is not recorded: it asks on which connection it came.
"""

import fcntl
import os
import re
import select
import socket
import struct
import termios
import threading
import time

SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
NEXT = (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n"
        b"next")
WEBSOCKET = (rb"\r\nupgrade: *websocket\r\n",
             rb"\r\nconnection: *upgrade\r\n")
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
          b"Upgrade: websocket\r\n\r\n")


def wait_taken(sock, seconds=0.005):
    """Until the peer has read all that was sent, which a unix socket tells,
    or does not want to."""
    end = time.monotonic() + seconds
    left = b"\0" * 4
    while time.monotonic() < end:
        if not any(fcntl.ioctl(sock, termios.TIOCOUTQ, left)):
            return
        os.sched_yield()


def has_unread(sock):
    return bool(select.select([sock], [], [], 0)[0])


def send_pieces(sock, pieces):
    """False: the peer does not take it any more."""
    is_unix = sock.family == socket.AF_UNIX
    try:
        for piece in pieces:
            sock.sendall(piece)
            if is_unix:
                wait_taken(sock)
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


class Run:
    """What reached the backend since `begin`."""

    def __init__(self, answer, end, cut):
        self.whole, self.connections, self.next_on = b"", [], None
        self.answer, self.end, self.cut = answer, end, cut
        self.answered = threading.Event()
        self.conversations = set()

    @property
    def rest(self):
        return b"".join(bytes(c.unread) for c in self.conversations)


class Ended(Exception):
    pass


class Conversation:
    def __init__(self, backend, sock, number):
        self.backend, self.sock, self.number = backend, sock, number
        self.unread = bytearray()  # not part of a complete request
        self.run = None            # to which it belongs
        self.busy = True

    def more(self):
        self.busy = False
        select.select([self.sock], [], [])
        with self.backend.lock:
            self.busy = True
            try:
                data = self.sock.recv(65536)
            except OSError:
                data = b""
            if not data:
                raise Ended
            if not self.unread:
                self.run = self.backend.run
                self.run.conversations.add(self)
            self.unread += data

    def until(self, at, end):
        while (found := self.unread.find(end, at)) < 0:
            self.more()
        return found + len(end)

    def upto(self, n):
        while len(self.unread) < n:
            self.more()
        return n

    def chunks(self, at):
        """Where they end, and how they count."""
        content = b""
        while True:
            line = self.until(at, b"\r\n")
            digits = bytes(self.unread[at:line - 2])
            if not SIZE.fullmatch(digits):
                raise Ended  # it stays unread, and will be seen
            size, at = int(digits, 16), line
            if size == 0:
                break
            self.upto(at + size + 2)
            content += self.unread[at:at + size]
            if self.unread[at + size:at + size + 2] != b"\r\n":
                raise Ended
            at += size + 2
        begin = at
        while (line := self.until(at, b"\r\n")) > at + 2:
            at = line
        trailers = bytes(self.unread[begin:line])
        data = b"%x\r\n%s\r\n" % (len(content), content) if content else b""
        return line, data + b"0\r\n" + trailers

    def request(self):
        end = self.until(0, b"\r\n\r\n")
        head = bytes(self.unread[:end])
        length = re.findall(rb"\r\ncontent-length: *(\d+)\r\n", head, re.I)
        coding = re.findall(rb"\r\ntransfer-encoding: *(.*?)\r\n", head, re.I)
        if re.search(rb"\r\nexpect: *100-continue", head, re.I):
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if coding:
            end, body = self.chunks(end)
        else:
            begin, end = end, end + int(length[0] if length else 0)
            self.upto(end)
            body = bytes(self.unread[begin:end])
        del self.unread[:end]
        return head, head + body

    def tunnel(self):
        run = self.run
        while True:
            self.upto(1)
            data = bytes(self.unread)
            self.unread.clear()
            run.whole += data
            self.sock.sendall(data)

    def end(self, how):
        if how == "reset":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                 struct.pack("ii", 1, 0))
        raise Ended

    def answer(self, run):
        send_pieces(self.sock, run.cut(run.answer))
        run.answered.set()
        if run.end:
            self.end(run.end)

    def converse(self):
        while True:
            head, request = self.request()
            run = self.run
            if head.startswith(b"GET /next "):
                run.next_on = self.number
                self.sock.sendall(NEXT)
                continue
            run.whole += request
            run.connections.append(self.number)
            if run.answer is not None:
                self.answer(run)
            elif all(re.search(p, head, re.I) for p in WEBSOCKET):
                self.sock.sendall(SWITCH)
                self.tunnel()
            else:
                is_head = head.startswith(b"HEAD ")
                self.sock.sendall(OK + (b"" if is_head else b"ok"))

    def __call__(self):
        try:
            self.converse()
        except (Ended, OSError):
            pass
        with self.backend.lock:
            self.backend.conversations.discard(self)
            self.sock.close()


class Recorder:
    def __init__(self, port, path):
        self.servers = [socket.create_server(("127.0.0.1", port)),
                        socket.socket(socket.AF_UNIX)]
        self.port = self.servers[0].getsockname()[1]
        self.servers[1].bind(str(path))
        os.chmod(path, 0o777)  # workers are another user
        self.servers[1].listen(64)
        self.number = 0
        self.lock = threading.Lock()
        self.conversations = set()
        self.begin()

    def __enter__(self):
        for server in self.servers:
            threading.Thread(target=self._accept, args=(server,),
                             daemon=True).start()
        return self

    def __exit__(self, *exc):
        for server in self.servers:
            server.shutdown(socket.SHUT_RDWR)
            server.close()

    def begin(self, answer=None, end="", cut=lambda data: [data]):
        self.run = Run(answer, end, cut)
        return self.run

    def _is_settled(self):
        return not any(has_unread(s) for s in self.servers) and \
            not any(c.busy or has_unread(c.sock) for c in self.conversations)

    def settle(self, seconds=5):
        """Until all that was sent so far has been read and recorded."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if self._is_settled():
                    return
            os.sched_yield()
        raise AssertionError("the backend does not come to rest")

    def _accept_one(self, server):
        with self.lock:
            sock, _ = server.accept()
            self.number += 1
            c = Conversation(self, sock, self.number)
            self.conversations.add(c)
        threading.Thread(target=c, daemon=True).start()

    def _accept(self, server):
        try:
            while select.select([server], [], []):
                self._accept_one(server)
        except (OSError, ValueError):
            pass
