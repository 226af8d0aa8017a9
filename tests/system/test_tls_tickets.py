"""Whose tickets are good where: workers, reloads, upgrades, other machines."""

import os
import signal

import pytest

from conftest import SLOW, wait_until
from test_tls import V2, V3, ask, client, make_pair

SITE = """
    tls: {tickets: %s}
    error_log: {level: info}
    sites:
      - hosts: [a.example]
        listen: {https: {port}}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes: [{respond: {body: "site a"}}]
"""
FILES = "{key_files: [%s]}"

both_versions = pytest.mark.parametrize("version", [V2, V3])


def write_keys(w, **keys):
    for name, data in keys.items():
        path = w.dir / (name + ".key")
        path.write_bytes(data)
        path.chmod(0o600)


def start(weir, tickets="{}", like=None, **keys):
    w = weir(SITE % tickets, start=False)
    if like is None:
        make_pair(w.dir, "a", hosts=("a.example",))
    else:
        for name in "a.pem", "a.key":
            (w.dir / name).write_bytes((like.dir / name).read_bytes())
        (w.dir / "a.key").chmod(0o600)
    write_keys(w, **keys)
    return w.start()


class Client:
    def __init__(self, version):
        self.version, self.session = version, None

    def resumes(self, w):
        """Whether a handshake could be resumed with what the last one gave."""
        context = client(w, low=self.version, high=self.version)
        if self.session is not None:
            # A session belongs to its context.
            context = self.context
        self.context = context
        data, *_, session, again = ask(w, context, "a.example", self.session)
        assert b"site a" in data
        self.session = session
        return again

    def has_ticket(self):
        return self.session is not None and self.session.has_ticket


@both_versions
def test_tickets_survive_a_worker(weir, version):
    w, c = start(weir), Client(version)
    assert not c.resumes(w) and c.resumes(w)
    before = set(w.children())
    w.allow_crash = True
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(set(w.children()) - before) == len(before))
    assert c.resumes(w)


@both_versions
def test_tickets_survive_reloads(weir, version):
    w, c = start(weir), Client(version)
    assert not c.resumes(w)
    for _ in range(4):  # more than there are keys
        assert w.reload().returncode == 0
        assert c.resumes(w)


@both_versions
def test_tickets_survive_an_upgrade(weir, version):
    w, c = start(weir), Client(version)
    assert not c.resumes(w)
    assert w.command("-s", "upgrade").returncode == 0
    w.process.wait(10 * SLOW)
    new = int((w.dir / "weir.pid").read_text())
    try:
        assert c.resumes(w)
        for fd in os.listdir("/proc/%d/fd" % new):
            assert "memfd" not in os.readlink("/proc/%d/fd/%s" % (new, fd))
    finally:
        os.kill(new, signal.SIGTERM)
        wait_until(lambda: not (w.dir / "weir.pid").exists())


@pytest.mark.parametrize("size", [48, 80])
@both_versions
def test_machines_share_keys(weir, version, size):
    key = os.urandom(size)
    one = start(weir, FILES % "k.key", k=key)
    two = start(weir, FILES % "k.key", like=one, k=key)
    c = Client(version)
    assert not c.resumes(one)
    assert c.resumes(two) and c.resumes(one)


@both_versions
def test_without_shared_keys_machines_are_strangers(weir, version):
    one = start(weir)
    two = start(weir, like=one)
    c = Client(version)
    assert not c.resumes(one) and not c.resumes(two)


@both_versions
def test_keys_are_rotated_by_a_reload(weir, version):
    w = start(weir, FILES % "new.key, old.key", new=os.urandom(80),
              old=os.urandom(48))
    c, late = Client(version), Client(version)
    assert not late.resumes(w) and not c.resumes(w)
    old = (w.dir / "new.key").read_bytes()
    write_keys(w, new=os.urandom(80), old=old)
    assert c.resumes(w)  # the files are not looked at yet
    assert w.reload().returncode == 0
    assert c.resumes(w)  # by the second, and sealed anew by the first
    write_keys(w, old=os.urandom(80))
    assert w.reload().returncode == 0
    assert c.resumes(w)
    assert not late.resumes(w)


@both_versions
def test_no_tickets(weir, version):
    w, c = start(weir, "off"), Client(version)
    assert not c.resumes(w) and not c.has_ticket()
    assert not c.resumes(w)
    w.reload(SITE % "{}")
    assert not c.resumes(w) and c.has_ticket() and c.resumes(w)
    w.reload(SITE % "off")
    assert not c.resumes(w)


@pytest.mark.parametrize("tickets, message", [
    ("{key_files: [k.key, short.key]}",
     "has 79 bytes; a ticket key has 80 or 48"),
    ("{key_files: [none.key]}", "none.key"),
    ("{key_files: [k.key], rotate: 1h}",
     "rotated by whoever writes the files"),
    ("{key_files: [%s]}" % ", ".join(["k.key"] * 9), "8 keys at most")],
    ids=["size", "missing", "rotate", "many"])
def test_bad_key_files(weir, tickets, message):
    w = weir(SITE % tickets, start=False)
    make_pair(w.dir, "a", hosts=("a.example",))
    write_keys(w, k=bytes(80), short=bytes(79))
    done = w.command("-t")
    assert done.returncode == 1 and message in done.stdout + done.stderr


def test_readable_key_files_are_warned_of(weir):
    w = weir(SITE % FILES % "k.key", start=False)
    make_pair(w.dir, "a", hosts=("a.example",))
    write_keys(w, k=bytes(80))
    assert "can read the key" not in w.command("-t").stderr
    (w.dir / "k.key").chmod(0o644)
    done = w.command("-t")
    assert done.returncode == 0
    assert "everybody on this machine can read the key" in \
        done.stdout + done.stderr
