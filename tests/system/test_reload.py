"""Reloads under load: no request is lost, and what was upgraded lives on."""

import base64
import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import SLOW, wait_until
from load import WORKER, Load

BACKENDS = pathlib.Path(__file__).resolve().parent.parent / "backends"

SITE = """
    workers: 2
    shutdown_timeout: %ds
    sites:
      - listen: {port}
        %s
        routes:
          - {path: /connection, proxy: "http://%s"}
          - {path: /ws, proxy: "http://%s"}
          - {path: /file, files: {root: {dir}/www}}
          - {respond: {body: "here\\n"}}
"""


@pytest.fixture
def app():
    """The Node.js application, on a free port."""
    with subprocess.Popen(["node", str(BACKENDS / "app.js"), "0"],
                          stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().split()[-1]
        process.terminate()


def start(weir, app, shutdown_timeout):
    w = weir(SITE % (shutdown_timeout, WORKER, app, app), start=False)
    (w.dir / "www").mkdir()
    (w.dir / "www" / "file").write_bytes(b"f" * 20000)
    return w.start()


def reload_often(w, seconds=4, every=0.2):
    """The loads go on; HUP comes again and again."""
    for _ in range(int(seconds / every)):
        w.process.send_signal(signal.SIGHUP)
        time.sleep(every)


def test_no_request_is_lost_over_twenty_reloads(weir, app):
    w = start(weir, app, 20)
    loads = {
        "kept": Load(w, 3),
        "kept, file": Load(w, 2, "/file"),
        "kept, proxied": Load(w, 3, "/connection"),
        "new": Load(w, 2, kept=False),
        "new, proxied": Load(w, 2, "/connection", kept=False),
        # Those that think between two requests, shorter and longer than a
        # draining worker takes for recent.
        "thinking": Load(w, 20, pauses=(0.01, 0.05, 0.13, 0.4, 0.07)),
        "slow": Load(w, 20, pauses=(0.95, 1.0, 1.05, 1.1, 1.3, 0.5, 1.6)),
    }
    for load in loads.values():
        load.start()
    reload_often(w)
    time.sleep(1)
    failures = {name: load.end().failures for name, load in loads.items()}
    assert not any(failures.values()), failures
    assert all(load.answered > 20 for load in loads.values())
    assert "failed" not in w.log()
    # The old generations have gone as soon as they had nothing to do.
    wait_until(lambda: len(w.children()) == 3)


# ---- WebSocket over a reload


def masked(payload):
    """A text frame of a client (RFC 6455 section 5.2)."""
    mask = os.urandom(4)
    return (bytes([0x81, 0x80 | len(payload)]) + mask +
            bytes(b ^ mask[i & 3] for i, b in enumerate(payload)))


class WebSocket:
    def __init__(self, w):
        self.s = w.connect()
        self.s.sendall(
            b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: %s\r\n\r\n" % base64.b64encode(b"k" * 16))
        self.file = self.s.makefile("rb")
        assert b" 101 " in self.file.readline()
        while self.file.readline() != b"\r\n":
            pass

    def echo(self, text):
        self.s.sendall(masked(text))
        first, n = self.file.read(2)
        return self.file.read(n) == text


def test_websocket_lives_until_shutdown_timeout(weir, app):
    w = start(weir, app, 3)
    ws = WebSocket(w)
    assert ws.echo(b"before")
    old = w.children()
    began = time.monotonic()
    assert w.reload().returncode == 0
    while time.monotonic() - began < 2.5:
        assert ws.echo(b"after")
        assert w.get().status == 200
        time.sleep(0.1)
    with pytest.raises(ConnectionResetError):  # the stream was cut, not ended
        ws.file.read()
    assert 2.9 < time.monotonic() - began < 4 * SLOW
    wait_until(lambda: not set(old) & set(w.children()))
    assert len(w.children()) == 3
