"""Authorities that sign, revoke and make lists, by `openssl ca`."""

import subprocess
import time

CONFIG = """
[ca]
default_ca = own
[own]
database = {dir}/index.txt
new_certs_dir = {dir}
serial = {dir}/serial
crlnumber = {dir}/crlnumber
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 30
default_crl_days = 30
policy = any
unique_subject = no
[any]
organizationName = optional
commonName = supplied
"""


EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("rsa:2048",)


def openssl(*args, stdin=None):
    done = subprocess.run(("openssl",) + tuple(str(a) for a in args),
                          capture_output=True, text=True, input=stdin)
    assert done.returncode == 0, done.stderr
    return done.stdout


def stamp(days):
    """A time so many days from now, as openssl wants it."""
    return time.strftime("%Y%m%d%H%M%SZ",
                         time.gmtime(time.time() + days * 86400))


class Authority:
    """NAME.pem and NAME.key in DIRECTORY, and what it signs beside them."""

    def __init__(self, directory, name, parent=None, serial="1000"):
        self.out, self.name = directory, name
        self.dir = directory / (name + ".d")
        self.dir.mkdir()
        (self.dir / "index.txt").write_text("")
        (self.dir / "serial").write_text(serial + "\n")
        (self.dir / "crlnumber").write_text("01\n")
        self.config = self.dir / "ca.conf"
        self.config.write_text(CONFIG.replace("{dir}", str(self.dir)))
        key, cert = self.dir / "ca.key", self.dir / "ca.pem"
        self.cert = cert
        if parent is None:
            openssl("req", "-x509", "-newkey", *EC, "-nodes", "-keyout",
                    key, "-out", cert, "-days", "30", "-subj", "/CN=" + name)
        else:
            parent.issue(name, usage=None)
            key.write_bytes((directory / (name + ".key")).read_bytes())
            cert.write_bytes((directory / (name + ".pem")).read_bytes())
        (directory / (name + ".pem")).write_bytes(cert.read_bytes())

    def issue(self, name, subject=None, usage="clientAuth", names=None,
              start=-1, end=20, kind=EC, responder=None):
        """NAME.pem and NAME.key; USAGE None: an authority's. RESPONDER: who
        is to be asked by OCSP."""
        key, request = self.out / (name + ".key"), self.dir / "request"
        extensions = self.dir / "extensions"
        lines = ["basicConstraints=critical,CA:" +
                 ("TRUE" if usage is None else "FALSE")]
        if usage:
            lines.append("extendedKeyUsage=" + usage)
        if names:
            lines.append("subjectAltName=" + names)
        if responder:
            lines.append("authorityInfoAccess=OCSP;URI:" + responder)
        extensions.write_text("\n".join(lines) + "\n")
        openssl("req", "-new", "-newkey", *kind, "-nodes", "-keyout", key,
                "-out", request, "-utf8", "-subj", subject or "/CN=" + name)
        openssl("ca", "-config", self.config, "-batch", "-notext", "-in",
                request, "-out", self.out / (name + ".pem"), "-startdate",
                stamp(start), "-enddate", stamp(end), "-utf8", "-extfile",
                extensions)
        key.chmod(0o600)
        return self.out / (name + ".pem"), key

    def revoke(self, name):
        openssl("ca", "-config", self.config, "-revoke",
                self.out / (name + ".pem"))

    def list(self, start=-1, end=20):
        """The revocation list, as text."""
        return openssl("ca", "-config", self.config, "-gencrl",
                       "-crl_lastupdate", stamp(start), "-crl_nextupdate",
                       stamp(end))
