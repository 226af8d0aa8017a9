"""conf/examples: each is run as it stands, but for its ports, its folders and the
addresses of its servers, and does what its first lines say."""

import http.client
import http.server
import json
import pathlib
import re
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import free_port

EXAMPLES = pathlib.Path(__file__).parents[2] / "conf" / "examples"


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self):
        n = int(self.headers.get("Content-Length") or 0)
        body = json.dumps({
            "server": self.server.name, "method": self.command,
            "path": self.path, "body": self.rfile.read(n).decode(),
            "headers": {k.lower(): v for k, v in self.headers.items()},
        }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *args):
        pass


class Example:
    def __init__(self, weir, name):
        self.w = weir("", start=False)
        self.dir = self.w.dir
        self.ports = {}
        self.text = (EXAMPLES / (name + ".yaml")).read_text()
        self.servers = []
        for path in re.findall(r"/etc/ssl/([\w.]+)\.pem", self.text):
            self.certificate(path)

    def port(self, written):
        if written not in self.ports:
            self.ports[written] = free_port()
        return self.ports[written]

    def certificate(self, name):
        ssl_dir = self.dir / "etc" / "ssl"
        ssl_dir.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
             "/CN=" + name, "-addext", "subjectAltName=DNS:*.example.com,"
             "DNS:example.com,DNS:one.example,DNS:two.example,"
             "DNS:*.two.example", "-keyout", ssl_dir / (name + ".key"),
             "-out", ssl_dir / (name + ".pem")],
            check=True, capture_output=True)

    def file(self, path, text):
        path = self.dir / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def echo(self, written, name="echo"):
        server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port(written)), Echo)
        server.name = name
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,),
                         daemon=True).start()
        self.servers.append(server)

    def start(self, replace=()):
        text = self.text
        for old, new in replace:
            assert old in text
            text = text.replace(old, new)
        text = re.sub(r"(?<=127\.0\.0\.1:)\d+",
                      lambda m: str(self.port(int(m.group()))), text)
        text = re.sub(r"(\blisten: |\bhttp: |\bhttps: |^  )(80|443)\b",
                      lambda m: m.group(1) + str(self.port(int(m.group(2)))),
                      text, flags=re.M)
        text = re.sub(r"(?<=[ \"])/(?=srv/|etc/)", "%s/" % self.dir, text)
        self.w.ports["port"] = self.port(443 if "http: 80" not in text and
                                         443 in self.ports else 80)
        self.w.write(text)
        self.w.start()
        return self

    def get(self, host, path, headers=None, tls=False, method="GET"):
        if tls:
            raw = socket.create_connection(("127.0.0.1", self.port(443)), 10)
            s = ssl._create_unverified_context().wrap_socket(
                raw, server_hostname=host)
            c = http.client.HTTPSConnection(host)
            c.sock = s
        else:
            c = http.client.HTTPConnection("127.0.0.1", self.port(80),
                                           timeout=10)
        try:
            c.request(method, path, headers={"Host": host, **(headers or {})})
            r = c.getresponse()
            r.text = r.read().decode("utf-8", "replace")
            return r
        finally:
            c.close()


@pytest.fixture
def example(weir):
    made = []

    def make(name):
        made.append(Example(weir, name))
        return made[-1]

    yield make
    for e in made:
        for s in e.servers:
            s.shutdown()
            s.server_close()


def test_every_example_is_tested():
    tested = set(re.findall(r'example\("([\w-]+)"\)',
                            pathlib.Path(__file__).read_text()))
    assert {p.stem for p in EXAMPLES.glob("*.yaml")} == tested


def test_static_site(example):
    e = example("static-site")
    e.file("srv/www/index.html", "<p>home</p>")
    e.file("srv/www/404.html", "<p>lost</p>")
    e.file("srv/www/long.txt", "long " * 1000)
    e.file("srv/www/downloads/a.bin", "a")
    e.start()
    r = e.get("www.example.com", "/x?y")
    assert r.status == 308
    assert r.headers["Location"] == "https://www.example.com/x?y"
    r = e.get("example.com", "/", tls=True)
    assert r.text == "<p>home</p>"
    assert r.headers["X-Content-Type-Options"] == "nosniff"
    r = e.get("example.com", "/nothing", tls=True)
    assert r.status == 404 and r.text == "<p>lost</p>"
    r = e.get("example.com", "/long.txt", {"Accept-Encoding": "gzip"}, True)
    assert r.headers["Content-Encoding"] == "gzip"
    assert "./a.bin" in e.get("example.com", "/downloads/", tls=True).text


def test_single_page_application(example):
    e = example("single-page-application")
    e.file("srv/app/index.html", "<p>app</p>")
    e.file("srv/app/assets/app.1a2b.js", "x")
    e.echo(3000)
    e.start()
    host = "app.example.com"
    r = e.get(host, "/users/7/edit", tls=True)
    assert r.text == "<p>app</p>" and r.headers["Cache-Control"] == "no-cache"
    r = e.get(host, "/assets/app.1a2b.js", tls=True)
    assert "immutable" in r.headers["Cache-Control"]
    assert e.get(host, "/assets/none.js", tls=True).status == 404
    got = json.loads(e.get(host, "/api/users/7?full=1", tls=True).text)
    assert got["path"] == "/users/7?full=1"
    assert got["headers"]["x-forwarded-proto"] == "https"


def test_node_websocket(example):
    import asyncio
    import websockets

    async def talk(port, inner):
        async def serve(ws, path=None):
            async for message in ws:
                await ws.send("echo " + message)

        async with websockets.serve(serve, "127.0.0.1", inner):
            async with websockets.connect("ws://chat.example.com/socket",
                                          host="127.0.0.1", port=port) as ws:
                await ws.send("hello")
                return await ws.recv()

    e = example("node-websocket")
    e.start()
    # Both servers of the example are one that speaks WebSocket.
    inner = e.port(3001)
    assert asyncio.run(talk(e.port(80), inner)) == "echo hello"
    e.echo(3002, "second")
    assert json.loads(e.get("chat.example.com", "/").text)[
        "server"] == "second"


def test_grpc(example):
    from concurrent import futures
    import grpc

    e = example("grpc")
    server = grpc.server(futures.ThreadPoolExecutor(4))

    def hello(request, context):
        return b"hello " + request

    def count(request, context):
        for i in range(3):
            yield b"%d" % i

    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "greeter", {"Hello": grpc.unary_unary_rpc_method_handler(hello),
                    "Count": grpc.unary_stream_rpc_method_handler(count)}),))
    assert server.add_insecure_port("127.0.0.1:%d" % e.port(50051))
    server.start()
    e.start()
    try:
        pem = (e.dir / "etc/ssl/grpc.pem").read_bytes()
        with grpc.secure_channel(
                "127.0.0.1:%d" % e.port(443),
                grpc.ssl_channel_credentials(pem),
                [("grpc.ssl_target_name_override", "grpc.example.com"),
                 ("grpc.default_authority", "grpc.example.com")]) as channel:
            assert channel.unary_unary("/greeter/Hello")(
                b"you", timeout=10) == b"hello you"
            assert list(channel.unary_stream("/greeter/Count")(
                b"", timeout=10)) == [b"0", b"1", b"2"]
    finally:
        server.stop(None)


def test_several_sites(example):
    e = example("several-sites")
    e.file("srv/one/index.html", "one")
    e.echo(3000)
    e.start()
    assert e.get("one.example", "/").text == "one"
    assert e.get("one.example", "/", tls=True).text == "one"
    for host in "two.example", "deep.two.example":
        assert json.loads(e.get(host, "/x", tls=True).text)["path"] == "/x"
    assert e.get("three.example", "/").status == 421


def test_canary(example):
    e = example("canary")
    e.echo(3001, "stable")
    e.echo(3002, "canary")
    e.start()

    def server(**headers):
        r = e.get("x", "/", headers)
        got = json.loads(r.text)["server"]
        assert r.headers["X-Variant"] == got
        return got

    assert server(**{"X-Canary": "1"}) == "canary"
    assert server(Cookie="canary=1") == "canary"
    agents = ["agent %d" % i for i in range(300)]
    got = [server(**{"User-Agent": a}) for a in agents]
    assert 10 < got.count("canary") < 55
    assert got == [server(**{"User-Agent": a}) for a in agents]


def test_maintenance(example):
    e = example("maintenance")
    e.file("srv/maintenance.html", "<p>soon</p>")
    e.echo(3000)
    e.start()
    assert json.loads(e.get("x", "/").text)["server"] == "echo"
    f = example("maintenance")
    f.file("srv/maintenance.html", "<p>soon</p>")
    f.start([("[127.0.0.1, 192.0.2.0/24]", "[192.0.2.0/24]")])
    r = f.get("x", "/")
    assert r.status == 503 and r.text == "<p>soon</p>"
    assert r.headers["Retry-After"] == "600"


def test_behind_load_balancer(example):
    e = example("behind-load-balancer")
    e.echo(3000)
    e.start([("[10.0.0.0/8]", "[127.0.0.0/8]")])

    def ask(client, path):
        with socket.create_connection(("127.0.0.1", e.port(80)), 10) as s:
            s.sendall(b"PROXY TCP4 %s 192.0.2.1 4711 80\r\n"
                      b"GET %s HTTP/1.1\r\nHost: x\r\n"
                      b"Connection: close\r\n\r\n" % (client, path))
            got = b""
            while part := s.recv(65536):
                got += part
        return got

    assert b'"x-forwarded-for": "198.51.100.7"' in ask(b"198.51.100.7", b"/")
    assert ask(b"198.51.100.7", b"/internal/x").startswith(b"HTTP/1.1 403")
    assert ask(b"192.0.2.9", b"/internal/x").startswith(b"HTTP/1.1 200")


def test_php_proxied(example):
    import base64
    e = example("php-proxied")
    e.file("srv/blog/wp-content/style.css", "css")
    e.file("srv/blog/wp-content/plugin.php", "source")
    e.file("etc/weir/users", "ann:" + subprocess.run(
        ["openssl", "passwd", "-6", "secret"], check=True, text=True,
        capture_output=True).stdout)
    e.echo(8080, "php")
    e.start()
    host = "blog.example.com"

    def status(path, **headers):
        return e.get(host, path, headers).status

    assert e.get(host, "/wp-content/style.css").text == "css"
    for path in ("/.git/config", "/wp-config.php", "/xmlrpc.php",
                 "/wp-content/uploads/2026/evil.php", "/%2egit/config",
                 "/wp-content/uploads/x/../evil.php"):
        assert status(path) == 404, path
    for path in "/", "/2026/11/hello/", "/wp-content/plugin.php":
        assert json.loads(e.get(host, path).text)["server"] == "php", path
    assert status("/wp-admin/") == 401
    good = base64.b64encode(b"ann:secret").decode()
    assert status("/wp-admin/", Authorization="Basic " + good) == 200
