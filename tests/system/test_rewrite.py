"""strip_prefix, add_prefix, rewrite and query: what upstreams and routes get.

The upstream is another site of the same daemon, which answers with the target
that it was asked for.
"""

import json

import pytest

from conftest import Weir, wait_until

CONFIG = """
    access_log: {to: {dir}/access.log, format: json, buffer: 0}
    http: {encoded_slash: keep}
    sites:
      - listen: {port1}
        routes: [{respond: {body: "$request_uri"}}]
      - listen: {port}
        query: {remove: [utm_*, fbclid]}
        routes:
          - path: [/api, /api/*]
            strip_prefix: /api
            routes:
              - path: /api/v2/*
                add_prefix: /new
                proxy: http://127.0.0.1:{port1}
              - path: /api/raw/*
                strip_prefix: off
                query: off
                proxy: http://127.0.0.1:{port1}
              - proxy: http://127.0.0.1:{port1}
          - path: /tenant/*
            add_prefix: /t/$arg_tenant
            proxy: http://127.0.0.1:{port1}
          - path: /user/*
            rewrite:
              - {regex: '^/user/(\\d+)$', to: '/profile?id=$1'}
              - {regex: '^/user/(?<name>\\w+)$',
                 to: /people/$capture_name, then: route}
            proxy: http://127.0.0.1:{port1}
          - path: ~ ^/(people)/(.*)$
            respond: {body: "$1 $2 $uri $request_uri $internal_redirects"}
          - path: /circle/*
            rewrite: [{regex: /, to: /circle/x, then: route}]
            respond: 204
          - path: /evil
            rewrite: [{regex: ^, to: /files/$arg_f}]
            proxy: http://127.0.0.1:{port1}
          - path: /search
            query: {keep: [q, page], set: {lang: $cookie_lang}}
            proxy: http://127.0.0.1:{port1}
          - path: /files/*
            strip_prefix: /files
            files: {dir}/www
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    directory = tmp_path_factory.mktemp("rewrite")
    (directory / "www").mkdir()
    (directory / "www" / "a b.txt").write_text("a file\n")
    w = Weir(directory, CONFIG).start()
    yield w
    w.check()


@pytest.mark.parametrize("target, got", [
    ("/api/a%20b", "/a%20b"),
    ("/api", "/"),
    ("/api?x=1", "/?x=1"),
    ("/api/%7Ex%2fy?a=%20", "/%7Ex%2fy?a=%20"),
    ("/%61pi/a%20b", "/a%20b"),
    ("/y/../api/x", "/x"),
    ("/api//evil.example/", "/evil.example/"),
    ("/api/v2/x", "/new/v2/x"),
    ("/api/raw/x?utm_source=1", "/api/raw/x?utm_source=1"),
    ("/api/x?utm_source=1&a=1&fbclid=2&b", "/x?a=1&b"),
    ("/api/x?utm_source=1", "/x"),
    ("/tenant/a%20b?tenant=z", "/t/z/tenant/a%20b?tenant=z"),
    ("/user/17?x=1", "/profile?id=17"),
    ("/search?q=a%20b&x=1&page=2", "/search?q=a%20b&page=2"),
])
def test_what_the_upstream_gets(server, target, got):
    r = server.get(target)
    assert (r.status, r.text) == (200, got)


def test_a_parameter_is_set_from_a_cookie(server):
    r = server.get("/search?lang=en&q=1", {"Cookie": "lang=d&e"})
    assert r.text == "/search?lang=d%26e&q=1"


def test_a_request_is_routed_anew_and_logged(server):
    r = server.get("/user/ada?x=1")
    assert r.text == "people ada /people/ada /user/ada?x=1 1"
    entry = wait_until(lambda: [e for e in map(
        json.loads, server.access_log().splitlines())
        if e["uri"] == "/user/ada?x=1"])[0]
    assert entry["internal_redirects"] == 1


def test_a_circle_ends(server):
    assert server.get("/circle/").status == 500
    entry = wait_until(lambda: [e for e in map(
        json.loads, server.access_log().splitlines())
        if e["uri"] == "/circle/"])[0]
    assert entry["reason"] == "redirect_loop"


@pytest.mark.parametrize("f", ["..", "../../etc/passwd", "a/./b", "a/.."])
def test_no_variable_leads_elsewhere(server, f):
    assert server.get("/evil?f=" + f).status == 500


def test_files_are_found_by_what_is_left(server):
    assert server.get("/files/a%20b.txt").text == "a file\n"
    assert server.get("/files/../api/x").text == "/x"


def test_a_target_in_absolute_form_is_rewritten_too(server):
    got = server.raw(b"GET http://127.0.0.1/api/x?a HTTP/1.1\r\n"
                     b"Host: 127.0.0.1\r\nConnection: close\r\n\r\n")
    assert got.endswith(b"\r\n\r\n/x?a")


def test_the_server_itself_has_no_path(server):
    got = server.raw(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n"
                     b"Connection: close\r\n\r\n")
    assert got.startswith(b"HTTP/1.1 404")
