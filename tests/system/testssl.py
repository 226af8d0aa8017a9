"""What testssl.sh finds in TLS as it is by default, with a certificate of each
kind below a real chain. It takes two minutes: `make torture` runs it."""

import json
import secrets
import shutil
import subprocess

import pytest

from conftest import SLOW, wait_until
from pki import RSA, Authority
from test_ocsp import metric

SITE = """
    admin: 127.0.0.1:{port1}
    sites:
      - hosts: [a.example]
        default: on
        listen: {https: {port}}
        tls:
          certificates:
            - {certificate: ec.pem, key: ec.key}
            - {certificate: rsa.pem, key: rsa.key}
        routes: [{respond: {body: "hello\\n"}}]
"""

# What is worse than LOW and yet as it should be.
ACCEPTED = {
    "cipher_order": "the client's order decides, as Mozilla's guideline for "
    "`intermediate` says: all ciphers are good, and a client knows whether "
    "its hardware has AES",
    "security_headers": "these belong to the site, which says them by "
    "`response_headers`",
}
# What testssl.sh may not find out, and which test of ours does.
UNTESTED = {
    "sessionresumption_ticket": "its client may hang up before the ticket of "
    "TLS 1.3 has come; test_tls_tickets.py",
}
# These know nothing of what has been safe since 2015.
TOO_OLD = {"ie_6_xp", "ie_8_win7", "ie_8_xp", "java_7u25"}

COMMAND = ("testssl", "--full", "--warnings", "off", "--color", "0",
           "--nodns", "none", "--ip", "127.0.0.1")


@pytest.fixture
def site(weir):
    """As a public authority would have it: an intermediate one, random serial
    numbers, 90 days, and an OCSP responder, whose answers are shown."""
    w = weir(SITE, start=False)
    root = Authority(w.dir, "root")
    middle = Authority(w.dir, "middle", root, "6a" + secrets.token_hex(15))
    port = w.port_of("port2")
    for name, kind in ("ec", {}), ("rsa", {"kind": RSA}):
        path, _ = middle.issue(
            name, "/CN=a.example", "serverAuth", "DNS:a.example", end=90,
            responder="http://127.0.0.1:%d/" % port, **kind)
        path.write_text(path.read_text() + middle.cert.read_text())
    with open(w.dir / "ocsp.log", "wb") as log:
        responder = subprocess.Popen(
            ["openssl", "ocsp", "-port", str(port), "-nmin", "60", "-index",
             str(middle.dir / "index.txt"), "-CA", str(middle.cert),
             "-rsigner", str(middle.cert), "-rkey",
             str(middle.dir / "ca.key")], stdout=log, stderr=log)
    try:
        # Who is refused at first would be asked again in a minute.
        wait_until(lambda: "waiting" in (w.dir / "ocsp.log").read_text())
        w.start()
        wait_until(lambda: metric(w, "staples") == 2)
        yield w
    finally:
        responder.kill()
        responder.wait()


def findings_of(w):
    assert shutil.which("testssl"), "contrib/setup.sh ci installs testssl.sh"
    found = w.dir / "found.json"
    done = subprocess.run(
        [*COMMAND, "--add-ca", str(w.dir / "root.pem"), "--jsonfile",
         str(found), "https://a.example:%d" % w.port],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=900 * SLOW)
    assert found.exists(), done.stdout
    return json.loads(found.read_text())


def test_no_finding_is_worse_than_low(site):
    findings = findings_of(site)
    by_id = {f["id"]: f for f in findings}
    # It looked, and at what it was meant to.
    assert len(findings) > 150
    for what in "TLS1_3", "heartbleed":
        assert by_id[what]["severity"] == "OK"
    for what in "cert_chain_of_trust", "cert_trust", "OCSP_stapling":
        for kind in 1, 2:
            of_kind = by_id["%s <cert#%d>" % (what, kind)]
            assert of_kind["severity"] == "OK", of_kind

    worse = {f["id"]: "%s: %s" % (f["severity"], f["finding"])
             for f in findings
             if f["severity"] not in ("OK", "INFO", "DEBUG", "LOW")}
    for what in sorted(worse):
        print(what, worse[what])
    assert not worse.keys() - ACCEPTED.keys() - UNTESTED.keys(), worse
    # An exception that nothing needs any more goes.
    assert ACCEPTED.keys() <= worse.keys()

    refused = {f["id"].removeprefix("clientsimulation-") for f in findings
               if f["id"].startswith("clientsimulation-")
               and "No connection" in f["finding"]}
    assert refused == TOO_OLD
