"""Behind proxies: whose address a request has, and what an upstream is told of
where it comes from. Every way to write a field is the unit test's
(unit/http/test_provenance.c)."""

import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

from heads import Heads  # noqa: E402

CONF = """
    access_log: {to: {dir}/access.log, buffer: 0, format: '$host $remote_addr
      $realip_remote_addr'}
    listeners:
      "127.0.0.1:{port}": {trusted: [127.0.0.1, 10.0.0.0/8]}
    real_ip: {}
    sites:
      - hosts: [a]
        listen: ["127.0.0.1:{port}", "127.0.0.1:{port2}"]
        routes:
          - {path: /app, proxy: "http://127.0.0.1:{port1}"}
          - path: /office
            access: [allow 192.0.2.0/24, deny all]
            respond: 204
          - {match: {client: 192.0.2.0/24}, respond: 201}
          - respond: 204
      - hosts: [forwarded]
        listen: ["127.0.0.1:{port}"]
        real_ip: {header: Forwarded}
        routes: [{proxy: "http://127.0.0.1:{port1}"}]
      - hosts: [last]
        listen: ["127.0.0.1:{port}"]
        real_ip: {recursive: off, from: [127.0.0.0/8]}
        routes: [{proxy: "http://127.0.0.1:{port1}"}]
      - hosts: [nobody]
        listen: ["127.0.0.1:{port}"]
        real_ip: {from: [192.0.2.1], header: X-Client}
        routes: [{proxy: "http://127.0.0.1:{port1}"}]
      - hosts: [plain]
        listen: ["127.0.0.1:{port}"]
        real_ip: off
        routes: [{proxy: "http://127.0.0.1:{port1}"}]
"""


@pytest.fixture
def world(weir):
    w = weir(CONF)
    with Heads(w.port_of("port1")) as app:
        yield w, app


def seen(world, host, path="/", port="port", **fields):
    """What the upstream gets: X-Forwarded-For, Forwarded, X-Real-IP."""
    w, app = world
    headers = {k.replace("_", "-"): v for k, v in fields.items()}
    w.get(path, dict(headers, Host=host), port=port)
    got = app.seen[-1].fields
    return [got.get(n) for n in ("x-forwarded-for", "forwarded", "x-real-ip")]


def test_the_client_is_whom_a_trusted_proxy_names(world):
    w, _ = world
    chain = {"Host": "a", "X-Forwarded-For": "192.0.2.9, 10.1.1.1"}

    assert w.get("/", chain).status == 201
    assert w.get("/office", chain).status == 204
    w.wait_access_log("a 192.0.2.9 127.0.0.1\n")
    # What the client put in front is not believed.
    chain["X-Forwarded-For"] = "192.0.2.9, 198.51.100.1, 10.1.1.1"
    assert w.get("/office", chain).status == 403
    w.wait_access_log("a 198.51.100.1 127.0.0.1\n")
    # Nor what somebody says who is no proxy: that address trusts nobody.
    assert w.get("/office", {"Host": "a", "X-Forwarded-For": "192.0.2.9"},
                 port="port2").status == 403


def test_upstreams_are_told_what_is_believed(world):
    assert seen(world, "a", "/app", X_Forwarded_For="6.6.6.6, 192.0.2.9",
                X_Real_IP="6.6.6.6", Forwarded="for=6.6.6.6") == \
        [["192.0.2.9, 127.0.0.1"], None, None]
    assert seen(world, "a", "/app", X_Forwarded_For="192.0.2.9, 10.1.1.1") == \
        [["192.0.2.9, 10.1.1.1, 127.0.0.1"], None, None]
    assert seen(world, "a", "/app", X_Forwarded_For="nonsense") == \
        [["127.0.0.1"], None, None]
    assert seen(world, "a", "/app", port="port2", X_Forwarded_For="6.6.6.6",
                X_Real_IP="6.6.6.6") == [["127.0.0.1"], None, None]
    assert seen(world, "a", "/app") == [["127.0.0.1"], None, None]


def test_the_field_and_the_proxies_may_be_others(world):
    w, app = world
    line = 'for="[2001:db8::1]:99";proto=https'

    assert seen(world, "forwarded", Forwarded=line,
                X_Forwarded_For="6.6.6.6") == \
        [["2001:db8::1, 127.0.0.1"], [line], None]
    assert seen(world, "last", X_Forwarded_For="192.0.2.9, 10.1.1.1")[0] == \
        ["10.1.1.1, 127.0.0.1"]
    assert seen(world, "nobody", X_Client="6.6.6.6",
                X_Forwarded_For="6.6.6.6") == [["127.0.0.1"], None, None]
    assert "x-client" not in app.seen[-1].fields
    # Without real_ip the fields of a trusted proxy pass as they are.
    assert seen(world, "plain", X_Forwarded_For="6.6.6.6",
                X_Real_IP="6.6.6.6") == \
        [["6.6.6.6, 127.0.0.1"], None, ["6.6.6.6"]]
    w.wait_access_log("forwarded 2001:db8::1 127.0.0.1\n")
    w.wait_access_log("last 10.1.1.1 127.0.0.1\n")
    w.wait_access_log("nobody 127.0.0.1 127.0.0.1\n")


def test_trusting_everybody_is_told(weir):
    w = weir("real_ip: {from: [0.0.0.0/0]}\n"
             "sites: [{listen: {port}, routes: [{respond: 204}]}]\n",
             start=False)
    done = w.command("-t", "--format", "json")
    assert done.returncode == 0
    assert "trusts-everybody" in done.stdout + done.stderr
