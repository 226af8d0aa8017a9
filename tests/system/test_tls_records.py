"""The records that clients get: small while TCP begins, then full."""

import struct
import time

from conftest import SLOW
from early_client import EarlyClient
from test_tls import make_pair

CONF = """
    sites:
      - listen: {https: {port}}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes: [{files: {root: {dir}/files}}]
"""
GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
SIZE = 200000


def contents(wire):
    """What each record holds, in bytes."""
    while wire:
        kind, version, n = struct.unpack(">BHH", wire[:5])
        assert (kind, version) == (23, 0x303) and len(wire) >= 5 + n
        yield n - 17  # of TLS 1.3: the type, and what authenticates it
        wire = wire[5 + n:]


def response(c):
    """The lengths of its records."""
    at = len(c.wire)
    c.say(GET)
    c.hear(b"\r\n\r\n")
    c.hear(b"x" * SIZE)
    return list(contents(c.wire[at:]))


def test_records_grow_and_begin_anew(weir):
    w = weir(CONF, start=False)
    make_pair(w.dir, "a")
    (w.dir / "files").mkdir()
    (w.dir / "files" / "x").write_bytes(b"x" * SIZE)
    w.start()
    c = EarlyClient(w.port, "a.example")
    c.finish()
    time.sleep(0.3 * SLOW)
    while c.fetch(0.1):
        c.step()  # the ticket

    first = response(c)
    assert max(first[:2]) < 1500 and max(first[:5]) < 3500  # head, file
    assert first.count(16384) >= 6 and len(first) < 30
    assert set(response(c)[1:4]) == {16384}
    time.sleep(1.3)
    again = response(c)
    assert max(again[:2]) < 1500 and again.count(16384) >= 6
