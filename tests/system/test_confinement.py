"""What workers and the scout can reach: nothing but what they serve. That all
else works under this is what the other files show, since it is on by default.
"""

import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import pytest

from conftest import ROOT, SANITIZED, SLOW, WEIR, wait_until

confined = pytest.mark.skipif(
    SANITIZED, reason="sanitizers trace and fork: no sandbox in that build")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="changes users")

SITE = """
    error_log: {to: stderr, level: info}
    sites:
      - listen: {port}
        routes:
          - path: /proxy/*
            proxy: {to: "unix:{dir}/app.sock"}
          - files: {dir}/www
"""


def status(pid):
    """/proc/PID/status by its words."""
    text = pathlib.Path("/proc/%d/status" % pid).read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines())


def make_site(weir, text=SITE, **kw):
    w = weir(text, start=False, **kw)
    www = w.dir / "www"
    www.mkdir()
    (www / "a.txt").write_text("first")
    (w.dir / "secret.txt").write_text("secret")
    return w


def later(w, path="/a.txt"):
    """An answer that no cache knew: files are looked at once in a second."""
    time.sleep(1.1)
    return w.get(path)


# ---- what is given up


@confined
def test_children_are_confined(weir):
    w = make_site(weir).start()
    assert len(w.children()) == 2
    for child in w.children():
        s = status(child)
        assert s["Seccomp"] == "2"
        assert s["NoNewPrivs"] == "1"
        for kind in "CapPrm", "CapEff", "CapAmb":
            assert int(s[kind], 16) == 0
    w.wait_log("workers are confined by seccomp and Landlock")


@confined
def test_the_sandbox_can_be_off_and_says_so(weir):
    w = make_site(weir, SITE + """
    sandbox: off
    """).start()
    w.wait_log("notice master[%d]: workers are not confined: sandbox is off"
               % w.pid)
    assert [status(c)["Seccomp"] for c in w.children()] == ["0", "0"]
    assert all(status(c)["NoNewPrivs"] == "1" for c in w.children())


@confined
@as_root
def test_nobody_leaves_a_core(weir):
    w = make_site(weir).start()
    for pid in [w.pid, *w.children()]:
        # The kernel writes none of what only root may look into, and gives
        # what is in /proc of such a process to root.
        assert os.stat("/proc/%d" % pid).st_uid == 0
        assert not can_be_read_by("nobody", pid)


def can_be_read_by(user, pid):
    return subprocess.run(["setpriv", "--reuid", user, "--clear-groups",
                           "cat", "/proc/%d/auxv" % pid],
                          capture_output=True).returncode == 0


@pytest.fixture
def public():
    """A directory that every user may read, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        yield pathlib.Path(name)


@confined
@as_root
def test_a_master_that_is_not_root_keeps_its_powers_from_workers(
        weir, public):
    """As the unit of systemd starts it: another user, with two powers."""
    w = make_site(weir, SITE.replace("{dir}/www", str(public)))
    w.dir.chmod(0o777)
    (public / "a.txt").write_text("first")
    (public / "key.txt").write_text("key")
    (public / "key.txt").chmod(0o600)
    powers = "+net_bind_service,+dac_read_search"
    w.log_file = open(w.log_path, "ab")
    w.process = subprocess.Popen(
        ["setpriv", "--reuid", "nobody", "--clear-groups", "--no-new-privs",
         "--inh-caps", powers, "--ambient-caps", powers,
         WEIR, "-c", str(w.config)],
        stdin=subprocess.DEVNULL, stdout=w.log_file, stderr=w.log_file)
    wait_until(w.is_serving, 15)
    assert int(status(w.pid)["CapEff"], 16) != 0
    for child in w.children():
        s = status(child)
        assert int(s["CapPrm"], 16) == int(s["CapEff"], 16) == 0
        assert int(s["CapAmb"], 16) == 0
    # The configuration lies where only root may look: the master can.
    assert w.reload().returncode == 0
    assert w.get("/a.txt").text == "first"
    assert w.get("/key.txt").status == 403


# ---- what serving takes


def answer_one(listener):
    s, _ = listener.accept()
    with s:
        s.recv(65536)
        s.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")


@confined
def test_a_unix_socket_outside_of_the_roots_is_an_upstream(weir):
    w = make_site(weir)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(w.dir / "app.sock"))
        listener.listen()
        w.start()
        threading.Thread(target=answer_one, args=(listener,)).start()
        assert w.get("/proxy/x").text == "hi"


@confined
def test_no_call_that_serving_takes_is_refused(weir, tmp_path):
    """A refused call fails with ENOSYS, as an unknown one does."""
    w = make_site(weir, SITE + """
      - listen: {https: {port1}}
        tls: {self_signed: on}
        access_log: {to: {dir}/access.log, buffer: 0}
        routes: [{files: {dir}/www}]
    """).start()
    (w.dir / "www" / "large.bin").write_bytes(os.urandom(1 << 20))
    out = tmp_path / "calls"
    tracer = subprocess.Popen(
        ["strace", "-f", "-q", "-o", str(out),
         *(word for c in w.children() for word in ("-p", str(c)))],
        stderr=subprocess.DEVNULL)
    wait_until(lambda: all(int(status(c)["TracerPid"]) for c in w.children()))
    for port, tls in ("port", False), ("port1", True):
        for path in "/a.txt", "/large.bin", "/none":
            w.get(path, port=port, tls=tls)
    assert w.command("-s", "reopen").returncode == 0
    w.stop()
    tracer.wait(10 * SLOW)
    text = out.read_text()
    assert "sendfile(" in text or "writev(" in text
    assert "ENOSYS" not in text
    assert "EACCES" not in text


# ---- roots that change


@confined
def test_a_link_is_switched_to_what_is_beside_without_a_reload(weir):
    w = weir("""
        sites:
          - listen: {port}
            routes: [{files: {dir}/current/public}]
    """, start=False)
    for release in "1", "2":
        public = w.dir / "releases" / release / "public"
        public.mkdir(parents=True)
        (public / "a.txt").write_text("release " + release)
    (w.dir / "current").symlink_to("releases/1")
    w.start()
    assert w.get("/a.txt").text == "release 1"
    (w.dir / "next").symlink_to("releases/2")
    (w.dir / "next").rename(w.dir / "current")
    assert later(w).text == "release 2"


@confined
@pytest.mark.parametrize("change", ["replaced", "link"])
def test_another_root_is_refused_until_a_reload_and_said(weir, change):
    w = make_site(weir)
    www = w.dir / "www"
    (w.dir / "other" / "deep").mkdir(parents=True)
    new = w.dir / "other" / "deep"
    (new / "a.txt").write_text("second")
    if change == "link":
        (w.dir / "first").mkdir()
        www.rename(w.dir / "first" / "www")
        www.symlink_to("first/www")
    w.start()
    assert w.get("/a.txt").text == "first"

    if change == "link":
        www.unlink()
        www.symlink_to("other/deep")
    else:
        www.rename(w.dir / "old")
        new.rename(www)
    assert later(w).status == 503
    w.wait_log("(file_confined)")
    assert "%s is not the directory that it was" % www in w.log()

    assert w.reload().returncode == 0
    assert w.get("/a.txt").text == "second"


@confined
def test_links_that_may_lead_anywhere_do(weir):
    w = make_site(weir, """
        sites:
          - listen: {port}
            routes: [{files: {root: {dir}/www, symlinks: always}}]
    """)
    (w.dir / "www" / "out.txt").symlink_to(w.dir / "secret.txt")
    w.start()
    assert w.get("/out.txt").text == "secret"


# ---- the unit of systemd


@pytest.fixture
def unit(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze")
    text = (ROOT / "contrib/systemd/weir.service").read_text()
    text = text.replace("@sbindir@/weir", WEIR) \
        .replace("@confdir@", "/etc/weir")
    assert "@" not in re.sub(r"(?m)^(#.*|SystemCallFilter=.*)$", "", text)
    path = tmp_path / "weir.service"
    path.write_text(text)
    return str(path)


def analyze(*args):
    return subprocess.run(["systemd-analyze", *args], capture_output=True,
                          text=True, timeout=60 * SLOW)


def test_the_unit_is_right(unit):
    done = analyze("verify", "--man=no", unit)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_the_unit_is_tight(unit):
    done = analyze("security", "--offline=true", "--no-pager",
                   "--threshold=19", unit)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze cannot look at a file alone")
    assert done.returncode == 0, done.stdout
