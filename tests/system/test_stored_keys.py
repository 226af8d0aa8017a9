"""Keys that an OpenSSL provider keeps, named by store:URI: here in a TPM, which
swtpm plays. The key never leaves it; confined workers have it sign."""

import os
import ssl
import subprocess

import pytest

from conftest import SANITIZED, SLOW, free_port, wait_until
from pki import openssl

HANDLE = "0x81000001"

SITE = """
    workers: 2
    error_log: {level: info}
    sites:
      - hosts: [a.example]
        default: on
        listen: {https: {port}}
        tls: {certificates: [{certificate: a.pem, key: "store:handle:%s"}]}
        routes: [{respond: {body: "here"}}]
""" % HANDLE

# What a provider's own key can do must be looked for there first; but not what
# needs no key, for that is slow.
OPENSSL_CONF = """
openssl_conf = all
[all]
providers = these
alg_section = wanted
[these]
default = on
tpm2 = on
[on]
activate = 1
[wanted]
default_properties = ?provider=tpm2,tpm2.digest!=yes,tpm2.cipher!=yes
"""


def run(env, *args):
    done = subprocess.run(args, env=env, capture_output=True, text=True,
                          timeout=60 * SLOW)
    assert done.returncode == 0, (args, done.stderr)


@pytest.fixture
def tpm(tmp_path):
    """The environment in which OpenSSL knows it."""
    (tmp_path / "state").mkdir()
    (tmp_path / "openssl.cnf").write_text(OPENSSL_CONF)
    path = "/tmp/weir-tpm-%d" % free_port()  # of a socket: short
    tcti = "swtpm:path=" + path
    env = dict(os.environ, TPM2TOOLS_TCTI=tcti, TPM2OPENSSL_TCTI=tcti,
               OPENSSL_CONF=str(tmp_path / "openssl.cnf"))
    with open(tmp_path / "swtpm.log", "wb") as log:
        process = subprocess.Popen(
            ["swtpm", "socket", "--tpm2", "--tpmstate",
             "dir=%s" % (tmp_path / "state"), "--server",
             "type=unixio,path=" + path, "--ctrl",
             "type=unixio,path=%s.ctrl" % path, "--flags", "startup-clear"],
            stdout=log, stderr=log)
    try:
        wait_until(lambda: os.path.exists(path) and
                   os.path.exists(path + ".ctrl"))
        yield env
    finally:
        process.kill()
        process.wait()
        for end in "", ".ctrl":
            if os.path.exists(path + end):
                os.unlink(path + end)


def make_key(tpm, directory, kind):
    context = str(directory / "context")
    run(tpm, "tpm2_createprimary", "-Q", "-C", "o", "-G", kind, "-c", context,
        "-a", "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign")
    run(tpm, "tpm2_evictcontrol", "-Q", "-C", "o", "-c", context, HANDLE)
    run(tpm, "tpm2_flushcontext", "-t")
    run(tpm, "openssl", "req", "-x509", "-new", "-key", "handle:" + HANDLE,
        "-subj", "/CN=a.example", "-addext", "subjectAltName=DNS:a.example",
        "-days", "90", "-out", str(directory / "a.pem"))


# With this provider before it OpenSSL 3.0 knows no curve but X25519, and TLS
# 1.2 needs that of the key.
@pytest.mark.parametrize("kind, version", [
    ("ecc256", "TLSv1_3"), ("rsa2048", "TLSv1_2"), ("rsa2048", "TLSv1_3")])
def test_a_key_in_a_tpm_signs_for_confined_workers(weir, tpm, kind, version):
    w = weir(SITE, env=tpm, start=False)
    make_key(tpm, w.dir, kind)
    w.start()
    assert SANITIZED or "confined by seccomp" in w.log()
    context = ssl.create_default_context(cafile=str(w.dir / "a.pem"))
    context.maximum_version = getattr(ssl.TLSVersion, version)
    for _ in range(6):  # so that both workers are met
        with w.connect() as plain, context.wrap_socket(
                plain, server_hostname="a.example") as s:
            s.sendall(b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
            text = b""
            while part := s.recv(4096):
                text += part
            assert text.endswith(b"here"), text


def test_the_key_of_a_tpm_has_to_be_the_certificates(weir, tpm):
    w = weir(SITE, env=tpm, start=False)
    make_key(tpm, w.dir, "ecc256")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-keyout",
            w.dir / "other.key", "-out", w.dir / "a.pem", "-days", "90",
            "-subj", "/CN=a.example")
    done = w.command("-t")
    assert done.returncode != 0
    assert "does not belong to the certificate" in done.stdout + done.stderr
