"""Limits on what a client can make grow, and what is said of each refusal:
one word in the access log, in the error log and in the metrics."""

import pathlib
import re
import socket
import sys
import textwrap
import time

import pytest

from conftest import SLOW, wait_until

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

TOP = """
    admin: 127.0.0.1:{port9}
    error_log: {to: stderr, level: info}
    log_formats: {words: "$status $reason"}
    access_log: {to: "{dir}/access.log", format: words}
"""


def start(weir, text):
    return weir(textwrap.dedent(TOP) + textwrap.dedent(text))


def metric(w, name, labels=""):
    text = w.get("/metrics", port="port9").text
    found = re.search(r"^%s%s (\d+)$" % (name, re.escape(labels)), text, re.M)
    return int(found.group(1)) if found else None


def refused(w, word):
    return metric(w, "weir_http_refused_total", '{reason="%s"}' % word)


def say(w, data, timeout=10):
    """Sends DATA; all that comes back until the connection ends."""
    got = b""
    with w.connect("port", timeout * SLOW) as s:
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        try:
            while part := s.recv(65536):
                got += part
        except (socket.timeout, ConnectionResetError):
            pass
    return got


def get(extra=b"", line=b"GET / HTTP/1.1"):
    return line + b"\r\nHost: a\r\nConnection: close\r\n" + extra + b"\r\n"


# ---- reasons ---------------------------------------------------------------

@pytest.mark.parametrize("data, status, word", [
    (get(line=b"GET / HTTP/1.1 "), 400, "bad_request_line"),
    (get(b"A : b\r\n"), 400, "blank_before_colon"),
    (get(line=b"TRACE / HTTP/1.1"), 405, "trace"),
    (get(line=b"GET /gone HTTP/1.1"), 404, "no_route"),
    (get(line=b"GET /" + 9000 * b"x" + b" HTTP/1.1"), 414, "long_target"),
    (get(101 * b"A: b\r\n"), 431, "many_fields"),
    (get(b"A: " + 40000 * b"x" + b"\r\n"), 431, "large_head"),
    (get(b"Content-Length: 99999999\r\n"), 413, "large_body"),
])
def test_a_refusal_has_one_word_everywhere(weir, data, status, word):
    w = start(weir, """
        sites: [{listen: {port}, routes: [{path: /, respond: 200}]}]
    """)
    assert refused(w, word) == 0
    assert say(w, data).startswith(b"HTTP/1.1 %d " % status)
    assert refused(w, word) == 1
    w.wait_log("refused with %d (%s), " % (status, word))
    wait_until(lambda: "%d %s\n" % (status, word) in w.access_log())
