"""Requests that lead back to Weir itself (RFC 9110 section 7.6)."""

import pathlib
import re
import socket
import sys

import pytest

from conftest import wait_until

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

PASSES = 5  # the first and LOOP_MARK_MAX more


def refused(w):
    m = re.search(r'weir_http_refused_total\{reason="loop"\} (\d+)',
                  w.get("/metrics", port="port9").text)
    return int(m.group(1))


def lines(w, n):
    wait_until(lambda: len(w.access_log().splitlines()) >= n)
    return w.access_log().splitlines()


# How an address of our own may be written, where it is listened on and how it
# is reached.
OWN = [
    ("127.0.0.1:{port1}", "http://127.0.0.1:{port1}"),
    ("{port1}", "http://localhost:{port1}"),
    ("{port1}", "http://127.0.0.2:{port1}"),
    ("{port1}", "http://[::1]:{port1}"),
    ("{port1}", "http://0.0.0.0:{port1}"),
    ("unix:{dir}/s", "unix:{dir}/s"),
    ("unix:{dir}/s", "unix:{dir}/.//s"),
]

LOOP = """
    admin: 127.0.0.1:{port9}
    access_log: {to: "{dir}/access.log", format: plain, flush: 100ms}
    log_formats: {plain: '$status $reason'}
    sites:
      - listen: [{port}, "%s"]
        routes:
          - proxy: {to: "%s", protocol: %s}
    listeners: {%s}
"""


@pytest.mark.parametrize("listen, to", OWN)
def test_a_loop_ends(weir, listen, to):
    w = weir(LOOP % (listen, to, "http1", ""))
    assert w.get("/").status == 508
    assert lines(w, PASSES)[0] == "508 loop"
    assert lines(w, PASSES) == ["508 loop"] + (PASSES - 1) * ["508 -"]
    assert refused(w) == 1
    w.wait_log("would be passed to here once more")


def outer_address():
    """One of this machine that is not the loopback; None: it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            return None
        return s.getsockname()[0]


def test_a_loop_by_an_address_of_an_interface_ends(weir):
    address = outer_address()
    if address is None:
        pytest.skip("this machine has no address but the loopback")
    w = weir(LOOP % ("0.0.0.0:{port1}", "http://%s:{port1}" % address,
                     "http1", ""))
    assert w.get("/").status == 508


def test_a_loop_of_http2_ends(weir):
    w = weir(LOOP % ("{port1}", "http://127.0.0.1:{port1}", "http2",
                     '"{port1}": {h2c: on}'))
    assert w.get("/").status == 508
    assert refused(w) == 1


def test_a_loop_of_grpc_ends_in_its_own_words(weir):
    w = weir(LOOP % ("{port1}", "http://127.0.0.1:{port1}", "grpc",
                     '"{port1}": {h2c: on}'))
    r = w.request("POST", "/", {"Content-Type": "application/grpc"})
    assert r.status == 200 and r.headers["grpc-status"] == "2"
    assert refused(w) == 1


def test_sites_that_pass_to_each_other(weir):
    w = weir("""
        admin: 127.0.0.1:{port9}
        sites:
          - listen: {port}
            routes: [{proxy: "http://127.0.0.1:{port1}"}]
          - listen: {port1}
            routes: [{proxy: "http://127.0.0.1:{port}"}]
    """)
    for _ in range(3):
        assert w.get("/").status == 508
    assert refused(w) == 3
    # Nothing is left of it.
    wait_until(lambda: "\nweir_http_requests_in_flight 0\n" in
               w.get("/metrics", port="port9").text)


def test_a_loop_with_a_body_ends(weir):
    w = weir(LOOP % ("{port1}", "http://127.0.0.1:{port1}", "http1", ""))
    assert w.request("POST", "/", body=bytes(1 << 20)).status == 508


CHAIN = """
    sites:
      - listen: {port}
        routes: [{proxy: {to: "http://127.0.0.1:{port1}"%s}}]
      - listen: {port1}
        routes:
          - {path: /here, respond: {body: "<$http_weir_loop>"}}
          - proxy: "http://127.0.0.1:{port2}"
"""


def test_chained_sites_serve_and_the_upstream_sees_no_mark(weir):
    w = weir(CHAIN % "")
    with RawBackend([Reply(ok())], port=w.port_of("port2")) as backend:
        assert w.get("/").status == 200
    head = backend.connections[0].received.lower()
    assert b"weir-loop" not in head
    assert head.count(b"\r\nx-forwarded-for: 127.0.0.1\r\n") == 1


def test_the_mark_is_a_word_and_a_count(weir):
    w = weir(CHAIN % "")
    first, second = w.get("/here").text, w.get("/here").text
    assert first == second
    word = re.fullmatch("<([0-9a-f]{32}) 1>", first).group(1)
    # Not the same for another instance or configuration.
    assert w.reload().returncode == 0
    assert word not in wait_until(lambda: w.get("/here").text)


@pytest.mark.parametrize("value", ["0 4", "%032d 4" % 0, "x" * 33, ""])
def test_a_client_cannot_pose_as_the_mark(weir, value):
    w = weir(CHAIN % "")
    r = w.get("/here", {"Weir-Loop": value, "Connection": "Weir-Loop"})
    assert r.status == 200
    assert re.fullmatch("<[0-9a-f]{32} 1>", r.text)


def test_reload_finds_a_loop_that_was_none(weir):
    one = """
        sites:
          - listen: {port}
            routes: [{proxy: "http://127.0.0.1:{port1}"}]
    """
    w = weir(one)
    assert w.get("/").status == 502
    assert w.reload(one + """
          - listen: {port1}
            routes: [{proxy: "http://127.0.0.1:{port}"}]
    """).returncode == 0
    assert wait_until(lambda: w.get("/").status == 508)
