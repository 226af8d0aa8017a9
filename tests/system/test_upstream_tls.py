"""TLS towards upstreams: who is believed, what is shown, what is resumed."""

import re
import socket
import ssl
import threading

import pytest

from conftest import recv_all, wait_until
from pki import Authority

BOTH = pytest.mark.parametrize("version", ["TLSv1.2", "TLSv1.3"])

# The servers are sites of the same process, which say what they saw.
SERVERS = """
      - hosts: [up.example, cn.example]
        default: on
        listen: {https: {port1}}
        tls: {certificates: [{certificate: up.pem, key: up.key}]}
        routes:
          - respond: {body: "$ssl_server_name $ssl_protocol $ssl_alpn_protocol $ssl_session_reused"}
      - hosts: [strict.example]
        default: on
        listen: {https: {port2}}
        tls:
          certificates: [{certificate: up.pem, key: up.key}]
          client: {ca: root.pem}
        routes: [{respond: {body: "$ssl_client_s_dn"}}]
"""

TEXT = """
    admin: 127.0.0.1:{port3}
    access_log: {to: {dir}/access.log, buffer: 0,
                 format: '$request_uri $status $reason $upstream_phase'}
    upstreams:
"""


class World:
    """UPSTREAMS: name -> what is said beside its one server, or a pair with
    the address, too."""

    def __init__(self, weir, upstreams):
        self.w = weir(self.text(upstreams), start=False)
        self.dir = self.w.dir
        self.root = Authority(self.dir, "root")
        self.other = Authority(self.dir, "other")
        self.root.issue("up", usage="serverAuth",
                        names="DNS:up.example,IP:127.0.0.1")
        self.root.issue("me", "/CN=weir")

    def text(self, upstreams):
        text, routes = TEXT, ""
        for name, keys in upstreams.items():
            address, keys = keys if isinstance(keys, tuple) \
                else ("127.0.0.1:{port1}", keys)
            text += '      %s: {servers: ["%s"], keepalive: off, tls: %s}\n' \
                % (name, address, keys)
            routes += "          - {path: /%s, proxy: %s}\n" % (name, name)
        return text + "    sites:\n      - listen: {port}\n" \
            "        routes:\n" + routes + SERVERS

    def start(self):
        self.w.start()
        return self

    def get(self, name):
        r = self.w.get("/" + name)
        return r.text if r.status == 200 else r.status

    def reason(self, name):
        assert self.get(name) == 502
        line = "/%s 502 " % name
        wait_until(lambda: line in self.w.access_log())
        return self.w.access_log().rpartition(line)[2].split()[0]

    def count(self, name):
        text = self.w.get("/metrics", port="port3").text
        return int(re.search("^weir_upstream_%s (\\d+)$" % name, text,
                             re.M).group(1))


def test_servers_are_verified_by_default(weir):
    world = World(weir, {
        "good": "{ca: root.pem, name: up.example}",
        "wrong": "{ca: root.pem, name: down.example}",
        "unknown": "{ca: other.pem, name: up.example}",
        "system": "{name: up.example}",
        "blind": "{verify: off}",
    }).start()
    assert world.get("good") == "up.example TLSv1.3 http/1.1 ."
    assert world.get("blind").startswith(" TLSv1.3")
    for name, why in (("wrong", "hostname mismatch (CN=up, wanted "
                       "down.example)"),
                      ("unknown", "unable to get local issuer certificate "
                       "(CN=up, wanted up.example)"),
                      ("system", "unable to get local issuer certificate")):
        assert world.reason(name) == "upstream_tls_verify"
        assert "the certificate is refused: " + why in world.w.log()
    text = world.w.get("/metrics", port="port3").text
    assert 'weir_upstream_failures_total{cause="tls_verify"} 3\n' in text


def test_names_and_addresses(weir):
    world = World(weir, {
        "address": "{ca: root.pem}",
        "elsewhere": ("127.0.0.2:{port1}", "{ca: root.pem}"),
        "cn": "{ca: root.pem, name: cn.example}",
    })
    world.start()
    # No name is asked for, and the certificate is good for the address.
    assert world.get("address").startswith(" TLSv1.3")
    assert world.reason("elsewhere") == "upstream_tls_verify"
    assert "IP address mismatch" in world.w.log()
    # A common name that looks like one is none (RFC 9525).
    world.root.issue("up", "/CN=cn.example", usage="serverAuth",
                     names="DNS:up.example")
    assert world.w.reload().returncode == 0
    assert world.reason("cn") == "upstream_tls_verify"


def test_bad_certificates(weir):
    world = World(weir, {"up": "{ca: root.pem, name: up.example}"}).start()
    for options, why in (({"end": -0.5}, "certificate has expired"),
                         ({"start": 1}, "certificate is not yet valid"),
                         ({"usage": "clientAuth"}, "certificate purpose")):
        kept = dict({"usage": "serverAuth", "names": "DNS:up.example"},
                    **options)
        world.root.issue("up", **kept)
        assert world.w.reload().returncode == 0
        assert world.reason("up") == "upstream_tls_verify"
        assert why in world.w.log()


def test_client_certificate(weir):
    me = "{ca: root.pem, name: up.example, certificate: me.pem, key: me.key}"
    world = World(weir, {
        "me": ("127.0.0.1:{port2}", me),
        "nobody": ("127.0.0.1:{port2}", "{ca: root.pem, name: up.example}"),
    }).start()
    # One's Host is that of the server: the site is the default.
    assert world.get("me") == "CN=weir"
    assert world.get("me") == "CN=weir"  # and of the resumed session
    assert world.get("nobody") == 400


def test_revoked(weir):
    keys = "{ca: root.pem, crl: lists.pem, name: up.example}"
    world = World(weir, {"up": keys})
    (world.dir / "lists.pem").write_text(world.root.list())
    world.start()
    assert world.get("up").startswith("up.example")
    world.root.revoke("up")
    (world.dir / "lists.pem").write_text(world.root.list())
    assert world.w.reload().returncode == 0
    assert world.reason("up") == "upstream_tls_verify"
    assert "certificate revoked" in world.w.log()
    (world.dir / "lists.pem").write_text(world.root.list(-2, -1))
    assert world.w.reload().returncode == 0
    assert world.reason("up") == "upstream_tls_verify"
    assert "CRL has expired" in world.w.log()


def test_nothing_in_common(weir):
    world = World(weir, {"up": "{ca: root.pem, name: up.example, "
                         "protocols: TLSv1.2, ciphers: AES128-SHA}"}).start()
    assert world.reason("up") == "upstream_tls_refused"
    assert "the peer refuses: handshake failure" in world.w.log()


# ---- sessions

@BOTH
def test_sessions_are_resumed(weir, version):
    world = World(weir, {"up": "{ca: root.pem, name: up.example, "
                         "protocols: %s}" % version}).start()
    assert world.get("up") == "up.example %s http/1.1 ." % version
    for _ in range(5):
        assert world.get("up") == "up.example %s http/1.1 r" % version
    assert world.count("tls_handshakes_total") == 6
    assert world.count("tls_resumptions_total") == 5


@BOTH
def test_resumption_is_no_way_around_verification(weir, version):
    """What one upstream trusted is nothing to another of the same server."""
    more = ", protocols: %s}" % version
    upstreams = {
        "blind": "{verify: off, name: up.example" + more,
        "good": "{ca: root.pem, name: up.example" + more,
        "wrong": "{ca: root.pem, name: down.example" + more,
        "unknown": "{ca: other.pem, name: up.example" + more,
    }
    world = World(weir, upstreams).start()
    for _ in range(2):
        assert world.get("blind").startswith("up.example")
        assert world.get("good").startswith("up.example")
        assert world.reason("wrong") == "upstream_tls_verify"
        assert world.reason("unknown") == "upstream_tls_verify"
    # Nor to the next configuration.
    upstreams["good"] = upstreams["unknown"]
    assert world.w.reload(world.text(upstreams)).returncode == 0
    assert world.reason("good") == "upstream_tls_verify"


@BOTH
def test_session_ends_with_the_servers_certificate(weir, version):
    world = World(weir, {"up": "{ca: root.pem, name: up.example, "
                         "protocols: %s}" % version})
    world.root.issue("up", usage="serverAuth", names="DNS:up.example",
                     end=6 / 86400)
    world.start()
    assert world.get("up").endswith(" .")
    wait_until(lambda: world.get("up") == 502)
    assert world.reason("up") == "upstream_tls_verify"
    assert world.count("tls_resumptions_total") > 0
    assert "certificate has expired (CN=up" in world.w.log()


@BOTH
def test_session_that_the_server_forgot(weir, version):
    world = World(weir, {"up": ("127.0.0.1:{port4}",
                         "{ca: root.pem, name: up.example, "
                         "protocols: %s}" % version)})
    server = weir("""
        sites:
          - listen: {https: %d}
            tls: {certificates: [{certificate: %s/up.pem, key: %s/up.key}]}
            routes: [{respond: {body: "$ssl_session_reused"}}]
    """ % (world.w.port_of("port4"), world.dir, world.dir))
    world.start()
    assert [world.get("up") for _ in range(3)] == [".", "r", "r"]
    server.stop()
    assert world.reason("up") == "upstream_refused"
    server.log_path.write_text("")
    server.start()
    assert [world.get("up") for _ in range(3)] == [".", "r", "r"]


@BOTH
def test_server_that_refuses_us(weir, version):
    """Which in TLS 1.3 it says when the handshake is over for us."""
    world = World(weir, {"up": ("127.0.0.1:{port4}",
                         "{ca: root.pem, name: up.example, "
                         "protocols: %s}" % version)})
    port = world.w.port_of("port4")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.dir / "up.pem", world.dir / "up.key")
    context.load_verify_locations(world.dir / "root.pem")
    context.verify_mode = ssl.CERT_REQUIRED

    def serve(listener):
        while True:
            try:
                raw = listener.accept()[0]
            except OSError:
                return
            tls = context.wrap_socket(raw, server_side=True,
                                      do_handshake_on_connect=False)
            try:
                tls.do_handshake()
            except OSError:
                pass
            # A close with the request unread would overtake the alert.
            with socket.socket(fileno=tls.detach()) as rest:
                recv_all(rest)

    with socket.create_server(("127.0.0.1", port)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        world.start()
        assert world.reason("up") == "upstream_tls_refused"
        listener.shutdown(socket.SHUT_RDWR)
    assert "the peer refuses: " in world.w.log()
