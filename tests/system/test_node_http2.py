"""Node's client of HTTP/2, in clear text and over TLS: another reader and
writer of the protocol than the tests' own, and than nghttp2's programs."""

import hashlib
import http.server
import json
import os
import pathlib
import subprocess
import threading
import time

import pytest

from conftest import SLOW, Weir
import test_transports

SCRIPT = pathlib.Path(__file__).parent / "node_http2.js"
CONFIG = """
    http: {max_body_size: 64m}
    shutdown_timeout: 20s
    listeners: {"127.0.0.1:{port}": {h2c: on}}
    access_log: {to: "{dir}/access.log", flush: 100ms}
    tls: {self_signed: on}
    sites:
      - hosts: ["127.0.0.1"]
        default: on
        listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port2}"}
        routes:
          - {path: "~ ^/number/([0-9]+)$", respond: {body: "number $1"}}
          - {path: /api/*, proxy: "http://127.0.0.1:{port3}"}
          - files: {dir}
"""


class App(test_transports.App):
    def on_slow(self, sent):
        self.send_response(200)
        self.send_header("Content-Length", "20")
        self.end_headers()
        for _ in range(20):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    w = Weir(tmp_path_factory.mktemp("node"), CONFIG)
    w.large = os.urandom(1 << 20) * 16
    (w.dir / "files").mkdir()
    (w.dir / "files" / "large").write_bytes(w.large)
    app = http.server.ThreadingHTTPServer(("127.0.0.1", w.port_of("port3")),
                                          App)
    app.daemon_threads = True
    threading.Thread(target=app.serve_forever, daemon=True).start()
    yield w.start()
    app.shutdown()
    w.check()


@pytest.fixture(params=["http", "https"])
def node(w, request):
    url = w.url("", "port" if request.param == "http" else "port2",
                request.param)

    def run(scenario, meanwhile=None):
        p = subprocess.Popen(["node", str(SCRIPT), scenario, url],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
        try:
            if meanwhile is not None:
                assert p.stdout.readline() == "ready\n"
                meanwhile()
            out, err = p.communicate(timeout=30 * SLOW)
        finally:
            p.kill()
        assert p.returncode == 0, err
        return json.loads(out)

    return run


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_many_streams(node):
    r = node("streams")
    assert r == {"right": 500, "max": 128}


def test_a_large_download(node, w):
    r = node("download")
    assert (r["status"], r["sha"], r["code"]) == (200, sha(w.large), 0)


def test_a_large_upload(node):
    r = node("upload")
    assert (r["status"], r["right"], r["code"]) == (200, True, 0)


def test_bodies_both_ways_at_once(node):
    r = node("both")
    assert r["right"]
    assert r["shas"] == 3 * [sha(test_transports.LARGE)]


def test_a_reader_that_pauses_holds_up_nobody(node, w):
    r = node("slow_reader")
    assert r["others"]
    assert (r["status"], r["sha"]) == (200, sha(w.large))


def test_an_answer_that_is_cut_is_reset_and_the_session_goes_on(node):
    r = node("reset")
    assert r["cut"]["status"] == 200 and r["cut"]["error"]
    assert r["cut"]["code"] != 0
    assert (r["after"]["status"], r["after"]["text"]) == (200, "number 7")


def test_a_request_that_is_cancelled(node):
    r = node("cancel")
    assert r["code"] == 8  # CANCEL
    assert r["after"]["status"] == 200


def test_trailers_both_ways(node):
    r = node("trailers")
    assert r["said"] == "x-sum: 3"
    assert r["down"]["text"] == "abcdef"
    assert r["down"]["trailers"] == {"x-sum": "6"}


def test_early_hints(node):
    r = node("hints")
    assert r["hints"] == [[103, "</a>"]]
    assert (r["status"], r["text"]) == (200, "hinted")


def test_a_ping(node):
    r = node("ping")
    assert (r["error"], r["data"]) == (None, "isalive?")


def test_a_reload_lets_an_answer_end(node, w):
    r = node("goaway", lambda: w.reload())
    assert (r["status"], r["text"], r["error"]) == (200, "x" * 20, None)
    assert r["goaway"] and set(r["goaway"]) == {0}  # NO_ERROR
    assert node("ping")["error"] is None
