"""Upstreams that break every rule: cut off at any byte, malformed, late, more
than was announced. The client gets a 502 or 504, or can tell that its response
is short; and nothing of one response ever shows up in another."""

import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

SITE = """
    error_log: {to: stderr, level: notice}
    upstreams:
      raw: {servers: ["127.0.0.1:{port2}"]}
    sites:
      - listen: "127.0.0.1:{port}"
        routes: [{proxy: {to: raw, read_timeout: 1s}}]
"""


@pytest.fixture
def w(weir):
    return weir(SITE)


def raw(w, script):
    return RawBackend(script, port=w.port_of("port2"))


def ask(w, method=b"GET", minor=1):
    """All that comes until the end, and whether that was a reset."""
    data = b""
    with w.connect() as s:
        s.sendall(b"%s / HTTP/1.%d\r\nHost: a\r\nConnection: close\r\n\r\n" %
                  (method, minor))
        try:
            while part := s.recv(65536):
                data += part
        except ConnectionResetError:
            return data, True
    return data, False


def read_head(data):
    head, end, rest = data.partition(b"\r\n\r\n")
    assert end, "no head: %r" % data
    line, *lines = head.split(b"\r\n")
    assert re.fullmatch(rb"HTTP/1\.1 \d{3} [ -~]*", line), line
    fields = {}
    for field in lines:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: ?[^\0\r\n]*",
                            field), field
        name, value = field.split(b":", 1)
        fields.setdefault(name.lower(), []).append(value.strip())
    return int(line[9:12]), fields, rest


def read_chunks(rest):
    """The content, and whether its end was there."""
    body = b""
    while m := re.match(rb"([0-9a-f]+)\r\n", rest):
        size, rest = int(m[1], 16), rest[m.end():]
        if size == 0:
            return body, rest.endswith(b"\r\n")
        body, rest = body + rest[:size], rest[size:]
        assert rest[:2] == b"\r\n"[:len(rest)]
        rest = rest[2:]
    return body, False


def read_response(data, was_reset, method=b"GET"):
    """Status, content and whether a client would take it for whole; strict."""
    status, fields, rest = read_head(data)
    while status < 200:
        status, fields, rest = read_head(rest)
    length = fields.get(b"content-length", [])
    coding = fields.get(b"transfer-encoding", [])
    assert len(length) + len(coding) <= 1
    if method == b"HEAD" or status in (204, 304):
        assert rest == b""
        return status, rest, True
    if coding:
        return status, *read_chunks(rest)
    if length:
        assert len(rest) <= int(length[0])
        return status, rest, len(rest) == int(length[0])
    return status, rest, not was_reset


# ---- heads -------------------------------------------------------------------


@pytest.mark.parametrize("status", [600, 999])
def test_unheard_of_status_is_passed_on(w, status):
    answer = b"HTTP/1.1 %d Whatever\r\nContent-Length: 2\r\n\r\nno" % status
    with raw(w, [Reply(answer)]):
        assert read_response(*ask(w)) == (status, b"no", True)
