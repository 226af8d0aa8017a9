"""Certificates: in which forms they come, which one a client is shown, and how
a changed file takes the place of the one that is served."""

import os
import re
import shutil
import signal
import socket
import ssl
import time

import pytest

from conftest import recv_all, wait_until
from test_tls import ask, client, make_pair, run

SITE = """
    workers: {workers}
    admin: 127.0.0.1:{port1}
    tls: {watch: {watch}}
    sites:
      - hosts: [a.example, "*.a.example", "~^u[0-9]+[.]example$"]
        listen: {https: {port}}
        tls: {certificates: {certificates}}
        routes: [{respond: {body: "here\\n"}}]
"""
ONE = "[{certificate: a.pem, key: a.key}]"


def prepare(weir, certificates=ONE, workers=1, watch="200ms", more=""):
    return weir(SITE.replace("{workers}", str(workers))
                .replace("{watch}", watch)
                .replace("{certificates}", certificates) + more, start=False)


def serve(weir, **kw):
    w = prepare(weir, **kw)
    make_pair(w.dir, "a", hosts=("a.example", "*.a.example"))
    return w.start()


def shown(w, name="a.example"):
    """The certificate that a new connection is shown."""
    with w.connect() as raw:
        with client(w).wrap_socket(raw, server_hostname=name) as s:
            return s.getpeercert(binary_form=True)


def der(w, name):
    return ssl.PEM_cert_to_DER_cert((w.dir / (name + ".pem")).read_text())


def put(w, name, as_name="a"):
    """As renewal tools do: written beside it, then moved over it."""
    for end in ".key", ".pem":
        shutil.copy(w.dir / (name + end), w.dir / "part")
        os.replace(w.dir / "part", w.dir / (as_name + end))


def metric(w, name):
    text = w.get("/metrics", port="port1").text
    found = re.search(r"^%s (-?\d+)$" % re.escape(name), text, re.M)
    return int(found.group(1)) if found else None


# -- forms

def test_encrypted_key(weir):
    w = prepare(weir, "[{certificate: a.pem, key: e.key, "
                "key_password: '${file:password}'}]")
    cert, key = make_pair(w.dir, "a")
    (w.dir / "password").write_text("not-to-be-seen\n")
    run("openssl", "pkey", "-in", str(key), "-out", str(w.dir / "e.key"),
        "-aes128", "-passout", "pass:not-to-be-seen")
    assert "ENCRYPTED" in (w.dir / "e.key").read_text()
    w.start()
    assert b"here" in ask(w, client(w, "a"), "a.example")[0]
    assert "not-to-be-seen" not in w.command("-T").stdout
    (w.dir / "password").write_text("wrong\n")
    refused = w.command("-t")
    assert refused.returncode == 1
    assert "cannot be decrypted with this password" in refused.stderr


@pytest.mark.parametrize("password, options", [
    ("secret", []),
    ("secret", ["-legacy"]),
    ("", []),
])
def test_pkcs12(weir, password, options):
    words = "key_password: secret" if password else ""
    w = prepare(weir, "[{certificate: a.p12, %s}]" % words)
    cert, key = make_pair(w.dir, "a")
    run("openssl", "pkcs12", "-export", "-in", str(cert), "-inkey", str(key),
        "-out", str(w.dir / "a.p12"), "-passout", "pass:" + password,
        *options)
    (w.dir / "a.p12").chmod(0o600)
    key.unlink()
    if options:
        # What Debian's OpenSSL reads only with its legacy provider.
        said = w.command("-t")
        assert said.returncode == 1
        assert "is encrypted in a way that OpenSSL has not loaded" in \
            said.stderr
        return
    w.start()
    assert b"here" in ask(w, client(w, "a"), "a.example")[0]


def test_key_from_a_store(weir):
    w = prepare(weir, "[{certificate: a.pem, "
                "key: 'store:file:{dir}/a.key'}]", workers=2)
    make_pair(w.dir, "a")
    w.start()
    for _ in range(8):
        assert b"here" in ask(w, client(w, "a"), "a.example")[0]
    # The certificate can be renewed, as long as the key is the same.
    run("openssl", "req", "-x509", "-key", str(w.dir / "a.key"), "-out",
        str(w.dir / "new.pem"), "-subj", "/CN=new", "-addext",
        "subjectAltName=DNS:a.example")
    os.replace(w.dir / "new.pem", w.dir / "a.pem")
    wait_until(lambda: shown(w) == der(w, "a"))


# -- which one

@pytest.mark.parametrize("algorithms, expected", [
    ("ECDSA+SHA256", b"ECDSA"), ("rsa_pss_rsae_sha256", b"RSA-PSS"),
    ("rsa_pss_rsae_sha256:ECDSA+SHA256", b"RSA-PSS"),
    ("ed25519", None),
])
def test_signature_algorithms_choose_the_key(weir, algorithms, expected):
    w = prepare(weir, "[{certificate: a.pem, key: a.key}, "
                "{certificate: r.pem, key: r.key}]")
    make_pair(w.dir, "a")
    make_pair(w.dir, "r", "rsa")
    w.start()
    said = run("openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port,
               "-servername", "a.example", "-sigalgs", algorithms)
    found = re.search(r"Peer signature type: (\S+)", said.stdout)
    assert (found and found.group(1).encode()) == expected


def test_several_of_one_kind_are_chosen_by_name(weir):
    w = prepare(weir, "[{certificate: a.pem, key: a.key}, "
                "{certificate: wild.pem, key: wild.key}, "
                "{certificate: u.pem, key: u.key}]")
    make_pair(w.dir, "a")
    make_pair(w.dir, "wild", hosts=("*.a.example",))
    make_pair(w.dir, "u", hosts=("u1.example",))
    w.start()
    assert shown(w, "a.example") == der(w, "a")
    assert shown(w, "www.a.example") == der(w, "wild")
    assert shown(w, "u1.example") == der(w, "u")
    # A host of the site that no certificate is for gets the first.
    assert shown(w, "u2.example") == der(w, "a")


def test_host_without_certificate_is_a_warning(weir):
    w = prepare(weir)
    make_pair(w.dir, "a", hosts=("a.example",))
    said = w.command("-t")
    assert said.returncode == 0
    assert "no certificate of this site is for *.a.example" in said.stderr


# -- renewal

def test_changed_files_are_served_without_a_reload(weir):
    w = serve(weir, workers=2)
    pids = sorted(w.children())
    old = der(w, "a")
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"), days=30)
    with w.connect() as raw, client(w, "a").wrap_socket(
            raw, server_hostname="a.example") as standing:
        put(w, "new")
        w.wait_log("a.pem replaced, valid until 20")
        # By every worker: the kernel chooses one for each connection.
        wait_until(lambda: all(shown(w) == der(w, "new") for _ in range(16)))
        standing.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n"
                         b"Connection: close\r\n\r\n")
        assert b"here" in recv_all(standing)
    assert sorted(w.children()) == pids
    assert der(w, "a") != old
    assert metric(w, "weir_tls_certificates_replaced_total") == 1
    assert metric(w, 'weir_tls_certificate_days_left{certificate="%s"}'
                  % (w.dir / "a.pem")) in (29, 30)


def test_replaced_worker_has_the_new_one(weir):
    w = serve(weir)
    w.allow_crash = True
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"))
    put(w, "new")
    w.wait_log("a.pem replaced")
    worker = int(re.search(r'"role":"worker","index":0,"pid":(\d+)',
                           w.get("/status", port="port1").text).group(1))
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: worker not in w.children())
    assert shown(w) == der(w, "new")


def test_tickets_outlive_a_renewal(weir):
    w = serve(weir)
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"))
    c = client(w, "a", "new")
    session = ask(w, c, "a.example")[3]
    put(w, "new")
    w.wait_log("a.pem replaced")
    assert ask(w, c, "a.example", session)[4]


def test_half_a_pair_is_not_used(weir):
    w = serve(weir)
    old = der(w, "a")
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"))
    os.replace(w.dir / "new.pem", w.dir / "a.pem")
    w.wait_log("a.pem has changed, but is not used: the key ")
    assert "does not belong to the certificate" in w.log()
    assert shown(w) == old
    os.replace(w.dir / "new.key", w.dir / "a.key")
    w.wait_log("a.pem replaced")
    assert shown(w) == der(w, "a") != old
    assert metric(w, "weir_tls_certificates_refused_total") == 1


def test_what_is_for_other_hosts_is_not_used(weir):
    w = serve(weir)
    old = der(w, "a")
    make_pair(w.dir, "new", hosts=("a.example",))
    put(w, "new")
    w.wait_log("it is not for *.a.example, as the old one is; the old one "
               "stays")
    assert shown(w) == old


@pytest.mark.parametrize("spoil", ["truncate", "remove"])
def test_broken_file_is_said_once_and_survived(weir, spoil):
    w = serve(weir)
    pem = w.dir / "a.pem"
    old = pem.read_text()
    if spoil == "remove":
        pem.unlink()
    else:
        pem.write_text(old[:len(old) // 2])
    w.wait_log("but is not used")
    time.sleep(1)
    assert w.log().count("but is not used") == 1
    assert shown(w) == ssl.PEM_cert_to_DER_cert(old)
    # Whole again, it is what is served already.
    pem.write_text(old)
    time.sleep(1)
    assert "replaced" not in w.log()


def test_links_that_are_turned_are_followed(weir):
    """certbot, and volumes of Kubernetes: nothing changes but a link."""
    w = prepare(weir, "[{certificate: live/a.pem, key: live/a.key}]")
    for name in "one", "two":
        (w.dir / name).mkdir()
        make_pair(w.dir / name, "a", hosts=("a.example", "*.a.example"))
    os.symlink("one", w.dir / "live")
    w.start()
    assert shown(w) == der(w, "one/a")
    os.symlink("two", w.dir / "link")
    os.replace(w.dir / "link", w.dir / "live")
    wait_until(lambda: shown(w) == der(w, "two/a"))


def test_files_can_be_left_alone(weir):
    w = serve(weir, watch="0")
    old = der(w, "a")
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"))
    put(w, "new")
    time.sleep(1.5)
    assert shown(w) == old
    assert w.reload().returncode == 0
    assert shown(w) == der(w, "new")


def test_many_are_replaced_together(weir):
    """More than a channel holds at once."""
    many = 400
    sites = "".join("""
      - hosts: [h%d.example]
        listen: {https: {port}}
        tls: {certificates: [{certificate: c/%d.pem, key: a.key}]}
        routes: [{respond: 204}]""" % (i, i) for i in range(many))
    w = prepare(weir, more=sites)
    make_pair(w.dir, "a", hosts=("a.example", "*.a.example", "*.example"))
    (w.dir / "c").mkdir()
    for i in range(many):
        shutil.copy(w.dir / "a.pem", w.dir / "c" / ("%d.pem" % i))
    w.start()
    run("openssl", "req", "-x509", "-key", str(w.dir / "a.key"), "-out",
        str(w.dir / "new.pem"), "-subj", "/CN=new", "-addext",
        "subjectAltName=DNS:*.example")
    for i in range(many):
        shutil.copy(w.dir / "new.pem", w.dir / "part")
        os.replace(w.dir / "part", w.dir / "c" / ("%d.pem" % i))
    wait_until(lambda: w.log().count(".pem replaced") == many, 30)
    for i in range(0, many, 37):
        assert shown(w, "h%d.example" % i) == der(w, "new")
    assert metric(w, "weir_tls_certificates") == many + 1
    text = w.get("/metrics", port="port1").text
    assert text.count("weir_tls_certificate_days_left{") == 64


def test_upstreams_see_the_new_certificate(weir):
    """What is shown to upstreams is renewed as well."""
    w = serve(weir, more="""
      - hosts: [proxy.example]
        listen: {http: {port2}}
        routes: [{proxy: up}]
    upstreams:
      up:
        servers: ["127.0.0.1:{port3}"]
        tls: {verify: off, certificate: {dir}/a.pem, key: {dir}/a.key}
        keepalive: off
""")
    make_pair(w.dir, "new", hosts=("a.example", "*.a.example"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(w.dir / "new.pem", w.dir / "new.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    for name in "a", "new":
        context.load_verify_locations(w.dir / (name + ".pem"))
    put(w, "new")
    w.wait_log("a.pem replaced")
    with socket.create_server(("127.0.0.1", w.port_of("port3"))) as s:
        s.settimeout(10)
        with w.connect("port2") as c:
            c.sendall(b"GET / HTTP/1.1\r\nHost: proxy.example\r\n\r\n")
            with context.wrap_socket(s.accept()[0], server_side=True) as up:
                up.recv(4096)
                assert up.getpeercert(binary_form=True) == der(w, "new")
