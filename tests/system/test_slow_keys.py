"""Keys that take long to sign with do so in a thread: the worker goes on, and
whatever clients, reloads and renewals do meanwhile, nothing is lost."""

import re
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import SLOW, wait_until
from early_client import ACCEPTED, REJECTED
from pki import EC, Authority
from test_early_data import request, returns, ticket

SITE = """
    admin: 127.0.0.1:{port1}
    tls: {watch: 200ms, early_data: {early}}
    sites:
      - hosts: [a.example]
        default: on
        listen: {http: {port2}, https: {port}}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes: [{respond: {body: "early=here"}}]
"""
SLOW_KEY = ("rsa:3072",)


@pytest.fixture
def slow(weir):
    return start(weir)


def start(weir, early="off"):
    w = weir(SITE.replace("{early}", early), start=False)
    w.authority = Authority(w.dir, "ca")
    renew(w, SLOW_KEY)
    return w.start()


def renew(w, kind):
    certificate, key = w.authority.issue(
        "new", usage="serverAuth", names="DNS:a.example", kind=kind)
    key.rename(w.dir / "a.key")
    certificate.rename(w.dir / "a.pem")


def signatures(w):
    text = w.get("/metrics", port="port1").text
    return int(re.search(r"^weir_tls_thread_signatures_total (\d+)$", text,
                         re.M).group(1))


def client(w, **settings):
    context = ssl.create_default_context(cafile=str(w.dir / "ca.pem"))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def ask(w, context=None, session=None):
    """The answer, and the session for the next."""
    with socket.create_connection(("127.0.0.1", w.port),
                                  20 * SLOW) as plain, \
            (context or client(w)).wrap_socket(
                plain, server_hostname="a.example", session=session) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n"
                  b"Connection: close\r\n\r\n")
        text = b""
        while part := s.recv(4096):
            text += part
        assert text.endswith(b"here"), text
        return s.session


class Crowd:
    """So many clients at once; what went wrong is told at the end."""

    def __init__(self, w, n):
        self.w, self.failed, self.context = w, [], client(w)
        self.threads = [threading.Thread(target=self.run) for _ in range(n)]
        for t in self.threads:
            t.start()

    def run(self):
        try:
            ask(self.w, self.context)
        except (OSError, AssertionError) as e:
            self.failed.append(e)

    def join(self):
        for t in self.threads:
            t.join()
        return self.failed


def hello(w):
    """The first flight of a client, as bytes."""
    out = ssl.MemoryBIO()
    s = client(w).wrap_bio(ssl.MemoryBIO(), out, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        s.do_handshake()
    return out.read()


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_the_thread_signs_what_is_not_resumed(slow, version):
    context = client(slow, maximum_version=getattr(ssl.TLSVersion, version))
    session = ask(slow, context)
    assert signatures(slow) == 1
    ask(slow, context, session)
    assert signatures(slow) == 1


def test_it_signs_after_a_hello_retry_request(slow):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % slow.port,
         "-servername", "a.example", "-groups", "X448:X25519"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=30 * SLOW)
    assert "Server Temp Key: X25519" in done.stdout, done.stderr
    assert signatures(slow) == 1


def test_early_data_needs_no_signature_unless_it_is_refused(weir):
    w = start(weir, early="on")
    c = returns(w, request(), session=ticket(w))
    assert c.hear(b"here").endswith(b"here")
    assert c.early_status == ACCEPTED
    c.close()
    assert signatures(w) == 1
    session = ticket(w)
    renew(w, SLOW_KEY)  # which makes it another site for tickets
    w.reload()
    c = returns(w, request(), session=session)
    c.finish()
    assert c.early_status == REJECTED
    c.close()
    assert signatures(w) > 2


def test_the_thread_gives_way(slow):
    ask(slow)
    nice = subprocess.run(["ps", "-L", "-o", "ni=", "-p", ",".join(
        map(str, slow.children()))], capture_output=True, text=True).stdout
    assert nice.split().count("10") == 1, nice


def test_a_crowd_is_served_and_so_is_everybody_else(slow):
    crowd = Crowd(slow, 60)
    for _ in range(20):
        assert slow.get(port="port2").text == "early=here"
    assert crowd.join() == []
    assert signatures(slow) == 60


def test_clients_that_go_away_leave_nothing(slow):
    first = hello(slow)
    for number in range(60):
        with slow.connect() as s:
            s.sendall(first)
            if number % 2:  # a reset
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             b"\1\0\0\0\0\0\0\0")
    ask(slow)
    wait_until(lambda: "weir_connections 0" in
               slow.get("/metrics", port="port1").text)


def test_a_reload_waits_for_them(slow):
    crowd = Crowd(slow, 40)
    assert slow.reload().returncode == 0
    assert crowd.join() == []


def test_a_stop_does_not_wait_for_who_is_gone(slow):
    first = hello(slow)
    gone = [slow.connect() for _ in range(40)]
    for s in gone:
        s.sendall(first)
    for s in gone:
        s.close()
    slow.stop()


def test_a_renewed_certificate_may_be_of_another_kind(slow):
    def is_signed_in_the_thread():
        before = signatures(slow)
        ask(slow)
        return signatures(slow) > before

    assert is_signed_in_the_thread()
    renew(slow, EC)
    wait_until(lambda: not is_signed_in_the_thread())
    renew(slow, SLOW_KEY)
    wait_until(is_signed_in_the_thread)
