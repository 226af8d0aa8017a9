"""Who may: access lists, and how many of several guards have to agree."""

import re
import socket

import pytest

CONF = """
    access_log: {to: {dir}/access.log, buffer: 0, format: '$uri $reason'}
    admin: {listen: "127.0.0.1:{port1}"}
    sites:
      - listen: ["127.0.0.1:{port}", "unix:{dir}/sock"]
        routes:
          - {path: /local, access: [allow 127.0.0.0/8, deny all], respond: 204}
          - {path: /denied, access: [deny 127.0.0.1], respond: 204}
          - {path: /unix, access: [allow unix, deny all], respond: 204}
          - path: /outer/*
            access: [deny all]
            routes:
              - {path: /outer/open, access: off, respond: 204}
              - {path: /outer/mine, access: [allow all], respond: 204}
              - respond: 204
          - {path: /any, satisfy: any, access: [deny all], respond: 204}
          - {path: /either, satisfy: any, access: [allow all], respond: 204}
"""


@pytest.fixture
def guarded(weir):
    return weir(CONF)


def test_access_by_address(guarded):
    w = guarded
    wanted = {"/local": 204, "/denied": 403, "/unix": 403,
              "/outer/open": 204, "/outer/mine": 204, "/outer/x": 403,
              "/any": 403, "/either": 204}

    assert {p: w.get(p).status for p in wanted} == wanted
    w.wait_access_log("/denied access_denied")
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(w.dir / "sock"))
        s.sendall(b"GET /unix HTTP/1.1\r\nHost: a\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 204")
    text = w.get("/metrics", port="port1").text
    assert re.search(r'weir_access_total\{verdict="allow".*\} 4$', text, re.M)
    assert re.search(r'weir_access_total\{verdict="deny".*\} 4$', text, re.M)


def test_the_example_of_the_manual_tells_who_may(weir):
    w = weir("""
        sites:
          - listen: {port}
            access: [deny 192.0.2.66]
            routes:
              - path: /admin/*
                access: [allow 10.0.0.0/8, allow ::1, deny all]
                respond: 200
              - {path: /health, access: off, respond: 204}
              - respond: 201
    """)

    assert w.get("/admin/x").status == 403
    assert w.get("/health").status == 204
    assert w.get("/").status == 201


@pytest.mark.parametrize("rules,word", [
    ("[allow all, deny 10.0.0.0/8]", "shadowed-rule"),
    ("[allow 10.0.0.0/8]", "open-list"),
])
def test_lint_tells_rules_that_do_nothing(weir, rules, word):
    w = weir("sites: [{listen: {port}, access: %s, "
             "routes: [{respond: 204}]}]\n" % rules, start=False)
    done = w.command("-t", "--format", "json")

    assert done.returncode == 0
    assert word in done.stdout + done.stderr
