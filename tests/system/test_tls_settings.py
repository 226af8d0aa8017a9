"""What may be agreed on in TLS, as OpenSSL's own client sees it."""

import re
import subprocess

import pytest

from conftest import SLOW

TWO_SITES = """
    {top}
    sites:
      - hosts: [a.example]
        default: on
        listen: {https: {port}}
        tls: {self_signed: on}
        routes: [{respond: {body: "site a"}}]
      - hosts: [b.example]
        listen: {https: {port}}
        tls: {self_signed: on{settings}}
        routes: [{respond: {body: "site b"}}]
"""


def start(weir, settings="", top=""):
    if settings:
        settings = ", " + settings
    return weir(TWO_SITES.replace("{settings}", settings)
                .replace("{top}", top))


def s_client(w, *args, name="b.example", say=b""):
    done = subprocess.run(
        ["openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port,
         "-servername", name, *args], input=say, capture_output=True,
        timeout=30 * SLOW)
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def is_refused(text):
    return "handshake failure" in text


def test_defaults(weir):
    w = start(weir)
    text = s_client(w)
    assert "TLSv1.3" in text and "X25519" in text
    assert "Compression: NONE" in text
    assert "Server Temp Key: X25519" in s_client(
        w, "-groups", "X448:ffdhe2048:P-384:X25519")
    for group in "P-256", "P-384":
        assert not is_refused(s_client(w, "-groups", group))
    for group in "P-521", "X448", "ffdhe3072":
        assert is_refused(s_client(w, "-groups", group)), group


# Mozilla's guideline 5.7, "intermediate", without those of DHE: the
# certificate is of ECDSA.
@pytest.mark.parametrize("cipher, is_good", [
    ("ECDHE-ECDSA-AES128-GCM-SHA256", True),
    ("ECDHE-ECDSA-AES256-GCM-SHA384", True),
    ("ECDHE-ECDSA-CHACHA20-POLY1305", True),
    ("ECDHE-ECDSA-AES128-SHA256", False),
    ("ECDHE-ECDSA-AES256-SHA", False),
    ("ECDHE-ECDSA-AES128-CCM", False),
    ("PSK", False), ("aNULL", False)])
def test_default_ciphers_of_tls_1_2(weir, cipher, is_good):
    text = s_client(start(weir), "-tls1_2", "-cipher",
                    cipher + ":@SECLEVEL=0")
    assert ("Cipher is " + cipher in text) == is_good, text


def test_client_order_decides(weir):
    w = start(weir)
    for first, second in [("128-GCM-SHA256", "256-GCM-SHA384"),
                          ("256-GCM-SHA384", "128-GCM-SHA256")]:
        text = s_client(w, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES%s:"
                        "ECDHE-ECDSA-AES%s" % (first, second))
        assert "Cipher is ECDHE-ECDSA-AES" + first in text


def test_groups_are_the_sites_own(weir):
    w = start(weir, "groups: [P-521, P-256]")
    assert "secp521r1" in s_client(w, "-groups", "X25519:P-256:P-521")
    assert "ECDH, prime256v1" in s_client(w, "-groups", "X25519:P-256")
    assert is_refused(s_client(w, "-groups", "X25519"))
    assert is_refused(s_client(w, "-groups", "X25519", "-tls1_2"))
    assert "X25519" in s_client(w, "-groups", "X25519", name="a.example")


def test_groups_at_the_top_are_inherited(weir):
    w = start(weir, top="tls: {groups: P-384}")
    for name in "a.example", "b.example":
        assert "secp384r1" in s_client(w, name=name)


def test_suites_are_the_sites_own(weir):
    w = start(weir, "ciphersuites: [TLS_CHACHA20_POLY1305_SHA256]")
    assert "TLS_CHACHA20_POLY1305_SHA256" in s_client(w)
    assert is_refused(s_client(w, "-ciphersuites", "TLS_AES_128_GCM_SHA256"))
    assert "TLS_AES_128_GCM_SHA256" in s_client(
        w, "-ciphersuites", "TLS_AES_128_GCM_SHA256", name="a.example")


def test_signature_algorithms_are_the_sites_own(weir):
    w = start(weir, "signature_algorithms: [ecdsa_secp256r1_sha256]")
    assert re.search("Peer signing digest: SHA256", s_client(w))
    assert is_refused(s_client(w, "-sigalgs", "ecdsa_secp384r1_sha384"))


@pytest.mark.parametrize("flag", ["-tls1", "-tls1_1"])
@pytest.mark.parametrize("settings", [
    "", "ciphers: 'ALL:@SECLEVEL=0'", "protocols: [TLSv1.2]"])
def test_no_setting_brings_old_versions_back(weir, flag, settings):
    w = start(weir, settings)
    text = s_client(w, flag, "-cipher", "ALL:@SECLEVEL=0")
    assert "alert protocol version" in text, text


def test_renegotiation_is_refused(weir):
    w = start(weir)
    text = s_client(w, "-tls1_2", say=b"R\n")
    assert "RENEGOTIATING" in text and "no renegotiation" in text


def test_hybrid_group_comes_first_where_openssl_has_it(weir):
    w = start(weir)
    text = s_client(w, "-groups", "X25519MLKEM768:X25519")
    if "Call to SSL_CONF_cmd" in text:
        pytest.skip("this OpenSSL has no X25519MLKEM768")
    assert "X25519MLKEM768" in text
