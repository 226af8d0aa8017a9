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


MALFORMED = {
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                   b"Content-Length: 3\r\n\r\nabc",
    "list of lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nab",
    "signed length": b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nab",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: "
                   b"99999999999999999999\r\n\r\nab",
    "two framings": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
                    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\n"
                     b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "unknown coding": b"HTTP/1.1 200 OK\r\n"
                      b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "coding in 1.0": b"HTTP/1.0 200 OK\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "status 000": b"HTTP/1.1 000 No\r\nContent-Length: 0\r\n\r\n",
    "status 20": b"HTTP/1.1 20 No\r\nContent-Length: 0\r\n\r\n",
    "version 2": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "lower case": b"http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "not HTTP": b"ICY 200 OK\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n",
    "blank in name": b"HTTP/1.1 200 OK\r\nA : b\r\nContent-Length: 0\r\n\r\n",
    "NUL": b"HTTP/1.1 200 OK\r\nA: \0\r\nContent-Length: 0\r\n\r\n",
    "unasked 101": b"HTTP/1.1 101 Yes\r\nConnection: upgrade\r\n"
                   b"Upgrade: websocket\r\n\r\nraw",
    "endless 100": b"HTTP/1.1 100 Continue\r\n\r\n" * 40,
    "large": b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000 + b"\r\n\r\n",
    "many": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
}


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_heads_are_502_and_end_the_connection(w, answer, method):
    with raw(w, [Reply(answer), Reply(ok(b"next"))]) as b:
        status, _, is_whole = read_response(*ask(w, method), method)
        assert (status, is_whole) == (502, True)
        assert read_response(*ask(w)) == (200, b"next", True)
        assert [r.connection for r in b.requests] == [0, 1]


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Le"],
                         ids=["nothing", "half a head"])
def test_heads_that_do_not_come_are_504(w, answer):
    with raw(w, [Reply([answer, 30.0])]):
        status, _, is_whole = read_response(*ask(w))
        assert (status, is_whole) == (504, True)


# ---- cut at every byte ---------------------------------------------------------

CONTENT = b"not to be taken for whole"
WHOLE = {
    "length": ok(CONTENT, b"A: b\r\n"),
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
               b"5;a=b\r\nnot t\r\n14\r\no be taken for whole\r\n"
               b"0\r\nA: b\r\n\r\n",
    "close": b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + CONTENT,
    "interim": b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok(CONTENT),
}


@pytest.mark.parametrize("end", ["fin", "reset"])
@pytest.mark.parametrize("framing", WHOLE.keys())
def test_cut_responses_are_never_taken_for_whole(w, framing, end):
    whole = WHOLE[framing]
    head_n = whole.rindex(b"\r\n\r\n", 0, whole.index(b"not t")) + 4
    # A reset takes with it what was not read yet.
    pause = [0.02] if end == "reset" else []
    replies = [Reply([whole[:n], *pause], close=end)
               for n in range(len(whole) + 1)]
    with raw(w, replies):
        for n in range(len(whole) + 1):
            status, body, is_whole = read_response(*ask(w))
            if n < head_n:
                assert (status, is_whole) == (502, True), n
                continue
            assert status == 200 and CONTENT.startswith(body), n
            expected = end == "fin" if framing == "close" else n == len(whole)
            assert is_whole == expected, n


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_old_clients_learn_by_a_reset_that_a_body_is_short(w, framing):
    answer = WHOLE[framing][:-20]
    with raw(w, [Reply([answer, 0.05], close="reset")]):
        data, was_reset = ask(w, minor=0)
        assert data.startswith(b"HTTP/1.1 200 ") and was_reset


# ---- more than was announced -----------------------------------------------------


@pytest.mark.parametrize("answer", [
    ok(b"one") + ok(b"evil"),
    b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil",
    b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\nevil\r\n0\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\nevil",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\none\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    [ok(b"one"), 0.1, ok(b"evil")],
], ids=["two", "204", "204 chunked", "304", "after the last chunk", "late"])
def test_bytes_after_the_end_reach_nobody(w, answer):
    with raw(w, [Reply(answer), Reply(ok(b"next"))]) as b:
        data, _ = ask(w)
        assert b"evil" not in data
        # What comes late is met while the connection is idle.
        b.wait_for(lambda b: b.connections[0].reader.at_eof(), 1)
        assert read_response(*ask(w)) == (200, b"next", True)
        assert [r.connection for r in b.requests] == [0, 1]


def test_body_of_an_answer_to_head_reaches_nobody(w):
    with raw(w, [Reply(ok(b"evil")), Reply(ok(b"next"))]) as b:
        assert read_response(*ask(w, b"HEAD"), b"HEAD") == (200, b"", True)
        assert read_response(*ask(w)) == (200, b"next", True)
        assert [r.connection for r in b.requests] == [0, 1]
