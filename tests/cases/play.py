"""Plays a case as a client and says what came of it.

The last thing that a client sends is always one more request, the probe: it is
answered if the connection was kept and no reader of it is out of step, and
nothing at all comes if it was closed.
"""

import dataclasses
import random
import re
import socket

from case import Expect, End, Send, Tunnel
from recorder import send_pieces

PROBE = b"GET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
PROBED = (b"x-probe", b"yes")
NEXT = b"GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MODES = ("whole", "bytes", "split")
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"


def cutter(mode, seed):
    """What cuts data as MODE says, always in the same way."""
    chance = random.Random(seed)

    def cut(data):
        if mode == "whole" or len(data) < 2:
            return [data]
        if mode == "bytes":
            return [data[i:i + 1] for i in range(len(data))]
        n = chance.randint(1, min(6, len(data) - 1))
        at = sorted(chance.sample(range(1, len(data)), n))
        return [data[a:b] for a, b in zip([0, *at], [*at, len(data)])]

    return cut


@dataclasses.dataclass
class Seen:
    """A response as a strict client sees it."""
    status: int
    fields: list
    body: bytes = b""
    cut: bool = False
    ends: bool = False  # its end is that of the connection

    def values(self, name):
        return [v for k, v in self.fields if k == name.lower()]


@dataclasses.dataclass
class Outcome:
    seen: list       # responses, one per "<"; None where nothing came
    tunnel: bytes
    kept: bool       # the probe was answered
    extra: bytes     # what came and was not asked for
    waits: bool      # the server said nothing and did not close


class Garbage(Exception):
    """What came is not HTTP."""


class Client:
    def __init__(self, sock, cut):
        self.sock, self.cut = sock, cut
        self.buffer = b""
        self.ended = self.was_reset = self.waits = False

    def send(self, data):
        send_pieces(self.sock, self.cut(data))

    def end(self):
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def more(self):
        """False: nothing will come any more."""
        if self.ended:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data, self.was_reset = b"", True
        except TimeoutError:
            data, self.waits = b"", True
        self.buffer += data
        self.ended = not data
        return not self.ended

    def line(self):
        """A line without its end; None: it does not come."""
        while b"\r\n" not in self.buffer:
            if not self.more():
                return None
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def exactly(self, n):
        while len(self.buffer) < n and self.more():
            pass
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def head(self):
        while not self.buffer:
            if not self.more():
                return None
        line = self.line()
        m = re.fullmatch(rb"HTTP/1\.[01] ([1-9]\d\d) [^\0-\x1f\x7f]*",
                         line or b"")
        if not m:
            raise Garbage(line)
        fields = []
        while field := self.line():
            if not re.fullmatch(TOKEN + rb":[^\0-\x08\x0a-\x1f\x7f]*", field):
                raise Garbage(field)
            name, value = field.split(b":", 1)
            fields.append((name.lower(), value.strip(b" \t")))
        if field is None:
            raise Garbage("half a head")
        return Seen(int(m[1]), fields)

    def chunks(self, seen):
        while True:
            line = self.line()
            if line is None:
                seen.cut = True
                return
            if not re.fullmatch(rb"[0-9a-fA-F]+", line):
                raise Garbage(line)
            size = int(line, 16)
            data = self.exactly(size + 2) if size > 0 else b""
            seen.body += data[:size]
            if size > 0 and len(data) < size + 2:
                seen.cut = True
                return
            if size > 0 and data[size:] != b"\r\n":
                raise Garbage(data[size:])
            if size == 0:
                break
        while line := self.line():
            seen.fields.append(tuple(line.lower().split(b": ", 1)))
        seen.cut = line is None

    def response(self, is_bodiless):
        seen = self.head()
        if seen is None or is_bodiless or seen.status < 200 or \
                seen.status in (204, 304):
            return seen
        length = seen.values(b"content-length")
        coding = seen.values(b"transfer-encoding")
        if len(length) + len(coding) > 1 or coding not in ([], [b"chunked"]):
            raise Garbage(seen.fields)
        if coding:
            self.chunks(seen)
        elif length:
            seen.body = self.exactly(int(length[0]))
            seen.cut = len(seen.body) < int(length[0])
        else:
            while self.more():
                pass
            seen.body, self.buffer = self.buffer, b""
            seen.cut, seen.ends = self.was_reset, True
        return seen


def probe(client):
    """Whether the connection was kept, and what came instead."""
    client.send(PROBE)
    before = client.buffer
    seen = client.response(False)
    if seen is not None and PROBED in seen.fields:
        while client.more():
            pass
        return True, client.buffer
    while client.more():
        pass
    return False, before or (b"%r" % seen if seen is not None else b"")


def converse(case, sock, cut):
    """Plays the client's side of CASE on SOCK."""
    client = Client(sock, cut)
    seen, tunnel, kept = [], b"", False
    has_ended = False
    for step in case.steps:
        if isinstance(step, Send):
            client.send(step.data)
        elif isinstance(step, End):
            client.end()
            has_ended = True
        elif isinstance(step, Tunnel):
            tunnel += client.exactly(len(step.data))
        elif isinstance(step, Expect):
            seen.append(client.response("bodiless" in step.words))
    if not has_ended and not (seen[-1] and seen[-1].status == 101):
        kept, extra = probe(client)
    else:
        client.end()
        while client.more():
            pass
        extra = client.buffer
    return Outcome(seen, tunnel, kept, extra, client.waits)


def differences(case, outcome, run):
    """What is not as the case has it, in words."""
    bad = []
    for want, got in zip(case.expects, outcome.seen):
        bad += check_response(want, got)
    tunnel = b"".join(s.data for s in case.steps if isinstance(s, Tunnel))
    if outcome.tunnel != tunnel:
        bad.append("the tunnel gave %r" % outcome.tunnel)
    if outcome.extra:
        bad.append("unasked for: %r" % outcome.extra)
    if outcome.waits:
        bad.append("the connection stays open and silent")
    if outcome.kept != case.is_kept:
        bad.append("the connection is %s" %
                   ("kept" if outcome.kept else "not kept"))
    if case.says_backend and run.whole != case.backend:
        bad.append("the backend got %r,\n  expected %r" %
                   (run.whole, case.backend))
    if run.rest and not case.may_cut:
        bad.append("the backend got a part: %r" % run.rest)
    return bad


def check_response(want, got):
    bad = []
    if (got.status if got else 0) != want.status:
        bad.append("status %s instead of %d" %
                   (got.status if got else "none", want.status))
    if got is None:
        return bad
    if got.cut != ("cut" in want.words):
        bad.append("the body is %s" % ("cut" if got.cut else "whole"))
    # RFC 9112 section 9.6
    says_close = got.values(b"connection") == [b"close"]
    should = "closed" in want.words and "late" not in want.words
    if says_close != should and not got.cut:
        bad.append("Connection: %r" % got.values(b"connection"))
    if want.body is not None and got.body != want.body:
        bad.append("the body is %r" % got.body)
    for name in {name.lower() for name, _ in want.fields}:
        values = [v for k, v in want.fields if k.lower() == name]
        if got.values(name) != values:
            bad.append("%s is %r" % (name.decode(), got.values(name)))
    for name in want.absent:
        if got.values(name):
            bad.append("there is a %s" % name.decode())
    return bad
