"""error_pages: what is shown for an error, from a file, a text, a route or an
upstream, over HTTP/1.1 and HTTP/2; and the built-in pages."""

import json
import pathlib
import sys
import textwrap

import pytest

from conftest import recv_all, wait_until
from h2_frames import Frames
from test_http1 import split_response

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from heads import Heads  # noqa: E402
from rawbackend import RawBackend, Reply  # noqa: E402

TOP = """
    log_formats: {words: '"$request" $status [$reason] $request_method $uri $http_user_agent'}
    access_log: {to: "{dir}/access.log", format: words, buffer: 0}
    listeners: {"127.0.0.1:{port}": {h2c: on}}
    http: {max_body_size: 64, max_target_size: 1k, lingering_timeout: 200ms}
"""

CONF = """
    error_pages:
      503: {file: "{dir}/503.html"}
    sites:
      - listen: "127.0.0.1:{port}"
        error_pages:
          404: /errors/404.html
          4xx: /errors/$status.txt
          418: {body: "$status for $request_method\\n"}
          421: /nowhere
          422: /loop
          502: /from-app?why=$status
        routes:
          - path: /errors/*
            files: {root: "{dir}"}
          - path: /from-app
            proxy: http://127.0.0.1:{port1}
          - path: /loop
            respond: 418
          - path: /teapot
            respond: 418
          - path: /own
            respond: {status: 404, body: "own\\n"}
          - path: /nowhere-page
            respond: 421
          - path: /loop-page
            respond: 422
          - path: /unavailable
            response_headers: {set: {X-Set: "1"}}
            respond: 503
          - path: /login
            respond: {status: 401, headers: {WWW-Authenticate: Basic}}
          - path: /limited
            limits: {requests: 1/h}
            respond: "204"
          - path: /refused
            proxy: http://127.0.0.1:{port2}
          - path: /passed
            proxy: http://127.0.0.1:{port1}
          - path: /intercepted
            error_pages: {intercept: on, 500: {body: "caught\\n", type: text/x}}
            proxy: http://127.0.0.1:{port1}
          - path: /files/*
            files: {root: "{dir}"}
          - path: /plain/*
            error_pages: off
            respond: 404
"""

PAGE = b"<p>Not here</p>\n"


@pytest.fixture
def w(weir):
    w = weir(textwrap.dedent(TOP) + textwrap.dedent(CONF), start=False)
    (w.dir / "errors").mkdir()
    (w.dir / "files").mkdir()
    (w.dir / "files" / "ten").write_bytes(b"0123456789")
    (w.dir / "errors" / "404.html").write_bytes(PAGE)
    for status in 400, 401, 405, 413, 414, 416, 429:
        (w.dir / "errors" / ("%d.txt" % status)).write_bytes(
            b"page of %d\n" % status)
    (w.dir / "503.html").write_bytes(b"<p>soon</p>\n")
    return w.start()


class Http1:
    def __init__(self, w):
        self.w = w

    def ask(self, method, path, fields=()):
        r = self.w.request(method, path, dict(fields))
        return r.status, {k.lower(): v for k, v in r.headers.items()}, r.body


class Http2:
    def __init__(self, w):
        self.w = w

    def ask(self, method, path, fields=()):
        c = Frames(self.w.port).hello()
        head, body = c.get(1, path, method=method, fields=fields)
        c.close()
        return int(head[":status"]), head, body


@pytest.fixture(params=[Http1, Http2], ids=["http1", "http2"])
def client(request, w):
    return request.param(w)


def test_pages_come_from_files_texts_and_routes(client):
    for path, status, body in [
            ("/none", 404, PAGE), ("/files/none", 404, PAGE),
            ("/teapot", 418, b"418 for GET\n"),
            ("/unavailable", 503, b"<p>soon</p>\n"),
            ("/login", 401, b"page of 401\n"),
            ("/own", 404, b"own\n")]:
        got = client.ask("GET", path)
        assert (got[0], got[2]) == (status, body), path
    assert client.ask("GET", "/none")[1]["content-type"] == \
        "text/html; charset=utf-8"
    assert client.ask("GET", "/unavailable")[1]["x-set"] == "1"


def test_the_status_keeps_its_fields(w, client):
    assert client.ask("GET", "/login")[1]["www-authenticate"] == "Basic"
    assert client.ask("GET", "/limited")[0] == 204
    status, head, body = client.ask("GET", "/limited")
    assert (status, body) == (429, b"page of 429\n")
    assert int(head["retry-after"]) > 3000
    status, head, body = client.ask("POST", "/files/ten")
    assert (status, body) == (405, b"page of 405\n")
    assert head["allow"]
    status, head, body = client.ask("GET", "/files/ten",
                                    [("range", "bytes=50-")])
    assert (status, body) == (416, b"page of 416\n")
    assert head["content-range"] == "bytes */10"
    # What the log says is of the request, not of the page.
    wait_until(lambda: '/files/ten HTTP/' in w.access_log())
    assert "429 [request_rate] GET" in w.access_log()
    assert "405 [-] POST" in w.access_log()


def test_conditions_ranges_and_methods_are_not_for_the_page(client):
    for method, fields in [("GET", [("if-none-match", "*")]),
                           ("GET", [("range", "bytes=0-1")]),
                           ("GET", [("if-match", '"x"')]),
                           ("POST", []), ("DELETE", [])]:
        status, head, body = client.ask(method, "/none", fields)
        assert (status, body) == (404, PAGE)
        assert "etag" not in head and "accept-ranges" not in head
    status, head, body = client.ask("HEAD", "/none")
    assert (status, body) == (404, b"")
    assert head["content-length"] == str(len(PAGE))


def test_a_page_that_fails_is_the_built_in_one(client):
    for path, status, text in [("/nowhere-page", 421, b"Misdirected"),
                               ("/loop-page", 422, b"Unprocessable")]:
        got = client.ask("GET", path)
        assert got[0] == status
        assert text in got[2]
    got = client.ask("GET", "/plain/x")
    assert b"<h1>404</h1>" in got[2]
    assert b"weir" not in got[2].lower()


def test_a_page_may_be_an_upstreams(w, client):
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/x\r\n" \
        b"Content-Length: 3\r\n\r\napp"
    with RawBackend([Reply(reply)], port=w.port_of("port1")) as b:
        status, head, body = client.ask("POST", "/refused",
                                        [("content-type", "text/y")])
        assert (status, body) == (502, b"app")
        assert head["content-type"] == "text/x"
    assert b.requests[0].line == b"GET /from-app?why=502 HTTP/1.1"
    assert b.requests[0].field("content-type") is None
    assert b.requests[0].body == b""
    # Where it fails itself there is the built-in one.
    status, _, body = client.ask("GET", "/refused")
    assert status == 502 and b"Bad Gateway" in body
    wait_until(lambda: w.access_log().count("502 [") == 2)
    assert w.access_log().count("502 [upstream_refused]") == 2 or \
        "502 [-]" not in w.access_log()


def test_errors_of_upstreams_are_intercepted_only_if_asked(w, client):
    reply = b"HTTP/1.1 %s\r\nSet-Cookie: a=b\r\nRetry-After: 9\r\n" \
        b"Content-Length: 6\r\n\r\ntheirs"
    with RawBackend([Reply(reply % b"404 Not Found"),
                     Reply(reply % b"500 Oops"),
                     Reply(reply % b"404 Not Found"),
                     Reply(reply % b"500 Oops"),
                     Reply(reply % b"200 OK")], port=w.port_of("port1")):
        assert client.ask("GET", "/passed")[::2] == (404, b"theirs")
        assert client.ask("GET", "/passed")[::2] == (500, b"theirs")
        status, head, body = client.ask("GET", "/intercepted")
        assert (status, body) == (404, PAGE)
        assert head["retry-after"] == "9" and "set-cookie" not in head
        status, head, body = client.ask("GET", "/intercepted")
        assert (status, body) == (500, b"caught\n")
        assert head["content-type"] == "text/x"
        assert client.ask("GET", "/intercepted")[::2] == (200, b"theirs")


def test_what_is_refused_before_its_route_has_pages_too(w):
    for data, status in [
            (b"GET / HTTP/1.1\r\nHost: a\r\nBad Field: x\r\n\r\n", 400),
            (b"GET /" + 2000 * b"x" + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
            (b"POST /own HTTP/1.1\r\nHost: a\r\nContent-Length: 65\r\n\r\n" +
             65 * b"x", 413)]:
        with w.connect() as s:
            s.sendall(data)
            got, head, body = split_response(recv_all(s))
        assert (got, body) == (status, b"page of %d\n" % status)
        assert head["connection"] == "close"


def test_a_refused_head_is_not_passed_on(w):
    text = w.config.read_text().replace("4xx: /errors/$status.txt",
                                        "400: /from-app")
    assert w.reload(text).returncode == 0
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\napp"
    with RawBackend([Reply(reply)], port=w.port_of("port1")) as b:
        with w.connect() as s:
            s.sendall(b"POST /x HTTP/1.1\r\nHost: a\r\nX-Secret: 1\r\n"
                      b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"
                      b"\r\n0\r\n\r\n")
            status, _, body = split_response(recv_all(s))
        assert (status, body) == (400, b"app")
    assert b.requests[0].line == b"GET /from-app HTTP/1.1"
    assert b.requests[0].field("x-secret") is None
    assert b.requests[0].field("transfer-encoding") is None


def test_a_connection_goes_on_after_a_page(w):
    with w.connect() as s:
        for _ in range(3):
            s.sendall(b"POST /none HTTP/1.1\r\nHost: a\r\n"
                      b"Content-Length: 5\r\n\r\nxxxxx")
            status, head, body = split_response(s.recv(65536))
            assert (status, body) == (404, PAGE)
            assert "connection" not in head
        s.sendall(b"GET /files/ten HTTP/1.1\r\nHost: a\r\n\r\n")
        assert split_response(s.recv(65536))[2] == b"0123456789"


def test_problem_details_are_for_who_prefers_json(client):
    accept = [("accept", "application/json, text/plain, */*")]
    status, head, body = client.ask("GET", "/plain/x", accept)
    assert head["content-type"] == "application/problem+json"
    assert head["vary"] == "Accept"
    assert json.loads(body) == {"type": "about:blank", "title": "Not Found",
                                "status": 404}
    status, head, body = client.ask(
        "GET", "/plain/x", [("accept", "text/html, application/json;q=0.9")])
    assert head["content-type"] == "text/html"
    # A page that was given is for everybody.
    assert client.ask("GET", "/none", accept)[2] == PAGE


def test_the_example_of_the_manual_serves(weir):
    text = (pathlib.Path(__file__).parents[2] / "src/modules/error_pages.c") \
        .read_text().partition("\t.example =\n")[2].partition(",\n};")[0]
    text = "".join(eval(line.strip())
                   for line in text.splitlines() if '"' in line)
    w = weir(text.replace("8000", "{port}").replace("8081", "{port1}")
             .replace("/srv/www", "{dir}/www"), start=False)
    (w.dir / "www" / "errors").mkdir(parents=True)
    (w.dir / "www" / "errors" / "404.html").write_bytes(PAGE)
    (w.dir / "www" / "errors" / "50x.html").write_bytes(b"50x")
    w.start()
    assert w.get("/none").body == PAGE
    r = w.get("/api/x")
    assert (r.status, r.body) == (502, b"50x")
    with RawBackend([Reply(b"HTTP/1.1 409 C\r\nContent-Length: 1\r\n\r\nx")],
                    port=w.port_of("port1")):
        r = w.get("/api/x")
    assert (r.status, json.loads(r.body)) == (409, {"error": 409})


BEHIND = """
    listeners: {"127.0.0.1:{port}": {trusted: [127.0.0.1]}}
    real_ip: {header: X-Client, from: [192.0.2.1]}
    sites:
      - listen: "127.0.0.1:{port}"
        error_pages: {404: /page}
        routes:
          - path: /page
            proxy: http://127.0.0.1:{port1}
          - path: /staff
            auth_basic: {users: "{dir}/users"}
            respond: 404
          - respond: 404
"""
# Of "secret".
USERS = "ann:$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\n"


@pytest.mark.parametrize("path,fields", [
    ("/staff", {"Authorization": "Basic YW5uOnNlY3JldA=="}),
    ("/", {"X-Client": "10.0.0.1", "X-Real-IP": "10.0.0.1",
           "Forwarded": "for=10.0.0.1"}),
    ("/", {"Connection": "X-Hop", "X-Hop": "1"}),
])
def test_a_page_s_upstream_gets_nothing_that_is_withheld(weir, path, fields):
    w = weir(textwrap.dedent(BEHIND), start=False)
    (w.dir / "users").write_text(USERS)
    w.start()
    with Heads(w.port_of("port1")) as app:
        assert w.get(path, dict(fields, Accept="a/b")).status == 404
        got = app.seen[-1].fields

    assert got["accept"] == ["a/b"]
    assert [n for n in fields if n.lower() in got] == []


def test_a_page_is_no_way_around_a_limit(weir):
    w = weir(textwrap.dedent("""
        sites:
          - listen: "127.0.0.1:{port}"
            error_pages: {404: /page}
            limits: {requests: {rate: 1/h, burst: 1}}
            routes:
              - path: /page
                proxy: http://127.0.0.1:{port1}
    """))
    with Heads(w.port_of("port1")) as app:
        # No route, whose limit could have been asked.
        assert [w.get("/none").status for _ in range(4)] == [404] * 4
        assert len(app.seen) == 2
