"""The PROXY protocol on a listener: whose a connection is, who may say so, and
what becomes of one that does not begin as it has to. Headers of every kind are
the unit test's (unit/net/test_proxy_line.c)."""

import pathlib
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest

from conftest import SLOW, recv_all, wait_until
from h2_frames import Frames

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from recorder import Recorder  # noqa: E402

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\r\n"
V1_6 = b"PROXY TCP6 2001:db8::9 2001:db8::1 40001 443\r\n"
UNKNOWN = b"PROXY UNKNOWN\r\n"
V2 = (SIGNATURE + b"\x21\x11\0\x0c" + bytes([203, 0, 113, 9, 192, 0, 2, 1]) +
      struct.pack(">HH", 40001, 443))
V2_6 = (SIGNATURE + b"\x21\x21\0\x24" +
        socket.inet_pton(socket.AF_INET6, "2001:db8::9") +
        socket.inet_pton(socket.AF_INET6, "2001:db8::1") +
        struct.pack(">HH", 40001, 443))
LOCAL = SIGNATURE + b"\x20\0\0\0"
GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KEEP = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"

CONF = """
    access_log: {to: {dir}/access.log, buffer: 0, format: '$remote_addr
      $remote_port $proxy_protocol_addr $proxy_protocol_port
      $proxy_protocol_server_addr $proxy_protocol_server_port
      $realip_remote_addr $scheme'}
    http: {header_timeout: 1s}
    listeners:
      "127.0.0.1:{port}": {proxy_protocol: on, trusted: [127.0.0.1]}
      "127.0.0.1:{port1}": {proxy_protocol: on, trusted: [127.0.0.1]}
    admin: {listen: "127.0.0.1:{port2}"}
    upstreams:
      app: {servers: ["127.0.0.1:{port3}"]}
    sites:
      - listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port1}"}
        tls: {self_signed: on}
        routes:
          - {path: /app, proxy: app}
          - {match: {client: 203.0.113.0/24}, respond: {body: "outside\\n"}}
          - {match: {client: 2001:db8::/32}, respond: {body: "outside 6\\n"}}
          - respond: {body: "inside\\n"}
"""
NAMED = ("203.0.113.9 40001 203.0.113.9 40001 192.0.2.1 443 127.0.0.1 ",
         b"outside\n")
NAMED_6 = ("2001:db8::9 40001 2001:db8::9 40001 2001:db8::1 443 127.0.0.1 ",
           b"outside 6\n")


@pytest.fixture
def w(weir):
    return weir(CONF)


def lines(w):
    return w.access_log().splitlines()


def closed(w, why):
    text = w.get("/metrics", port="port2").text
    for line in text.splitlines():
        if line.startswith("weir_connections_closed_total") and \
                '"%s"' % why in line:
            return int(line.split()[-1])
    raise AssertionError("no counter for %s:\n%s" % (why, text))


def over_tls(w, first, data):
    """FIRST as it is, then DATA in TLS."""
    context = ssl._create_unverified_context()
    with w.connect("port1") as raw:
        raw.sendall(first)
        with context.wrap_socket(raw, server_hostname="a") as s:
            s.sendall(data)
            return recv_all(s)


# ---- who it is -------------------------------------------------------------

@pytest.mark.parametrize("header, named", [
    (V1, NAMED), (V2, NAMED), (V1_6, NAMED_6), (V2_6, NAMED_6)])
def test_the_client_is_whom_the_header_names(w, header, named):
    assert w.raw(header + GET).endswith(named[1])
    assert over_tls(w, header, GET).endswith(named[1])
    wait_until(lambda: len(lines(w)) == 2)
    assert lines(w) == [named[0] + "http", named[0] + "https"]


@pytest.mark.parametrize("header", [UNKNOWN, LOCAL])
def test_a_header_that_names_nobody_leaves_the_address(w, header):
    assert w.raw(header + GET).endswith(b"inside\n")
    assert over_tls(w, header, GET).endswith(b"inside\n")
    wait_until(lambda: len(lines(w)) == 2)
    for line in lines(w):
        assert line.startswith("127.0.0.1 ")
        assert " - - - - 127.0.0.1 http" in line


def test_curl_speaks_it(w):
    for url in w.url(), w.url(port="port1", scheme="https"):
        done = subprocess.run(["curl", "-sk", "--haproxy-protocol", url],
                              capture_output=True, text=True,
                              timeout=20 * SLOW)
        assert done.stdout == "inside\n", done
    assert [line.split()[0] for line in lines(w)] == ["127.0.0.1"] * 2


def test_it_comes_once_and_holds_for_all_requests(w):
    got = w.raw(V2 + KEEP + KEEP + GET)
    assert got.count(b"outside\n") == 3
    # A second one is no request.
    assert b" 400 " in w.raw(V1 + V1 + GET).split(b"\r\n")[0]


# ---- how it comes ----------------------------------------------------------

@pytest.mark.parametrize("header", [V1, V2])
def test_byte_by_byte(w, header):
    with w.connect() as s:
        for i in range(len(header)):
            s.sendall(header[i:i + 1])
            time.sleep(0.002)
        s.sendall(GET)
        assert recv_all(s).endswith(b"outside\n")


@pytest.mark.parametrize("header", [V1, V2])
def test_cut_anywhere(w, header):
    """Also within the request behind it, and the ClientHello."""
    data = header + KEEP
    for cut in range(1, len(data), 3):
        with w.connect() as s:
            s.sendall(data[:cut])
            time.sleep(0.002)
            s.sendall(data[cut:])
            assert b"outside" in s.recv(65536)


def test_client_hello_in_the_same_segment(w):
    context = ssl._create_unverified_context()
    to, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(back, to, server_hostname="a")
    first = V2
    with w.connect("port1") as s:
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                s.sendall(first + to.read())
                first = b""
                back.write(s.recv(65536))
        tls.write(GET)
        s.sendall(to.read())
        back.write(recv_all(s))
        assert tls.read(65536).startswith(b"HTTP/1.1 200")


def test_plain_http_behind_the_header_is_told_so(w):
    got = w.raw(V1 + GET, port="port1")
    assert got.startswith(b"HTTP/1.1 400 ")
    wait_until(lambda: len(lines(w)) == 1)
    assert lines(w)[0].startswith("203.0.113.9 ")


# ---- what is refused -------------------------------------------------------

@pytest.mark.parametrize("port", ["port", "port1"])
@pytest.mark.parametrize("data, says", [
    (GET, "it begins like an HTTP request"),
    (b"\x16\x03\x01\x02\0\x01\0", "it begins with a TLS handshake"),
    (b"\0\x01\x02", "it begins with something else"),
    (b"PROXY TCP4 203.0.113.9 192.0.2.1 40001 443\n" + GET, "without CRLF"),
    (b"PROXY TCP4 203.0.113.09 192.0.2.1 40001 443\r\n" + GET,
     "an address of it"),
    (SIGNATURE + b"\x21\x12\0\x0c" + V2[16:] + GET, "its family"),
    (SIGNATURE + b"\x21\x11\xff\xff", "more than 4096")])
def test_what_is_no_header_is_closed_with_the_reason(w, data, says, port):
    before = closed(w, "proxy_failed")
    assert w.raw(data, port=port) == b""
    assert closed(w, "proxy_failed") == before + 1
    w.wait_log(says)
    assert "does not begin with a PROXY protocol header" in w.log()
    assert lines(w) == []


def test_an_end_within_the_header(w):
    assert w.raw(V1[:20], half_close=True) == b""
    assert closed(w, "proxy_failed") == 1
    w.wait_log("it is cut off")
    # Who says nothing at all only looked whether somebody is there.
    assert w.raw(b"", half_close=True) == b""
    assert closed(w, "proxy_failed") == 1


@pytest.mark.parametrize("port", ["port", "port1"])
@pytest.mark.parametrize("data", [b"", b"P", V2[:-1]])
def test_a_header_that_does_not_come(w, data, port):
    before = time.monotonic()
    assert w.raw(data, port=port) == b""
    assert 0.5 < time.monotonic() - before < 10 * SLOW
    assert closed(w, "proxy_timeout") == 1
    w.wait_log("no PROXY protocol header within header_timeout")


def test_drops_do_not_move_the_deadline(w):
    before = time.monotonic()
    with w.connect() as s:
        try:
            for i in range(60):
                s.sendall(b"PROXY UNKNOWN " if i == 0 else b"x")
                time.sleep(0.1)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert time.monotonic() - before < 4 * SLOW


# ---- who may say it --------------------------------------------------------

def test_who_is_not_trusted_is_closed_unread(w):
    for port in "port", "port1":
        with socket.socket() as s:
            s.bind(("127.0.0.2", 0))
            s.settimeout(20)
            s.connect(("127.0.0.1", w.port_of(port)))
            assert recv_all(s) == b""
    with socket.socket() as s:
        s.bind(("127.0.0.2", 0))
        s.settimeout(20)
        s.connect(("127.0.0.1", w.port))
        try:
            s.sendall(V1.replace(b"203.0.113.9", b"127.0.0.1") + GET)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert recv_all(s) == b""
    assert closed(w, "proxy_untrusted") == 3
    assert "127.0.0.2: only trusted proxies may connect here" in w.log()
    assert lines(w) == []


def forwarded(w, header, said):
    """X-Forwarded-For as the upstream gets it."""
    with Recorder(w.port_of("port3"), str(w.dir / "b.sock")) as b:
        run = b.begin()
        w.raw(header + b"GET /app HTTP/1.1\r\nHost: a\r\nConnection: close"
              b"\r\nX-Forwarded-For: " + said + b"\r\n\r\n")
        b.settle()
        fields = [line for line in run.whole.split(b"\r\n")
                  if line.lower().startswith(b"x-forwarded-for:")]
    assert len(fields) == 1, run.whole
    return fields[0].split(b": ")[1]


@pytest.mark.parametrize("header, want", [
    # The client's word, whoever passed it on.
    (V1, b"203.0.113.9"), (V2, b"203.0.113.9"),
    # Nobody is named: it is not the proxy who said so.
    (UNKNOWN, b"127.0.0.1"), (LOCAL, b"127.0.0.1"),
    # The client is a trusted proxy itself.
    (V1.replace(b"203.0.113.9", b"127.0.0.1"), b"198.51.100.1, 127.0.0.1")])
def test_fields_are_believed_of_the_client_only(w, header, want):
    assert forwarded(w, header, b"198.51.100.1") == want


def test_a_listener_without_it_takes_no_header(weir):
    w = weir("""
        listeners: {"127.0.0.1:{port}": {trusted: [127.0.0.1]}}
        sites:
          - listen: "127.0.0.1:{port}"
            routes: [{respond: 200}]
        """)
    assert b" 400 " in w.raw(V1 + GET).split(b"\r\n")[0]
    assert w.get("/").status == 200


def test_through_a_unix_socket(weir):
    w = weir("""
        listeners:
          "unix:{dir}/s": {proxy_protocol: on, trusted: ["unix:"]}
        access_log: {to: {dir}/access.log, buffer: 0,
                     format: '$remote_addr $realip_remote_addr'}
        sites:
          - listen: "unix:{dir}/s"
            routes: [{respond: 204}]
        """)
    for first, want in (V1, "203.0.113.9 unix:"), (LOCAL, "unix: unix:"):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(w.dir / "s"))
            # In pieces: each is a buffer of its own in the kernel.
            for i in range(0, len(first), 5):
                s.sendall(first[i:i + 5])
            s.sendall(GET)
            assert b" 204 " in recv_all(s)
        wait_until(lambda: lines(w)[-1:] == [want])


def test_who_waits_does_not_hold_a_reload_up(w):
    with w.connect() as waiting, w.connect() as idle:
        idle.sendall(V1 + KEEP)
        assert b"outside" in idle.recv(65536)
        assert w.reload().returncode == 0
        assert w.raw(V1 + GET).endswith(b"outside\n")
        assert recv_all(waiting) == b""


@pytest.mark.parametrize("header, status", [
    (V1.replace(b"203.0.113.9", b"127.0.0.1"), "200"), (V1, "421"),
    (UNKNOWN, "421")])
def test_who_is_trusted_with_the_scheme_is_whom_the_header_names(
        weir, header, status):
    """Of HTTP/2 as of HTTP/1: the proxy only passed the field on."""
    w = weir("""
        listeners:
          "127.0.0.1:{port}":
            {proxy_protocol: on, trusted: [127.0.0.1], h2c: on}
        sites:
          - {listen: "127.0.0.1:{port}", routes: [{respond: 200}]}
    """)
    c = Frames(w.port)
    c.send(header)
    c.hello()
    c.scheme = "https"
    assert c.get(1)[0][":status"] == status
