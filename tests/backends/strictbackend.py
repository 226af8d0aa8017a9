"""A backend that takes nothing on trust: every request that reaches it must be
what a careful proxy writes. What is not is kept in `complaints`.

    with StrictBackend() as b:
        ... anything through the proxy to 127.0.0.1:b.port ...
        assert b.complaints == []

It answers with the `id` of the query and the length of the body it read, in one
framing or the other, and now and then does not answer at all.
"""

import random
import re
import socket
import threading

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
LINE = re.compile(TOKEN + rb"{1,32} (/[!-~]*|\*) HTTP/1\.1")
FIELD = re.compile(rb"(" + TOKEN + rb"+): ([\t -~\x80-\xff]*)")
# What ends at a proxy (RFC 9110 section 7.6.1), or is written by it alone.
HOP = (b"te", b"keep-alive", b"proxy-connection", b"expect", b"trailer")


class Complaint(Exception):
    pass


class Conversation:
    def __init__(self, sock, seed):
        self.sock, self.random = sock, random.Random(seed)
        self.buffer = self.stream = b""

    def more(self):
        data = self.sock.recv(65536)
        if not data:
            raise EOFError
        self.buffer += data
        self.stream = (self.stream + data)[-4000:]

    def until(self, end):
        while end not in self.buffer:
            self.more()
        data, self.buffer = self.buffer.split(end, 1)
        return data

    def exactly(self, n):
        while len(self.buffer) < n:
            self.more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def complain_unless(self, good, why):
        if not good:
            raise Complaint(why, self.stream)

    def head(self):
        line, *lines = self.until(b"\r\n\r\n").split(b"\r\n")
        self.complain_unless(LINE.fullmatch(line), "request line")
        fields = {}
        for text in lines:
            m = FIELD.fullmatch(text)
            self.complain_unless(m, "field")
            fields.setdefault(m[1].lower(), []).append(m[2])
        return line, fields

    def body(self, fields):
        length = fields.get(b"content-length", [])
        coding = fields.get(b"transfer-encoding", [])
        self.complain_unless(len(length) + len(coding) <= 1, "two framings")
        self.complain_unless(coding in ([], [b"chunked"]), "coding")
        if coding:
            return self.chunks()
        self.complain_unless(not length or length[0].isdigit(), "length")
        return self.exactly(int(length[0]) if length else 0)

    def chunks(self):
        body = b""
        while True:
            size = self.until(b"\r\n")
            self.complain_unless(re.fullmatch(rb"[0-9a-f]+", size), "chunk")
            if int(size, 16) == 0:
                break
            body += self.exactly(int(size, 16))
            self.complain_unless(self.exactly(2) == b"\r\n", "chunk's end")
        while trailer := self.until(b"\r\n"):
            self.complain_unless(FIELD.fullmatch(trailer), "trailer")
        return body

    def request(self):
        line, fields = self.head()
        self.complain_unless(len(fields.get(b"host", [])) == 1, "host")
        for name in HOP:
            self.complain_unless(name not in fields, "hop-by-hop field")
        named = b",".join(fields.get(b"connection", []))
        self.complain_unless(named in (b"", b"close", b"upgrade"),
                             "connection")
        return line, self.body(fields)

    def answer(self, line, body):
        """False: the connection is over."""
        query = re.search(rb"id=(\d+)", line)
        text = b"id=%s n=%d" % (query[1] if query else b"?", len(body))
        is_head = line.startswith(b"HEAD ")
        choice = self.random.random()
        if choice < 0.6:
            head = b"Content-Length: %d\r\n\r\n" % len(text)
        elif choice < 0.8:
            head = b"Transfer-Encoding: chunked\r\n\r\n"
            text = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
        elif choice < 0.9:
            head = b"Connection: close\r\n\r\n"
        else:
            return False
        self.sock.sendall(b"HTTP/1.1 200 OK\r\n" + head +
                          (b"" if is_head else text))
        return choice < 0.8


class StrictBackend:
    def __init__(self, port=0):
        self.server = socket.create_server(("127.0.0.1", port), backlog=512)
        self.port = self.server.getsockname()[1]
        self.complaints = []
        self.requests = 0

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.server.shutdown(socket.SHUT_RDWR)
        self.server.close()

    def _accept(self):
        number = 0
        while True:
            try:
                sock, _ = self.server.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self._converse, args=(sock, number),
                             daemon=True).start()

    def _converse(self, sock, number):
        sock.settimeout(30)
        c = Conversation(sock, number)
        with sock:
            try:
                while c.answer(*c.request()):
                    self.requests += 1
            except (EOFError, OSError):
                pass
            except Complaint as e:
                self.complaints.append(e.args)
