"""TLS towards clients: names, versions, keys, tickets, refusals."""

import os
import re
import socket
import ssl
import subprocess
import time

import pytest

from conftest import SLOW, recv_all, wait_until


def run(*args, **kw):
    return subprocess.run(args, capture_output=True, text=True,
                          timeout=30 * SLOW, stdin=subprocess.DEVNULL, **kw)


def make_pair(directory, name, kind="ec", hosts=("a.example",), days=90):
    """A self-made certificate and its key."""
    key, cert = directory / (name + ".key"), directory / (name + ".pem")
    algorithm = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
                 "rsa": ["rsa:2048"]}[kind]
    names = ",".join("DNS:" + h for h in hosts)
    done = run("openssl", "req", "-x509", "-newkey", *algorithm, "-nodes",
               "-keyout", str(key), "-out", str(cert), "-days", str(days),
               "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names)
    assert done.returncode == 0, done.stderr
    key.chmod(0o600)
    return cert, key


SITE = """
    workers: {workers}
    access_log: {to: {dir}/access.log, buffer: 0,
                 format: '$ssl_protocol $ssl_cipher $ssl_session_reused $scheme $host'}
    error_log: {level: info}
    http: {header_timeout: 1s}
    sites:
      - hosts: [a.example, "*.a.example"]
        listen: {https: {port}, http: {port1}}
        tls:
          certificates:
            - {certificate: a-ec.pem, key: a-ec.key}
            - {certificate: a-rsa.pem, key: a-rsa.key}
        routes: [{respond: {body: "site a\\n"}}]
      - hosts: [b.example]
        listen: {https: {port}}
        tls:
          certificates: [{certificate: b.pem, key: b.key}]
          protocols: [TLSv1.3]
        routes: [{respond: {body: "site b\\n"}}]
"""


def start(weir, text=SITE, workers=1):
    w = weir(text.replace("{workers}", str(workers)), start=False)
    make_pair(w.dir, "a-ec", hosts=("a.example", "*.a.example"))
    make_pair(w.dir, "a-rsa", "rsa", ("a.example", "*.a.example"))
    make_pair(w.dir, "b", hosts=("b.example",))
    return w.start()


@pytest.fixture
def w(weir):
    return start(weir)


def client(w, *trusted, low=None, high=None, ciphers=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in trusted:
        c.load_verify_locations(w.dir / (name + ".pem"))
    if not trusted:
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if low:
        c.minimum_version = low
    if high:
        c.maximum_version = high
    if ciphers:
        c.set_ciphers(ciphers)
    return c


def client_context():
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c


def ask(w, context, name, session=None, host=None):
    """One request; what the server said, and the TLS socket's facts."""
    with w.connect() as raw:
        with context.wrap_socket(raw, server_hostname=name,
                                 session=session) as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                      % (host or name or "x").encode())
            data = recv_all(s)
            return data, s.version(), s.cipher()[0], s.session, \
                s.session_reused


V2, V3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize("version", [V2, V3])
def test_each_name_has_its_site_and_certificate(w, version):
    for name in "a.example", "www.a.example":
        data, got, *_ = ask(w, client(w, "a-ec", "a-rsa", low=version,
                                      high=version), name)
        assert b"site a" in data
        assert got == {V2: "TLSv1.2", V3: "TLSv1.3"}[version]
    assert b"site b" in ask(w, client(w, "b"), "b.example")[0]


@pytest.mark.parametrize("ciphers, expected", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDSA"),
    ("ECDHE-RSA-AES128-GCM-SHA256", "RSA")])
def test_key_type_follows_the_client(w, ciphers, expected):
    c = client(w, "a-ec", "a-rsa", high=V2, ciphers=ciphers)
    assert expected in ask(w, c, "a.example")[2]


def test_protocols_are_the_sites_own(w):
    with pytest.raises(ssl.SSLError):
        ask(w, client(w, "b", high=V2), "b.example")
    assert ask(w, client(w, "b"), "b.example")[1] == "TLSv1.3"


@pytest.mark.parametrize("flag", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(w, flag):
    done = run("openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port,
               "-servername", "a.example", flag, "-cipher",
               "ALL:@SECLEVEL=0")
    assert "alert protocol version" in done.stderr or \
        "no protocols available" in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["c.example", None])
def test_unknown_names_are_refused(w, name):
    with pytest.raises(ssl.SSLError) as e:
        ask(w, client(w), name)
    assert "UNRECOGNIZED_NAME" in str(e.value).upper()


def test_default_site_takes_unknown_names(weir):
    w = start(weir, SITE.replace("- hosts: [b.example]",
                                 "- hosts: [b.example]\n        default: on"))
    assert b"site b" in ask(w, client(w), "c.example")[0]
    assert b"site b" in ask(w, client(w), None)[0]


def test_host_must_be_one_of_the_address(w):
    data = ask(w, client(w), "a.example", host="other.example")[0]
    assert data.startswith(b"HTTP/1.1 421")


def test_host_must_be_of_the_certificate(w):
    """The sites share an address, but not their settings for TLS."""
    for name, host, is_served in [
            ("a.example", "b.example", False),
            ("b.example", "www.a.example", False),
            ("a.example", "www.a.example", True),
            ("a.example", "A.Example.", True)]:
        data = ask(w, client(w), name, host=host)[0]
        assert data.startswith(b"HTTP/1.1 200" if is_served else
                               b"HTTP/1.1 421"), (name, host)


def test_alpn(w):
    c = client(w)
    c.set_alpn_protocols(["h2", "http/1.1"])
    with w.connect() as raw:
        with c.wrap_socket(raw, server_hostname="a.example") as s:
            assert s.selected_alpn_protocol() == "h2"
    c.set_alpn_protocols(["http/1.1"])
    with w.connect() as raw:
        with c.wrap_socket(raw, server_hostname="a.example") as s:
            assert s.selected_alpn_protocol() == "http/1.1"
    c.set_alpn_protocols(["spdy/3"])
    with w.connect() as raw, pytest.raises(ssl.SSLError):
        c.wrap_socket(raw, server_hostname="a.example")


@pytest.mark.parametrize("version", [V2, V3])
def test_tickets_are_good_at_every_worker(weir, version):
    w = start(weir, workers=3)
    c = client(w, "a-ec", "a-rsa", low=version, high=version)
    session = ask(w, c, "a.example")[3]
    reused = 0
    for _ in range(12):
        data, _, _, session, again = ask(w, c, "a.example", session)
        assert b"site a" in data
        reused += again
    assert reused == 12


@pytest.mark.parametrize("version", [V2, V3])
def test_tickets_survive_a_reload(weir, version):
    w = start(weir)
    c = client(w, "a-ec", "a-rsa", low=version, high=version)
    session = ask(w, c, "a.example")[3]
    assert w.reload().returncode == 0
    assert ask(w, c, "a.example", session)[4]


def test_ticket_of_one_site_is_not_good_at_another(w):
    c = client(w, low=V3)
    session = ask(w, c, "a.example")[3]
    data, *_, reused = ask(w, c, "b.example", session)
    assert b"site b" in data and not reused


def test_connection_is_kept(w):
    with w.connect() as raw:
        with client(w).wrap_socket(raw, server_hostname="a.example") as s:
            for _ in range(3):
                s.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
                data = b""
                while b"site a" not in data:
                    part = s.recv(4096)
                    assert part
                    data += part


def test_large_bodies_both_ways(weir):
    w = weir("""
        http: {max_body_size: 0}
        sites:
          - listen: {https: {port}}
            tls: {self_signed: on}
            routes:
              - path: /up
                proxy: http://127.0.0.1:{port1}
              - files: {dir}
          - listen: {port1}
            routes: [{respond: {body: "got it"}}]
    """, start=False)
    blob = bytes(range(256)) * 16384  # 4 MiB
    (w.dir / "blob.bin").write_bytes(blob)
    w.start()
    assert w.get("/blob.bin", tls=True).body == blob


def test_stalled_handshake_is_cut(w):
    with w.connect() as s:
        s.sendall(b"\x16\x03\x01\x02\x00\x01")  # the beginning of a hello
        began = time.monotonic()
        recv_all(s)
        assert 0.5 < time.monotonic() - began < 5 * SLOW


@pytest.mark.parametrize("request_", [
    b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
    b"POST /x HTTP/1.0\r\nContent-Length: 100000\r\n\r\n" + b"x" * 100000,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
    b"GET nonsense\r\n\r\n"], ids=["get", "body", "preface", "nonsense"])
def test_plain_http_on_a_tls_port_is_told_so(weir, request_):
    w = start(weir, "    admin: 127.0.0.1:{port2}" + SITE.replace(
        "format: '", "format: '$reason "))
    data = w.raw(request_)
    assert data.startswith(b"HTTP/1.1 400 ")
    assert b"Connection: close\r\n" in data
    assert b"HTTP without TLS on a port for HTTPS: the address begins with " \
           b"https://" in data
    wait_until(lambda: w.access_log())
    assert w.access_log().startswith("plain_http - - - http ")
    w.wait_log("(plain_http)")
    metrics = w.get("/metrics", port="port2").text
    assert 'weir_http_refused_total{reason="plain_http"} 1' in metrics
    assert b"site a" in ask(w, client(w), "a.example")[0]


def test_plain_http_byte_by_byte(w):
    with w.connect() as s:
        for byte in b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n":
            s.sendall(bytes([byte]))
            time.sleep(0.001)
        assert recv_all(s).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("greeting", [
    b"SSH-2.0-OpenSSH_9.2\r\n", b"\x80\x2e\x01\x03\x01" + bytes(100),
    b"\x05\x01\x00", b"\0" * 30000], ids=["ssh", "sslv2", "socks", "zeros"])
def test_what_is_neither_gets_an_alert(w, greeting):
    assert w.raw(greeting) == b"\x15\x03\x03\x00\x02\x02\x0a"
    w.wait_log("the peer does not speak TLS")


def hello_of(name):
    """A ClientHello as OpenSSL writes it."""
    out = ssl.MemoryBIO()
    o = client_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        o.do_handshake()
    return out.read()


def test_hello_may_come_byte_by_byte(w):
    with w.connect() as s:
        for byte in hello_of("a.example"):
            s.sendall(bytes([byte]))
            time.sleep(0.0005)
        assert s.recv(1) == b"\x16"


def test_hello_byte_by_byte_gains_no_time(w):
    hello, began = hello_of("a.example"), time.monotonic()
    with w.connect() as s:
        with pytest.raises(OSError):
            for byte in hello * 10:
                s.sendall(bytes([byte]))
                time.sleep(0.05)
    assert 0.5 < time.monotonic() - began < 5 * SLOW
    w.wait_log("time-out")


def test_close_is_announced(w):
    with w.connect() as raw:
        c = client(w)
        c.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        s = c.wrap_socket(raw, server_hostname="a.example",
                          suppress_ragged_eofs=False)
        s.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n"
                  b"Connection: close\r\n\r\n")
        data = b""
        while True:
            part = s.recv(4096)  # raises where close_notify is missing
            if not part:
                break
            data += part
        assert b"site a" in data


def test_log_has_the_facts(w):
    ask(w, client(w, high=V2, ciphers="ECDHE-RSA-AES128-GCM-SHA256"),
        "a.example")
    wait_until(lambda: w.access_log())
    assert w.access_log().startswith(
        "TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 . https a.example")


def test_self_signed(weir):
    w = weir("""
        sites:
          - hosts: [self.example, "*.self.example"]
            listen: {https: {port}}
            tls: {self_signed: on}
            routes: [{respond: {body: "own"}}]
    """)
    with w.connect() as raw:
        with client(w).wrap_socket(raw, server_hostname="self.example") as s:
            der = s.getpeercert(binary_form=True)
    text = subprocess.run(
        ["openssl", "x509", "-inform", "DER", "-noout", "-text"],
        input=der, capture_output=True).stdout.decode()
    assert "DNS:self.example" in text and "DNS:*.self.example" in text


def test_new_certificate_after_reload(w):
    def serial():
        with w.connect() as raw:
            with client(w).wrap_socket(raw, server_hostname="b.example") as s:
                return s.getpeercert(binary_form=True)
    before = serial()
    make_pair(w.dir, "b", hosts=("b.example",))
    assert serial() == before
    assert w.reload().returncode == 0
    assert serial() != before


def test_keys_are_out_of_the_workers_reach(weir):
    """Workers of another user serve with keys that they cannot read."""
    if os.geteuid() != 0:
        pytest.skip("only root can give rights up")
    w = weir(SITE.replace("{workers}", "1\n    user: nobody"), start=False)
    for args in (("a-ec", "ec", ("a.example",)), ("a-rsa", "rsa",
                 ("a.example",)), ("b", "ec", ("b.example",))):
        _, key = make_pair(w.dir, args[0], args[1], args[2])
        os.chmod(key, 0o400)
    os.chmod(w.dir, 0o755)
    w.start()
    assert b"site b" in ask(w, client(w), "b.example")[0]


def test_metrics_count_handshakes(weir):
    w = start(weir, "    admin: 127.0.0.1:{port2}" + SITE)
    c = client(w, "a-ec", "a-rsa")
    session = ask(w, c, "a.example")[3]
    ask(w, c, "a.example", session)
    text = w.get("/metrics", port="port2").text
    counts = dict(re.findall(r"^(weir_tls_\w+) (\d+)$", text, re.M))
    assert int(counts["weir_tls_handshakes_total"]) == 2
    assert int(counts["weir_tls_resumptions_total"]) == 1


def test_upstream_is_verified(weir):
    w = weir("""
        upstreams:
          good: {servers: ["127.0.0.1:{port1}"], tls: {ca: {dir}/up.pem, name: up.example}}
          wrong: {servers: ["127.0.0.1:{port1}"], tls: {ca: {dir}/up.pem, name: down.example}}
          unknown: {servers: ["127.0.0.1:{port1}"], tls: {name: up.example}}
          blind: {servers: ["127.0.0.1:{port1}"], tls: {verify: off, name: up.example}}
        sites:
          - listen: {port}
            routes:
              - {path: /good, proxy: good}
              - {path: /wrong, proxy: wrong}
              - {path: /unknown, proxy: unknown}
              - {path: /blind, proxy: blind}
          - hosts: [up.example]
            default: on
            listen: {https: {port1}}
            tls: {certificates: [{certificate: up.pem, key: up.key}]}
            routes: [{respond: {body: "up"}}]
    """, start=False)
    make_pair(w.dir, "up", hosts=("up.example",))
    w.start()
    assert w.get("/good").text == "up"
    assert w.get("/blind").text == "up"
    assert w.get("/wrong").status == 502
    assert w.get("/unknown").status == 502
    assert "tls" in w.log()
