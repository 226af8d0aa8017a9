"""What Weir does, over each of the four transports from one definition: files,
proxying, routes, redirects, fields, limits, transfers, the access log. What a
protocol makes different stands in the row."""

import hashlib
import http.server
import os
import re
import threading

import pytest

from conftest import SLOW, Weir, wait_until
from transports import NAMES, Transport

CONFIG = """
    http: {max_body_size: 8m, max_target_size: 2k, max_header_size: 8k,
           max_headers: 60}
    listeners: {"127.0.0.1:{port}": {h2c: on}}
    log_formats:
      short: '$request|$status|$body_bytes_sent|$scheme|$server_protocol'
    access_log: {to: "{dir}/access.log", format: short, flush: 100ms}
    upstreams:
      app: {servers: ["127.0.0.1:{port3}"]}
      gone: {servers: ["127.0.0.1:{port4}"]}
    tls: {self_signed: on}
    sites:
      - hosts: [localhost]
        default: on
        listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port2}"}
        response_headers: {set: {X-Site: here}, remove: [X-Powered-By]}
        routes:
          - {path: /teapot, respond: {status: 418, body: short}}
          - {path: /nothing, respond: 204}
          - path: /scheme
            match: {scheme: https}
            respond: {body: secure}
          - {path: /scheme, respond: {body: plain}}
          - path: /post
            match: {method: [POST]}
            respond: {body: posted}
          - path: /match
            match: {header: {X-Beta: "1"}, query: {v: "~^2"}}
            respond: {body: beta}
          - {path: "/old/*", redirect: "https://new.test$request_uri"}
          - {path: /see, redirect: {to: "/other", status: 303}}
          - {path: "~ ^/u/([0-9]+)$", respond: {body: "user $1"}}
          - path: /vars
            respond: {body: "$request_method $uri $args $host $scheme"}
          - path: /api/*
            proxy:
              to: app
              read_timeout: 700ms
              request_headers: {set: {X-Id: "7"}, remove: [Cookie]}
          - {path: "/gone/*", proxy: gone}
          - path: /files/*
            routes: [{files: {root: "{dir}/www"}}]
          - {path: "/here/*", respond: {body: "$uri"}}
      - hosts: [other.test]
        listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port2}"}
        routes: [{respond: {body: other}}]
"""


class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while n := int(self.rfile.readline(), 16):
            body += self.rfile.read(n)
            self.rfile.readline()
        self.trailers = []
        while line := self.rfile.readline().strip():
            self.trailers.append(line.decode().lower())
        return body

    def reply(self, body, status=200, fields=()):
        self.send_response(status)
        for f in (("Content-Length", str(len(body))), *fields):
            self.send_header(*f)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.trailers = []
        sent = self.body()
        what = self.path.split("?")[0].rsplit("/", 1)[1]
        getattr(self, "on_" + what, self.on_echo)(sent)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = do_GET

    def on_echo(self, sent):
        lines = ["%s %s" % (self.command, self.path)]
        lines += sorted("%s: %s" % (k.lower(), v)
                        for k, v in self.headers.items())
        self.reply("\n".join(lines).encode(), fields=[
            ("X-Powered-By", "python"), ("Connection", "X-Hop"),
            ("X-Hop", "secret"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])

    def on_hash(self, sent):
        self.reply(hashlib.sha256(sent).hexdigest().encode(),
                   fields=[("X-Trailers", ",".join(self.trailers))])

    def on_large(self, sent):
        self.reply(LARGE)

    def on_chunked(self, sent):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Trailer", "X-Sum")
        self.end_headers()
        self.wfile.write(b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n")

    def on_cut(self, sent):
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"abc")
        self.close_connection = True

    def on_silent(self, sent):
        self.close_connection = True
        STOP.wait(5)

    def on_garbage(self, sent):
        self.wfile.write(b"what is this\r\n\r\n")
        self.close_connection = True

    def on_hints(self, sent):
        self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        self.reply(b"hinted")

    def on_not(self, sent):
        self.send_response(304)
        self.send_header("ETag", '"x"')
        self.end_headers()


STOP = threading.Event()
LARGE = os.urandom(1 << 20) * 3
PAGE = b"<p>page</p>\n" * 100


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    w = Weir(tmp_path_factory.mktemp("transports"), CONFIG)
    www = w.dir / "www" / "files"
    www.mkdir(parents=True)
    (www / "page.html").write_bytes(PAGE)
    (www / "large").write_bytes(LARGE)
    (www / "dir").mkdir()
    (www / "dir" / "index.html").write_text("index")
    (www / "empty.txt").write_text("")
    app = http.server.ThreadingHTTPServer(("127.0.0.1", w.port_of("port3")),
                                          App)
    app.daemon_threads = True
    threading.Thread(target=app.serve_forever, daemon=True).start()
    yield w.start()
    STOP.set()
    app.shutdown()
    w.check()


@pytest.fixture(params=NAMES)
def t(w, request):
    t = Transport(request.param, w.port, w.port_of("port2"))
    yield t
    t.close()


def row(name, target, status=200, body=None, method="GET", fields=(),
        sent=None, has=(), hasnot=(), end="whole", **other):
    """`other`: h2= or tls= is what is expected there instead of `status`, and
    authority= is the host."""
    return pytest.param(locals(), id=name)


LONG = "x" * 3000
ROWS = [
    # files
    row("file", "/files/page.html", body=PAGE,
        has=[("content-type", "text/html.*"), ("x-site", "here"),
             ("content-length", "1200"), ("accept-ranges", "bytes")]),
    row("file-head", "/files/page.html", method="HEAD", body=b"",
        has=[("content-length", "1200")]),
    row("file-empty", "/files/empty.txt", body=b"",
        has=[("content-length", "0")]),
    row("file-missing", "/files/none", 404),
    row("file-range", "/files/page.html", 206, PAGE[3:10],
        fields=[("Range", "bytes=3-9")],
        has=[("content-range", "bytes 3-9/1200")]),
    row("file-range-bad", "/files/page.html", 416,
        fields=[("Range", "bytes=5000-")],
        has=[("content-range", "bytes \\*/1200")]),
    row("file-if-none-match", "/files/page.html", 304, b"",
        fields=[("If-None-Match", "*")]),
    row("file-if-match", "/files/page.html", 412,
        fields=[("If-Match", '"no"')]),
    row("file-put", "/files/page.html", 405, method="PUT", sent=b"x",
        has=[("allow", ".*GET.*")]),
    row("file-index", "/files/dir/", body=b"index"),
    row("file-folder", "/files/dir", 301, has=[("location", ".*/files/dir/")]),
    row("file-above", "/files/../../weir.yaml", 400),
    row("file-above-encoded", "/files/%2e%2e/%2e%2e/weir.yaml", 400),
    row("file-nul", "/files/page.html%00", 400),
    row("file-large", "/files/large", body=LARGE),
    # routes
    row("respond", "/teapot", 418, b"short"),
    row("respond-head", "/teapot", 418, b"", method="HEAD",
        has=[("content-length", "5")]),
    row("respond-204", "/nothing", 204, b"", hasnot=["content-length"]),
    row("no-route", "/none", 404),
    row("match-scheme", "/scheme", body=b"plain", tls=(200, b"secure")),
    row("match-method", "/post", body=b"posted", method="POST", sent=b""),
    row("match-method-not", "/post", 404),
    row("match-fields", "/match?v=23", body=b"beta",
        fields=[("X-Beta", "1")]),
    row("match-fields-not", "/match?v=3", 404, fields=[("X-Beta", "1")]),
    row("regex", "/u/42", body=b"user 42"),
    # Over TLS it is another site than the certificate was for.
    row("site", "/", body=b"other", authority="other.test", tls=(421, None)),
    row("site-unknown-is-the-default", "/u/1", body=b"user 1",
        authority="unknown.test"),
    row("variables", "/vars?a=b", body=b"GET /vars a=b localhost http",
        tls=(200, b"GET /vars a=b localhost https")),
    row("path-normalised", "/here//a/./b/../c", body=b"/here/a/c"),
    # redirects
    row("redirect", "/old/x?y=z", 301,
        has=[("location", "https://new.test/old/x\\?y=z")]),
    row("redirect-303", "/see", 303, has=[("location", ".*/other")]),
    # proxying
    row("proxy-chunked", "/api/chunked", body=b"abcdef",
        hasnot=["connection"]),
    row("proxy-large", "/api/large", body=LARGE),
    row("proxy-head", "/api/large", method="HEAD", body=b"",
        has=[("content-length", str(len(LARGE)))]),
    row("proxy-304", "/api/not", 304, b"", has=[("etag", '"x"')]),
    row("proxy-upload", "/api/hash", method="PUT", sent=LARGE[:1 << 20],
        body=hashlib.sha256(LARGE[:1 << 20]).hexdigest().encode()),
    row("proxy-upload-empty", "/api/hash", method="POST", sent=b"",
        body=hashlib.sha256(b"").hexdigest().encode()),
    row("proxy-refused", "/gone/x", 502),
    row("proxy-silent", "/api/silent", 504),
    row("proxy-garbage", "/api/garbage", 502),
    row("proxy-cut", "/api/cut", 200, b"abc", end="cut"),
    # limits
    row("limit-target", "/" + LONG, 414),
    row("limit-field", "/teapot", 431, fields=[("X", LONG)] * 3),
    row("limit-fields", "/teapot", 431, fields=[("X", "y")] * 100),
    row("limit-body", "/api/hash", 413, method="POST", sent=LARGE * 3),
    # what is malformed is an error of the stream there
    row("bad-host", "/teapot", 400, authority="a b", h2="reset"),
    row("bad-target", "/%zz", 400),
    row("bad-method", "/teapot", 501, method="X" * 40),
    row("trace", "/teapot", 405, method="TRACE"),
    row("te-gzip", "/teapot", 418, fields=[("TE", "gzip")], h2="reset"),
    row("connection", "/teapot", 418, fields=[("Connection", "x")],
        h2="reset"),
]


@pytest.mark.parametrize("r", ROWS)
def test_row(t, r):
    other = r["other"]
    status, body = r["status"], r["body"]
    if "tls" in other and t.is_tls:
        status, body = other["tls"]
    a = t.request(r["method"], r["target"], r["fields"], r["sent"],
                  authority=other.get("authority", "localhost"))
    if "h2" in other and t.is_h2:
        assert a.end == "reset PROTOCOL_ERROR"
        return
    assert (a.status, a.end) == (status, r["end"])
    if body is not None:
        assert a.body == body
    for name, value in r["has"]:
        assert re.fullmatch(value, a[name] or ""), (name, a.fields)
    for name in r["hasnot"]:
        assert a[name] is None


def test_what_the_upstream_gets(t, w):
    a = t.request("GET", "/api/echo?a=%20b", [
        ("Accept", "*/*"), ("Cookie", "secret=1"), ("X-Own", "kept"),
        ("X-Forwarded-For", "1.2.3.4")])
    line, *fields = a.body.decode().split("\n")
    assert line == "GET /api/echo?a=%20b"
    assert fields == [
        "accept: */*", "host: localhost", "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: localhost", "x-forwarded-proto: " + t.scheme,
        "x-id: 7", "x-own: kept"]


def test_what_the_client_gets(t):
    a = t.request("GET", "/api/echo")
    assert a.values("set-cookie") == ["a=1", "b=2"]
    assert a["x-powered-by"] is None and a["x-site"] == "here"
    assert a["x-hop"] is None and a["connection"] is None


def test_trailers_pass_both_ways(t):
    a = t.request("POST", "/api/hash", [], b"abc", [("X-Sum", "3")])
    assert a["x-trailers"] == "x-sum: 3"
    a = t.request("GET", "/api/chunked", [("TE", "trailers"),
                                          *([] if t.is_h2 else
                                            [("Connection", "TE")])])
    assert a.body == b"abcdef"
    if t.is_h2:
        assert a.trailers == [("x-sum", "6")]
    else:  # play.Client has them among the fields
        assert a["x-sum"] == "6"


def test_early_hints_pass(t):
    a = t.request("GET", "/api/hints")
    assert (a.interim, a.status, a.body) == ([103], 200, b"hinted")


def test_the_connection_is_kept(t):
    for _ in range(20):
        assert t.request("GET", "/teapot").status == 418
        assert t.request("POST", "/api/hash", [], b"x" * 1000).status == 200
    number = t.way.stream if t.is_h2 else t.way.client.sock
    assert t.request("GET", "/nothing").status == 204
    if t.is_h2:
        assert number == 81
    else:
        assert t.way.client.sock is number


def test_the_log_says_what_it_was(t, w):
    path = "/teapot?" + t.name
    assert t.request("GET", path).status == 418
    version = "HTTP/2.0" if t.is_h2 else "HTTP/1.1"
    line = "GET %s %s|418|5|%s|%s" % (path, version, t.scheme, version)
    wait_until(lambda: line in w.access_log().splitlines(), 5 * SLOW)


def test_transfers_arrive_whole(t, w):
    for n in (0, 1, 1000, 16384, 65535, 65536, 200_000, 1 << 20):
        a = t.request("PUT", "/api/hash", [], LARGE[:n])
        assert a.body.decode() == hashlib.sha256(LARGE[:n]).hexdigest()
        # Byte ranges of a file: those of the same numbers.
        if n > 0:
            a = t.request("GET", "/files/large",
                          [("Range", "bytes=%d-%d" % (n, 2 * n - 1))])
            assert (a.status, a.body == LARGE[n:2 * n]) == (206, True)
