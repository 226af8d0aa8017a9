"""Names and passwords: who is let in, what upstreams get to see of it, what a
broken users file does, and that hashing leaves everybody else alone."""

import base64
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

import pytest

from conftest import SANITIZED, WEIR

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from heads import Heads  # noqa: E402

# Of "secret".
BCRYPT = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
YESCRYPT = "$y$j75$saltsaltsalt$jyf/lxrpdyAIshWRo1x5DRC6KIE7sNRRtjcomR3PgHA"
# Of "secret", cost 10: some 50 ms.
SLOW_BCRYPT = "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u"

CONF = """
    access_log: {to: {dir}/access.log, buffer: 0, format: '$uri
      <$remote_user> $status $reason'}
    admin: {listen: "127.0.0.1:{port1}"}
    sites:
      - listen: ["127.0.0.1:{port}"]
        routes:
          - {path: /open, respond: 204}
          - path: /any
            satisfy: any
            access: [allow 192.0.2.0/24, deny all]
            auth_basic: {users: {dir}/users}
            respond: 204
          - path: /local
            satisfy: any
            access: [allow 127.0.0.1, deny all]
            auth_basic: {users: {dir}/users}
            respond: 204
          - path: /both
            access: [deny all]
            auth_basic: {users: {dir}/users}
            respond: 204
          - auth_basic: {realm: 'the "staff"', users: {dir}/users}
            routes:
              - path: /app
                proxy:
                  to: http://127.0.0.1:{port2}
                  request_headers: {set: {X-User: $remote_user}}
              - path: /kept
                auth_basic: {forward: on}
                proxy: http://127.0.0.1:{port2}
              - {path: /off, auth_basic: off, respond: 204}
              - respond: 204
"""


def basic(user, password):
    text = base64.b64encode(("%s:%s" % (user, password)).encode()).decode()
    return {"Authorization": "Basic " + text}


def started(weir, users, text=CONF, others=None, **kw):
    w = weir(text, start=False, **kw)
    (w.dir / "users").write_text(users)
    if others is not None:
        (w.dir / "others").write_text(others)
    return w.start()


@pytest.fixture
def guarded(weir):
    return started(weir, "ann:%s\nbob:%s\n" % (BCRYPT, YESCRYPT))


def test_who_knows_a_password_is_let_in(guarded):
    w = guarded
    cases = [({}, 401), (basic("ann", "secret"), 204),
             (basic("bob", "secret"), 204), (basic("ann", "Secret"), 401),
             (basic("eve", "secret"), 401), (basic("", ""), 401),
             ({"Authorization": "Bearer x"}, 401)]

    for headers, status in cases + cases:
        assert w.get("/", headers).status == status, headers
    r = w.get("/")
    assert r.headers["WWW-Authenticate"] == \
        'Basic realm="the \\"staff\\"", charset="UTF-8"'
    assert w.get("/off").status == 204
    w.wait_access_log("/off <-> 204")
    log = w.access_log()
    for line in ("/ <ann> 204", "/ <bob> 204", "/ <-> 401 bad_credentials",
                 "/ <-> 401 no_credentials"):
        assert line in log
    assert "<eve>" not in log
    # Nowhere but where no guard looked is a name what the client claims.
    w.get("/open", basic("eve", "x"))
    w.wait_access_log("/open <eve> 204")
    text = w.get("/metrics", port="port1").text
    assert re.search(r"weir_auth_basic_remembered_total.* 2$", text, re.M)
    assert re.search(r"weir_auth_basic_hashes_total.* 8$", text, re.M)
    for secret in ("secret", BCRYPT, YESCRYPT):
        assert secret not in w.log() + w.access_log()
        assert secret not in w.command("-T").stdout


def test_any_or_all_of_the_guards(guarded):
    w = guarded
    ann = basic("ann", "secret")

    assert w.get("/any").status == 401
    assert w.get("/any").headers["WWW-Authenticate"].startswith("Basic ")
    assert w.get("/any", ann).status == 204
    assert w.get("/local").status == 204
    assert w.get("/both", ann).status == 403
    assert w.get("/both").status == 403


def test_an_upstream_gets_the_name_but_no_password(guarded):
    with Heads(guarded.port_of("port2")) as app:
        assert guarded.get("/app", basic("ann", "secret")).status == 200
        assert guarded.get("/kept", basic("ann", "secret")).status == 200
        first, second = app.seen
    assert first.fields["x-user"] == ["ann"]
    assert "authorization" not in first.fields
    assert "authorization" in second.fields


@pytest.mark.parametrize("users,sentence", [
    (None, "cannot open {dir}/users: no such file or directory"),
    ("ann:%s\nbob:{SHA}x\n" % BCRYPT,
     "{dir}/users:2: the hash is SHA-1 without salt"),
    ("ann:hunter2\n", "{dir}/users:1: there is no hash that is known here"),
    ("\n", "{dir}/users has no users"),
])
def test_a_broken_users_file_leaves_a_running_weir_alone(weir, users,
                                                         sentence):
    w = started(weir, "ann:%s\n" % BCRYPT)
    path = w.dir / "users"
    ann = basic("ann", "secret")

    if users is None:
        path.unlink()
    else:
        path.write_text(users)
    for done in (w.command("-t"), w.reload()):
        assert done.returncode != 0
        assert w.fill(sentence) in done.stdout + done.stderr
        assert "hunter2" not in done.stdout + done.stderr
    assert w.get("/", ann).status == 204
    assert w.get("/").status == 401
    # And once it is mended, a reload takes it.
    path.write_text("ann:%s\ncid:%s\n" % (BCRYPT, BCRYPT))
    assert w.reload().returncode == 0
    assert w.get("/", basic("cid", "secret")).status == 204


def test_what_cannot_be_read_stops_a_test(weir):
    w = weir(CONF, start=False)
    (w.dir / "users").write_text("ann:%s\n" % BCRYPT)
    (w.dir / "users").chmod(0)
    done = subprocess.run([*as_nobody(), WEIR, "-t", "-c", w.config],
                          cwd="/", capture_output=True, text=True)
    assert done.returncode == 1
    assert "users: permission denied" in done.stdout + done.stderr


def as_nobody():
    """Root reads everything, unless it gives that right up."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--bounding-set", "-dac_override,-dac_read_search",
            "--inh-caps", "-dac_override,-dac_read_search"]


def test_hashes_leave_static_requests_alone(weir):
    """bcrypt of cost 10, 50 clients that guess (fewer while nobody measures:
    WEIR_GUESSERS): the p99 of what needs no password, on the same worker."""
    guessers = int(os.environ.get("WEIR_GUESSERS", 12))
    w = started(weir, "ann:%s\n" % SLOW_BCRYPT)
    stop = threading.Event()
    seen = set()

    def guess(i):
        n = 0
        while not stop.is_set():
            n += 1
            seen.add(w.get("/", basic("ann", "%d.%d" % (i, n)),
                           timeout=100).status)

    took = []
    with concurrent.futures.ThreadPoolExecutor(guessers) as pool:
        for i in range(guessers):
            pool.submit(guess, i)
        try:
            with w.connect() as s:
                for _ in range(200):
                    time.sleep(0.005)
                    began = time.monotonic()
                    s.sendall(b"GET /open HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert s.recv(1000).startswith(b"HTTP/1.1 204")
                    took.append(time.monotonic() - began)
        finally:
            stop.set()
    took.sort()
    p99 = took[len(took) * 99 // 100]
    print("p50 %.1f ms, p99 %.1f ms" % (took[100] * 1e3, p99 * 1e3))
    assert seen <= {401}
    assert p99 < (0.2 if SANITIZED else 0.1)


def test_a_file_s_users_are_not_another_file_s(weir):
    w = started(weir, "ann:%s\n" % BCRYPT, """
    sites:
      - listen: ["127.0.0.1:{port}"]
        routes:
          - {path: /a, auth_basic: {users: {dir}/users}, respond: 204}
          - {path: /b, auth_basic: {users: {dir}/others}, respond: 204}
""", others="bob:%s\n" % BCRYPT)

    # The same hash, of another user.
    assert w.get("/b", basic("ann", "secret")).status == 401
    assert w.get("/a", basic("ann", "secret")).status == 204
    assert w.get("/b", basic("ann", "secret")).status == 401
    assert w.get("/b", basic("bob", "secret")).status == 204


def test_who_is_let_in_for_an_address_is_nobody_by_name(weir):
    w = started(weir, "ann:%s\n" % BCRYPT, """
    sites:
      - listen: ["127.0.0.1:{port}"]
        satisfy: any
        access: [allow 127.0.0.1, deny all]
        auth_basic: {users: {dir}/users}
        routes:
          - path: /first
            satisfy: all
            rewrite: [{regex: .*, to: /then, then: route}]
            respond: 204
          - path: /kept
            auth_basic: {forward: on}
            proxy: http://127.0.0.1:{port1}
          - proxy:
              to: http://127.0.0.1:{port1}
              request_headers: {set: {X-User: "<$remote_user>"}}
""")

    with Heads(w.port_of("port1")) as app:
        for path in "/", "/first", "/kept":
            assert w.get(path, basic("ann", "secret")).status == 200
        made_up, then, kept = [s.fields for s in app.seen]
    # Nobody has looked at the password.
    assert "authorization" not in made_up
    assert made_up["x-user"] == then["x-user"] == ["<>"]
    assert "authorization" in kept
