"""Client certificates: who is let in, what the others are told, and every way
around that must be closed."""

import hashlib
import re
import ssl
import subprocess

import pytest

from conftest import recv_all, wait_until
from h2_frames import GOAWAY, NO_ERROR, Closed, Frames
from pki import Authority, openssl

V2, V3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = pytest.mark.parametrize("version", [V2, V3])

SITES = """
    admin: 127.0.0.1:{port2}
    error_log: {level: info}
    workers: {workers}
    access_log: {to: {dir}/access.log, buffer: 0,
                 format: '$host $status $reason $ssl_client_verify'}
    tls: {certificates: [{certificate: server.pem, key: server.key}]}
    sites:
      - hosts: [open.example]
        default: on
        listen: {https: {port}}
        routes: [{respond: {body: "open $ssl_client_verify\\n"}}]
      - hosts: [required.example]
        listen: {https: {port}, http: {port1}}
        tls: {client: {ca: root.pem}}
        routes:
          - {path: /dn, respond: {body: "$ssl_client_s_dn"}}
          - respond: {body: "required $ssl_client_verify $ssl_session_reused\\n"}
      - hosts: [same.example]
        listen: {https: {port}}
        tls: {client: {ca: root.pem}}
        routes: [{respond: {body: "same $ssl_client_verify\\n"}}]
      - hosts: [optional.example]
        listen: {https: {port}}
        tls: {client: {verify: optional, ca: root.pem}}
        routes: [{respond: {body: "optional $ssl_client_verify $ssl_session_reused\\n"}}]
      - hosts: [anybody.example]
        listen: {https: {port}}
        tls: {client: {verify: optional_no_ca, ca: root.pem}}
        routes: [{respond: {body: "anybody $ssl_client_verify\\n"}}]
      - hosts: [other.example]
        listen: {https: {port}}
        tls: {client: {ca: other.pem}}
        routes: [{respond: {body: "other $ssl_client_verify\\n"}}]
      - hosts: [listed.example]
        listen: {https: {port}}
        tls: {client: {ca: root.pem, crl: lists.pem}}
        routes: [{respond: {body: "listed $ssl_client_verify\\n"}}]
"""


NAMES = ("open", "required", "same", "optional", "anybody", "other", "listed")


class World:
    def __init__(self, w):
        self.w, self.dir = w, w.dir
        self.root = Authority(w.dir, "root")
        self.other = Authority(w.dir, "other")
        self.middle = Authority(w.dir, "middle", self.root)
        self.root.issue("server", usage="serverAuth",
                        names=",".join("DNS:%s.example" % name for name in
                                       NAMES))
        self.root.issue("alice", "/O=Example/CN=Alice")
        self.middle.issue("bob")
        self.other.issue("mallory")
        chain = self.dir / "bob.pem"
        chain.write_text(chain.read_text() + self.middle.cert.read_text())
        self.write_lists()

    def write_lists(self):
        (self.dir / "lists.pem").write_text(self.root.list() +
                                            self.middle.list())

    def context(self, who=None, version=None):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
        if version:
            c.minimum_version = c.maximum_version = version
        if who:
            c.load_cert_chain(self.dir / (who + ".pem"),
                              self.dir / (who + ".key"))
        return c

    def ask(self, name, who=None, host=None, path="/", session=None,
            context=None, version=None):
        """One request: status, body, session."""
        context = context or self.context(who, version)
        with self.w.connect() as raw:
            with context.wrap_socket(raw, server_hostname=name,
                                     session=session) as s:
                s.sendall(b"GET %s HTTP/1.1\r\nHost: %s\r\n"
                          b"Connection: close\r\n\r\n" %
                          (path.encode(), (host or name).encode()))
                data = recv_all(s)
                head, _, body = data.decode().partition("\r\n\r\n")
                return int(head.split()[1]), body, s.session


@pytest.fixture
def world(weir):
    w = weir(SITES.replace("{workers}", "1"), start=False)
    world = World(w)
    w.start()
    return world


# ---- who is let in

@BOTH
def test_required(world, version):
    status, body, _ = world.ask("required.example", "alice", version=version)
    assert (status, body) == (200, "required SUCCESS .\n")
    status, body, _ = world.ask("required.example", version=version)
    assert status == 400
    assert "the site requires a client certificate: none was sent" in body
    status, body, _ = world.ask("required.example", "mallory",
                                version=version)
    assert status == 400
    assert "the client certificate is refused: unable to" in body


@BOTH
def test_optional(world, version):
    def ask(who):
        return world.ask("optional.example", who, version=version)[:2]
    assert ask("alice") == (200, "optional SUCCESS .\n")
    assert ask(None) == (200, "optional NONE .\n")
    assert ask("mallory")[0] == 400


@BOTH
def test_optional_no_ca(world, version):
    def ask(who):
        return world.ask("anybody.example", who, version=version)[:2]
    assert ask("alice") == (200, "anybody SUCCESS\n")
    assert ask(None) == (200, "anybody NONE\n")
    status, body = ask("mallory")
    assert status == 200 and body.startswith("anybody FAILED:unable to")
    # That nobody knows who signed it excuses nothing else.
    world.other.issue("late", end=-0.5)
    status, body = ask("late")
    assert status == 400 and "certificate has expired" in body


def test_chains_are_followed(world):
    assert world.ask("required.example", "bob")[0] == 200
    # One that is no authority signs nothing.
    fake = Authority(world.dir, "fake", None)
    (fake.dir / "ca.key").write_bytes((world.dir / "alice.key").read_bytes())
    (fake.dir / "ca.pem").write_bytes((world.dir / "alice.pem").read_bytes())
    fake.issue("victim")
    chain = world.dir / "victim.pem"
    chain.write_text(chain.read_text() +
                     (world.dir / "alice.pem").read_text())
    status, body, _ = world.ask("required.example", "victim")
    assert status == 400 and "refused: invalid CA certificate" in body


def test_other_problems_are_said(world):
    world.root.issue("late", end=-0.5)
    world.root.issue("early", start=1)
    world.root.issue("shop", usage="serverAuth")
    for who, why in (("late", "certificate has expired"),
                     ("early", "certificate is not yet valid"),
                     ("shop", "certificate purpose")):
        status, body, _ = world.ask("required.example", who)
        assert status == 400 and why in body, body


def test_revoked(world):
    assert world.ask("listed.example", "alice")[:2] == (200,
                                                        "listed SUCCESS\n")
    assert world.ask("listed.example", "bob")[0] == 200
    world.root.revoke("alice")
    world.write_lists()
    assert world.w.reload().returncode == 0
    status, body, _ = world.ask("listed.example", "alice")
    assert status == 400 and "certificate revoked" in body
    assert world.ask("listed.example", "bob")[0] == 200
    # Of a revoked authority nobody is let in.
    world.root.revoke("middle")
    world.write_lists()
    assert world.w.reload().returncode == 0
    status, body, _ = world.ask("listed.example", "bob")
    assert status == 400 and "certificate revoked" in body


def test_lists_must_be_there_and_fresh(world):
    (world.dir / "lists.pem").write_text(world.root.list())
    assert world.w.reload().returncode == 0
    assert world.ask("listed.example", "alice")[0] == 200
    status, body, _ = world.ask("listed.example", "bob")
    assert status == 400 and "unable to get certificate CRL" in body
    (world.dir / "lists.pem").write_text(world.root.list(-2, -1))
    done = world.w.command("-t")
    assert done.returncode == 0 and "has expired" in done.stderr + done.stdout
    assert world.w.reload().returncode == 0
    status, body, _ = world.ask("listed.example", "alice")
    assert status == 400 and "CRL has expired" in body


def test_depth(weir):
    text = """
        sites:
          - listen: {https: {port}}
            tls:
              certificates: [{certificate: server.pem, key: server.key}]
              client: {ca: root.pem, depth: %d}
            routes: [{respond: {body: "in"}}]
    """
    w = weir(text % 0, start=False)
    world = World(w)
    w.start()
    assert world.ask("x.example", "alice")[0] == 200
    status, body, _ = world.ask("x.example", "bob")
    assert status == 400 and "certificate chain too long" in body
    assert w.reload(text % 1).returncode == 0
    assert world.ask("x.example", "bob")[0] == 200


def test_refusals_are_told_apart(world):
    world.ask("required.example")
    world.ask("required.example", "mallory")
    world.ask("required.example", "alice", host="other.example")
    wait_until(lambda: len(world.w.access_log().splitlines()) == 3)
    lines = world.w.access_log().splitlines()
    assert lines[0] == "required.example 400 no_certificate NONE"
    assert lines[1].startswith(
        "required.example 400 bad_certificate FAILED:unable to")
    assert lines[2] == "other.example 421 other_verification SUCCESS"
    text = world.w.get("/metrics", port="port2").text
    for word in "no_certificate", "bad_certificate", "other_verification":
        assert 'weir_http_refused_total{reason="%s"} 1\n' % word in text
    log = world.w.log()
    assert "the client certificate is refused: unable to get" in log


# ---- ways around

@BOTH
@pytest.mark.parametrize("named, host", [
    ("open.example", "required.example"),
    ("optional.example", "required.example"),
    ("other.example", "required.example"),
    ("anybody.example", "required.example"),
    ("required.example", "listed.example"),
    ("required.example", "open.example"),
    (None, "required.example")])
def test_host_must_have_the_same_verification(world, version, named, host):
    """Although one certificate covers all of them."""
    status, body, _ = world.ask(named, "alice", host=host, version=version)
    assert status == 421
    assert "needs a connection of its own" in body


def test_host_with_the_same_verification_is_served(world):
    assert world.ask("required.example", "alice", host="same.example")[:2] \
        == (200, "same SUCCESS\n")
    assert world.ask("required.example", host="same.example")[0] == 400


def test_each_request_is_judged(world):
    """The first of a connection does not speak for the next."""
    with world.w.connect() as raw:
        with world.context("alice").wrap_socket(
                raw, server_hostname="required.example") as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: required.example\r\n\r\n"
                      b"GET / HTTP/1.1\r\nHost: listed.example\r\n\r\n")
            data = recv_all(s)
    assert re.findall(rb"HTTP/1.1 (\d+)", data) == [b"200", b"421"]


class Spoken(Frames):
    """HTTP/2 over a connection that a test has secured itself."""

    def __init__(self, world, name, who=None):
        super().__init__(world.w.port)
        context = world.context(who)
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        assert self.sock.selected_alpn_protocol() == "h2"
        self.scheme = "https"
        self.hello()

    def ask(self, stream, name):
        fields, body = self.get(stream, authority=name)
        return int(fields[":status"]), body.decode()


def test_http2_requests_are_judged(world):
    c = Spoken(world, "required.example", "alice")
    assert c.ask(1, "required.example") == (200, "required SUCCESS .\n")
    for who, why in [(None, "none was sent"), ("mallory", "unable to")]:
        c = Spoken(world, "required.example", who)
        for stream in 1, 3:
            status, body = c.ask(stream, "required.example")
            assert status == 400 and why in body


def test_http2_goes_away_where_a_new_handshake_is_needed(world):
    for who in None, "mallory":
        c = Spoken(world, "required.example", who)
        assert c.ask(1, "required.example")[0] == 400
        # First the notice, then the last number; and the end.
        seen = []
        try:
            while True:
                f = c.next()
                if f.kind == GOAWAY:
                    seen.append((int.from_bytes(f.payload[:4], "big"),
                                 f.error))
        except Closed:
            pass
        assert seen == [(2 ** 31 - 1, NO_ERROR), (1, NO_ERROR)]
    # Who may come in here but not there keeps its connection.
    c = Spoken(world, "required.example", "alice")
    assert c.ask(1, "listed.example")[0] == 421
    assert c.ask(3, "required.example")[0] == 200
    assert c.is_alive()


def test_http2_connection_is_of_one_verification(world):
    """Whatever streams went before, and although the certificate is for all."""
    c = Spoken(world, "open.example", "alice")
    assert c.ask(1, "open.example")[0] == 200
    for stream, name in (3, "required.example"), (5, "optional.example"):
        status, body = c.ask(stream, name)
        assert status == 421 and "needs a connection of its own" in body
    assert c.ask(7, "open.example")[0] == 200
    c = Spoken(world, "required.example", "alice")
    assert c.ask(1, "same.example") == (200, "same SUCCESS\n")
    assert c.ask(3, "listed.example")[0] == 421
    assert c.ask(5, "open.example")[0] == 421


@BOTH
@pytest.mark.parametrize("origin", ["open.example", "optional.example",
                                    "anybody.example", "other.example",
                                    "same.example"])
def test_session_of_another_site_is_not_resumed(world, version, origin):
    c = world.context(None, version)
    session = world.ask(origin, context=c)[2]
    status, body, _ = world.ask("required.example", context=c,
                                session=session)
    assert status == 400 and "none was sent" in body


@BOTH
def test_session_keeps_what_was_verified(world, version):
    c = world.context("alice", version)
    session = world.ask("required.example", context=c)[2]
    status, body, _ = world.ask("required.example", context=c, path="/dn",
                                session=session)
    assert (status, body) == (200, "CN=Alice,O=Example")
    assert world.ask("required.example", context=c, session=session)[1] == \
        "required SUCCESS r\n"


@BOTH
def test_session_of_a_refused_client_is_not_resumed(world, version):
    """So that one who has got a certificate since is asked again."""
    for who in None, "mallory":
        c = world.context(who, version)
        session = world.ask("required.example", context=c)[2]
        c.load_cert_chain(world.dir / "alice.pem", world.dir / "alice.key")
        assert world.ask("required.example", context=c, session=session)[:2] \
            == (200, "required SUCCESS .\n")


@BOTH
def test_session_does_not_survive_another_ca(world, version):
    c = world.context("alice", version)
    session = world.ask("required.example", context=c)[2]
    (world.dir / "root.pem").write_text(world.other.cert.read_text())
    assert world.w.reload().returncode == 0
    status, body, _ = world.ask("required.example", context=c,
                                session=session)
    assert status == 400 and "refused" in body


@BOTH
def test_session_does_not_survive_another_list(world, version):
    c = world.context("alice", version)
    session = world.ask("listed.example", context=c)[2]
    world.root.revoke("alice")
    world.write_lists()
    assert world.w.reload().returncode == 0
    status, body, _ = world.ask("listed.example", context=c, session=session)
    assert status == 400 and "certificate revoked" in body


@BOTH
def test_session_ends_with_the_certificate(world, version):
    world.root.issue("brief", end=4 / 86400)
    c = world.context("brief", version)
    session = world.ask("required.example", context=c)[2]
    last = []

    def is_over():
        # Each resumption brings a new ticket: that must not go on.
        last[:] = world.ask("required.example", context=c,
                            session=last[2] if last else session)
        return last[0] == 400
    wait_until(is_over)
    assert "certificate has expired" in last[1]


@BOTH
def test_sessions_are_good_at_every_worker(weir, version):
    w = weir(SITES.replace("{workers}", "2"), start=False)
    world = World(w)
    w.start()
    c = world.context("alice", version)
    session = world.ask("required.example", context=c)[2]
    for _ in range(8):
        status, body, session = world.ask("required.example", context=c,
                                          session=session)
        assert (status, body) == (200, "required SUCCESS r\n")


# ---- what is known of a certificate

def test_variables(weir):
    w = weir("""
        sites:
          - listen: {https: {port}}
            tls:
              certificates: [{certificate: server.pem, key: server.key}]
              client: {verify: optional, ca: root.pem}
            routes:
              - {path: /s, respond: {body: "$ssl_client_s_dn"}}
              - {path: /i, respond: {body: "$ssl_client_i_dn"}}
              - {path: /serial, respond: {body: "$ssl_client_serial"}}
              - {path: /sha1, respond: {body: "$ssl_client_fingerprint"}}
              - {path: /sha256, respond: {body: "$ssl_client_fingerprint_sha256"}}
              - {path: /raw, respond: {body: "$ssl_client_raw_cert"}}
              - {path: /escaped, respond: {body: "$ssl_client_escaped_cert"}}
              - {path: /start, respond: {body: "$ssl_client_v_start"}}
              - {path: /end, respond: {body: "$ssl_client_v_end"}}
              - {path: /remain, respond: {body: "$ssl_client_v_remain"}}
              - {path: /connection, respond: {body: "$ssl_curve $ssl_alpn_protocol"}}
              - {path: /headers, proxy: {to: "http://127.0.0.1:{port1}", request_headers: {set: {X-Dn: $ssl_client_s_dn, X-Cert: $ssl_client_escaped_cert}}}}
          - listen: {port1}
            routes: [{respond: {body: "$http_x_dn $http_x_cert"}}]
    """, start=False)
    world = World(w)
    world.root.issue("eve", "/O=Ex\\, ample/CN=Zoë \x01")
    w.start()

    def get(path, who="eve"):
        return world.ask("x.example", who, path=path)[1]

    pem = (w.dir / "eve.pem").read_text()
    der = ssl.PEM_cert_to_DER_cert(pem)
    name = "CN=Zo\\C3\\AB \\01,O=Ex\\, ample"
    assert get("/s") == name
    assert get("/i") == "CN=root"
    assert get("/serial") == openssl("x509", "-noout", "-serial", "-in",
                                     w.dir / "eve.pem").strip()[7:]
    assert get("/sha1") == hashlib.sha1(der).hexdigest()
    assert get("/sha256") == hashlib.sha256(der).hexdigest()
    assert get("/raw") == pem
    from urllib.parse import quote
    assert get("/escaped") == quote(pem, safe="")
    dates = openssl("x509", "-noout", "-dates", "-in", w.dir / "eve.pem")
    assert "notBefore=%s\n" % get("/start") in dates
    assert "notAfter=%s\n" % get("/end") in dates
    assert get("/remain") in ("19", "20")  # whole ones, of 20 at most
    assert get("/headers") == name + " " + quote(pem, safe="")
    assert re.fullmatch(r"\w+ ", get("/connection"))
    for path in "/s", "/serial", "/raw", "/end", "/remain":
        assert get(path, None) == ""


def test_plain_http_knows_nothing_of_it(world):
    r = world.w.get("/", headers={"Host": "required.example"}, port="port1")
    assert r.text == "required  \n"


def test_clients_are_told_whose_certificates_are_good(world):
    def asked_for(name):
        with subprocess.Popen(
                ["openssl", "s_client", "-connect",
                 "127.0.0.1:%d" % world.w.port, "-servername", name],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True) as p:
            return p.communicate(timeout=20)[0]
    text = asked_for("required.example")
    assert "Acceptable client certificate CA names\nCN = root\n" in text
    assert "No client certificate CA names sent" in asked_for("open.example")


def test_endless_chains_are_cut(world):
    """What may be sent as a chain is bounded, whoever signed it."""
    chain = world.dir / "alice.pem"
    chain.write_text(chain.read_text() +
                     world.middle.cert.read_text() * 100)
    with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
        world.ask("required.example", "alice")
    wait_until(lambda: "excessive message size" in world.w.log())
    assert world.ask("optional.example")[0] == 200
