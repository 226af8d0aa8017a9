"""Staples: what the authority of a certificate says of it is fetched by the
scout, checked, and shown by every worker; and nothing that a responder does
harms a handshake."""

import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

import conftest
from conftest import SLOW, wait_until
from test_tls import run

SITE = """
    workers: 2
    admin: 127.0.0.1:{port1}
    error_log: {level: info}
    tls: {watch: 200ms, stapling: {stapling}}
    sites:
      - hosts: [a.example]
        listen: {https: {port}}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes: [{respond: {body: "here\\n"}}]
"""


class Responder:
    """An authority in DIR, and its responder; BEHAVE makes of a good answer
    (DER) the bytes that are sent, or None: nothing, ever."""

    def __init__(self, directory):
        self.dir = directory
        self.behave = http
        self.asked = 0
        self.heads = []
        self.index = ""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.open = []
        self.authority("ca")
        threading.Thread(target=self.serve, daemon=True).start()

    def end(self):
        """Closing alone would leave a thread that accepts."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was not there any more
        self.listener.close()

    def path(self, name):
        return str(self.dir / name)

    def authority(self, name):
        assert run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                   self.path(name + ".key"), "-out", self.path(name + ".pem"),
                   "-days", "30", "-subj", "/CN=CA").returncode == 0

    def issue(self, serial, status="V", url=None, more=""):
        """a.pem with its issuer, and a.key, where they are served."""
        url = url or "http://127.0.0.1:%d/ocsp" % self.port
        (self.dir / "ext").write_text(
            "subjectAltName=DNS:a.example\n"
            "authorityInfoAccess=OCSP;URI:%s\n%s" % (url, more))
        assert run("openssl", "req", "-newkey", "ec", "-pkeyopt",
                   "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                   self.path("new.key"), "-out", self.path("csr"), "-subj",
                   "/CN=a").returncode == 0
        assert run("openssl", "x509", "-req", "-in", self.path("csr"), "-CA",
                   self.path("ca.pem"), "-CAkey", self.path("ca.key"),
                   "-set_serial", str(serial), "-days", "30", "-extfile",
                   self.path("ext"), "-out", self.path("leaf")
                   ).returncode == 0
        self.index += "%s\t400101000000Z\t%s\t%02X\tunknown\t/CN=%d\n" % (
            status, "260101000000Z" if status == "R" else "", serial, serial)
        (self.dir / "index").write_text(self.index)
        (self.dir / "new.key").chmod(0o600)
        (self.dir / "chain").write_text((self.dir / "leaf").read_text() +
                                        (self.dir / "ca.pem").read_text())
        (self.dir / "new.key").rename(self.out / "a.key")
        (self.dir / "chain").rename(self.out / "a.pem")

    def answer(self, question, signer="ca"):
        number = self.asked
        request = self.dir / ("req%d" % number)
        request.write_bytes(question)
        done = run("openssl", "ocsp", "-reqin", str(request), "-respout",
                   self.path("resp%d" % number), "-index", self.path("index"),
                   "-CA", self.path("ca.pem"), "-rsigner",
                   self.path(signer + ".pem"), "-rkey",
                   self.path(signer + ".key"), "-nmin", "60")
        assert done.returncode == 0, done.stderr
        return (self.dir / ("resp%d" % number)).read_bytes()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.talk, args=(peer,),
                             daemon=True).start()

    def talk(self, peer):
        data = b""
        while b"\r\n\r\n" not in data:
            data += peer.recv(4096)
        head, body = data.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        while len(body) < length:
            body += peer.recv(4096)
        self.heads.append(head)
        self.asked += 1
        sent = self.behave(self, body)
        if sent is None:
            self.open.append(peer)
            return
        try:
            peer.sendall(sent)
        except OSError:
            pass
        peer.close()


def framed(der, head=""):
    return ("HTTP/1.0 200 OK\r\n%s\r\n" % head).encode() + der


def http(r, question):
    der = r.answer(question)
    return framed(der, "Content-Length: %d\r\n" % len(der))


@pytest.fixture
def responder(tmp_path):
    r = Responder(tmp_path)
    yield r
    r.end()
    for peer in r.open:
        peer.close()


def prepare(weir, responder, stapling="on"):
    w = weir(SITE.replace("{stapling}", stapling), start=False)
    responder.out = w.dir
    return w


def staple(w):
    """What a new connection is shown, as s_client tells it; the page, too."""
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port,
         "-servername", "a.example", "-status", "-ign_eof"],
        input="GET / HTTP/1.0\r\nHost: a.example\r\n\r\n",
        capture_output=True, text=True, timeout=30 * SLOW)
    assert "here" in done.stdout, done.stderr
    if "no response sent" in done.stdout:
        return None
    found = re.search(r"Cert Status: (\w+)", done.stdout)
    serial = re.search(r"Serial Number: (\w+)", done.stdout)
    return found.group(1), int(serial.group(1), 16)


def metric(w, name):
    text = w.get("/metrics", port="port1").text
    found = re.search(r"^weir_tls_ocsp_%s (-?\d+)$" % name, text, re.M)
    return int(found.group(1)) if found else None


def all_show(w, what):
    """Both workers: whichever a connection meets."""
    return all(staple(w) == what for _ in range(6))


# -- good ones

def test_an_answer_is_shown_by_every_worker(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    w.start()
    wait_until(lambda: all_show(w, ("good", 7)))
    assert responder.asked == 1
    head = responder.heads[0]
    assert head.startswith(b"POST /ocsp HTTP/1.0\r\n")
    assert b"Host: 127.0.0.1:%d\r\n" % responder.port in head
    assert b"Content-Type: application/ocsp-request" in head
    assert metric(w, "fetched_total") == 1
    assert metric(w, "failed_total") == 0
    assert metric(w, "staples") == 1
    assert 3000 < metric(w, "seconds_left") <= 3600


def test_without_a_length_the_end_ends_it(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    responder.behave = lambda r, q: framed(r.answer(q))
    w.start()
    wait_until(lambda: staple(w) == ("good", 7))


def test_children_that_are_replaced_and_reloads_keep_it(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    w.start()
    wait_until(lambda: all_show(w, ("good", 7)))
    responder.behave = lambda r, q: None
    for pid in list(w.children()):
        subprocess.run(["kill", "-9", str(pid)], check=True)
    wait_until(lambda: metric(w, "staples") == 1)
    wait_until(lambda: all_show(w, ("good", 7)))
    w.reload()
    assert all_show(w, ("good", 7))
    assert responder.asked == 1


def test_a_renewed_certificate_is_asked_about_anew(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    w.start()
    wait_until(lambda: all_show(w, ("good", 7)))
    responder.issue(8)
    wait_until(lambda: all_show(w, ("good", 8)))
    assert responder.asked == 2


# -- none

def test_it_can_be_switched_off(weir, responder):
    w = prepare(weir, responder, "off")
    responder.issue(7)
    w.start()
    assert staple(w) is None
    assert metric(w, "staples") == 0
    assert responder.asked == 0


def test_a_certificate_without_a_responder_is_silently_without(weir,
                                                              responder):
    w = prepare(weir, responder)
    responder.issue(7, url="https://127.0.0.1/")
    w.start()
    assert staple(w) is None
    assert "OCSP" not in w.log() and "staple" not in w.log()


def test_must_staple_without_an_answer_is_logged(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7, more="tlsfeature=status_request\n")
    responder.behave = lambda r, q: framed(b"no")
    w.start()
    w.wait_log("though clients are told to expect one")
    assert staple(w) is None


def test_revoked_is_an_error_and_not_shown(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7, status="R")
    w.start()
    w.wait_log("has been REVOKED")
    assert staple(w) is None
    assert metric(w, "fetched_total") == 1


# -- bad ones

def wrong_signer(r, question):
    r.authority("other")
    der = r.answer(question, "other")
    return framed(der)


def wrong_certificate(r, question):
    run("openssl", "ocsp", "-issuer", r.path("ca.pem"), "-serial", "0x99",
        "-no_nonce", "-reqout", r.path("other"))
    return framed(r.answer((r.dir / "other").read_bytes()))


def oversize(r, question):
    return framed(b"x" * 200000)


def oversize_said(r, question):
    return framed(b"", "Content-Length: 70000\r\n")


BAD = {
    "signer": (wrong_signer, "its signature is not good"),
    "certificate": (wrong_certificate, "it is about another certificate"),
    "garbage": (lambda r, q: framed(b"\x30\x03\x0a\x01"), "no OCSP response"),
    "trailing": (lambda r, q: framed(r.answer(q) + b"x"), "no OCSP response"),
    "later": (lambda r, q: framed(bytes.fromhex("30030a0103")), "trylater"),
    "no-http": (lambda r, q: b"\x00" * 100, "no head"),
    "head": (lambda r, q: framed(b"", "a: b\r\n" * 5000), "no head"),
    "status": (lambda r, q: b"HTTP/1.1 301 M\r\nLocation: /x\r\n\r\n",
               "the status 301"),
    "chunks": (lambda r, q: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"
               b"\r\n\r\n0\r\n\r\n", "in chunks"),
    "oversize": (oversize, "more than 65536 bytes"),
    "length": (oversize_said, "more than 65536 bytes"),
    "cut": (lambda r, q: framed(b"\x30", "Content-Length: 9\r\n"), "cut off"),
    "nothing": (lambda r, q: b"", "no head"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_not_shown(weir, responder, name):
    behave, why = BAD[name]
    w = prepare(weir, responder)
    responder.issue(7)
    responder.behave = behave
    w.start()
    wait_until(lambda: re.search("no OCSP answer: .*" + why, w.log()))
    assert staple(w) is None
    wait_until(lambda: metric(w, "failed_total") == 1)
    assert metric(w, "staples") == 0


def test_a_responder_that_is_not_there(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    responder.end()
    w.start()
    w.wait_log("no OCSP answer: cannot connect")
    assert staple(w) is None


def test_a_responder_that_hangs_holds_up_nobody(weir, responder):
    w = prepare(weir, responder)
    responder.issue(7)
    responder.behave = lambda r, q: None
    w.start()
    wait_until(lambda: responder.asked == 1)
    assert staple(w) is None
    assert metric(w, "staples") == 0
    begun = time.monotonic()
    w.stop(signal.SIGTERM)
    assert time.monotonic() - begun < 2 * SLOW


# -- names

class Resolver:
    """Answers every question for an A with 127.0.0.1, and no other."""

    def __init__(self):
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        r = random.SystemRandom()
        self.address = "127.%d.%d.%d" % tuple(r.randrange(1, 255)
                                              for _ in range(3))
        self.socket.bind((self.address, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                question, peer = self.socket.recvfrom(512)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            name, kind = question[12:end - 4], question[end - 4:end - 2]
            self.asked.append(name)
            answer = b""
            if kind == b"\0\1":
                answer = (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" +
                          socket.inet_aton("127.0.0.1"))
            self.socket.sendto(
                question[:2] + b"\x81\x80\0\1" +
                (b"\0\1" if answer else b"\0\0") + bytes(4) +
                question[12:end] + answer, peer)


@pytest.fixture
def other_etc(tmp_path, monkeypatch):
    """Weir finds other files in /etc: NAME -> content."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount other files over those of /etc")

    def make(files):
        mounts = ""
        for name, text in files.items():
            (tmp_path / name).write_text(text)
            mounts += "mount --bind %s /etc/%s\n" % (tmp_path / name, name)
        script = tmp_path / "weir-with-other-etc"
        script.write_text("#!/bin/sh\nset -e\n%sexec %s \"$@\"\n" %
                          (mounts, conftest.WEIR))
        script.chmod(0o755)
        outer = tmp_path / "weir"
        outer.write_text("#!/bin/sh\nexec unshare -m %s \"$@\"\n" % script)
        outer.chmod(0o755)
        monkeypatch.setattr(conftest, "WEIR", str(outer))

    return make


def is_stapled_from(w, responder, host):
    responder.issue(7, url="http://%s:%d/ocsp" % (host, responder.port))
    w.start()
    wait_until(lambda: staple(w) == ("good", 7))
    assert b"Host: %s:%d\r\n" % (host.encode(), responder.port) in \
        responder.heads[0]
    assert metric(w, "failed_total") == 0


def test_a_responder_is_named_by_etc_hosts(weir, responder, other_etc):
    other_etc({"hosts": "127.0.0.1 ocsp.example\n"})
    is_stapled_from(prepare(weir, responder), responder, "ocsp.example")


def test_a_responder_is_named_by_the_resolver(weir, responder, other_etc):
    resolver = Resolver()
    other_etc({"resolv.conf": "nameserver %s\n" % resolver.address})
    is_stapled_from(prepare(weir, responder), responder, "ocsp.test")
    assert b"\4ocsp\4test\0" in resolver.asked
    resolver.socket.close()


def test_localhost_is_a_name_too(weir, responder):
    is_stapled_from(prepare(weir, responder), responder, "localhost")
