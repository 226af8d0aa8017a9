"""Early data (0-RTT): what is answered before the handshake is over, what waits
for its end, and what upstreams are told (RFC 8470)."""

import os
import pathlib
import re
import subprocess
import sys
import time

import pytest

import h2_frames
from conftest import SLOW, wait_until
from early_client import (ACCEPTED, NOT_SENT, REJECTED, Broken, EarlyClient)
from test_tls import make_pair

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))
from rawbackend import RawBackend, Reply, ok  # noqa: E402

CONF = """
    workers: {workers}
    admin: 127.0.0.1:{port2}
    access_log: {to: {dir}/access.log, buffer: 0,
                 format: '$request_method $uri $status $ssl_early_data $reason'}
    error_log: {to: {dir}/weir.log, level: info}
    http: {header_timeout: 2s}
    listeners: {"127.0.0.1:{port3}": {proxy_protocol: on, trusted: [127.0.0.1]}}
    tls: {early_data: {early}}
    sites:
      - hosts: [a.example]
        listen: {https: ["127.0.0.1:{port}", "127.0.0.1:{port3}"]}
        tls: {certificates: [{certificate: a.pem, key: a.key}]}
        routes:
          - path: /knows/*
            proxy: {to: "http://127.0.0.1:{upstream}", early_data: on}
          - path: /unsure/*
            proxy: "http://127.0.0.1:{upstream}"
          - path: /files/*
            files: {root: {dir}/files}
          - respond: {body: "$request_method early=$ssl_early_data from $remote_addr"}
      - hosts: [b.example]
        listen: {https: "127.0.0.1:{port}"}
        tls: {certificates: [{certificate: b.pem, key: b.key}], early_data: off}
        routes: [{respond: {body: "b early=$ssl_early_data"}}]
      - hosts: [c.example]
        listen: {https: "127.0.0.1:{port}"}
        tls:
          certificates: [{certificate: c.pem, key: c.key}]
          client: {verify: optional_no_ca}
        routes: [{respond: {body: "c early=$ssl_early_data"}}]
      - hosts: [old.example]
        listen: {https: "127.0.0.1:{port}"}
        tls: {certificates: [{certificate: a.pem, key: a.key}], protocols: [TLSv1.2]}
        routes: [{respond: {body: "old"}}]
"""


def start(weir, upstream=9, workers=1, early="on"):
    text = CONF.replace("{upstream}", str(upstream))
    text = text.replace("{workers}", str(workers)).replace("{early}", early)
    w = weir(text, start=False)
    for name in "abc":
        make_pair(w.dir, name, hosts=(name + ".example",))
    (w.dir / "files" / "files").mkdir(parents=True)
    (w.dir / "files" / "files" / "x").write_bytes(b"0123456789" * 20000)
    return w.start()


@pytest.fixture
def w(weir):
    return start(weir)


def request(method="GET", path="/", host="a.example", fields=b"", body=b""):
    if body:
        fields += b"Content-Length: %d\r\n" % len(body)
    return b"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s" % (
        method.encode(), path.encode(), host.encode(), fields, body)


def ticket(w, name="a.example", port=None, **kw):
    c = EarlyClient(port or w.port, name, **kw)
    c.finish()
    if kw.get("alpn") == b"h2":
        c.hear(b"\x04")  # SETTINGS came behind the ticket
    else:
        c.exchange(request(host=name), b"early=")
    session = c.session()
    c.close()
    return session


def returns(w, data, name="a.example", session=None, **kw):
    """A client that comes back, and its first flight has left."""
    c = EarlyClient(kw.pop("port", w.port), name,
                    session or ticket(w, name), **kw)
    c.say_early(data)
    return c


def counters(w):
    text = w.get("/metrics", port="port2").text
    return dict(re.findall(r"^(weir_[a-z_]+(?:\{[^}]*\})?) (\d+)$", text, re.M))


def logged(w, n=1):
    wait_until(lambda: len(w.access_log().splitlines()) >= n)
    return w.access_log().splitlines()


# ---- what is answered early -------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_safe_request_is_answered_before_the_handshake_is_over(w, method):
    c = returns(w, request(method))
    assert c.hear(b"127.0.0.1").endswith(
        method.encode() + b" early=1 from 127.0.0.1")
    assert c.early_status == ACCEPTED
    c.finish()
    c.say(request())  # the connection goes on as any other
    assert b"early= from" in c.hear(b"127.0.0.1")
    c.close()
    assert logged(w, 3)[1:] == [method + " / 200 1 -", "GET / 200 - -"]
    n = counters(w)
    assert n["weir_tls_early_data_total"] == "1"
    assert n["weir_tls_early_data_refused_total"] == "0"
    assert n["weir_tls_handshakes_total"] == "2"
    assert n["weir_tls_resumptions_total"] == "1"


def test_a_head_request_is_answered_early(w):
    c = returns(w, request("HEAD"))
    assert c.hear(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


def test_several_requests_in_one_flight(w):
    c = returns(w, request(path="/1") + request(path="/2"))
    c.hear(b"127.0.0.1")
    c.hear(b"127.0.0.1")
    c.finish()
    assert logged(w, 3)[1:] == ["GET /1 200 1 -", "GET /2 200 1 -"]


def test_a_large_response_begins_early_and_ends_later(w):
    c = returns(w, request(path="/files/x"))
    c.hear(b"\r\n\r\n")
    c.hear(b"0123456789" * 2000)
    c.finish()
    c.hear(b"0123456789" * 18000)
    c.say(request())
    c.hear(b"127.0.0.1")


def test_a_request_that_goes_on_behind_the_handshake(w):
    whole = request(path="/split")
    c = returns(w, whole[:20])
    assert c.hears_nothing()
    c.finish()
    c.say(whole[20:])
    assert b"early= from" in c.hear(b"127.0.0.1")  # nobody can replay that


def test_the_end_of_the_connection_waits_for_the_handshake(w):
    c = returns(w, request(fields=b"Connection: close\r\n"))
    c.hear(b"127.0.0.1")
    assert c.hears_nothing() and not c.eof and not c.said_goodbye
    c.finish()
    c.hear(None)
    assert c.said_goodbye


def test_http10_ends_with_a_close_notify(w):
    c = returns(w, b"GET / HTTP/1.0\r\nHost: a.example\r\n\r\n")
    c.hear(b"127.0.0.1")
    c.finish()
    c.hear(None)
    assert c.said_goodbye


def test_a_ticket_allows_for_16_kib(w):
    session = ticket(w)
    assert session.max_early_data == 16384
    c = returns(w, b"GET / HTTP/1.1\r\nHost: a.example\r\nX: " + b"x" * 16000,
                session=session)
    assert c.hears_nothing() and c.early_status == ACCEPTED
    c.finish()
    c.say(b"\r\n\r\n")
    c.hear(b"127.0.0.1")


def test_the_command_line_client(w):
    session, data = w.dir / "session", w.dir / "early"
    data.write_bytes(request(fields=b"Connection: close\r\n"))
    base = ["openssl", "s_client", "-connect", "127.0.0.1:%d" % w.port,
            "-servername", "a.example", "-quiet", "-no_ign_eof"]
    for more in (["-sess_out", str(session), "-ign_eof"],
                 ["-sess_in", str(session), "-early_data", str(data),
                  "-ign_eof"]):
        done = subprocess.run(
            base + more, capture_output=True, timeout=20 * SLOW,
            input=request(fields=b"Connection: close\r\n")
            if "-sess_out" in more else b"")
    assert b"GET early=1 from" in done.stdout, done.stderr


# ---- what waits -------------------------------------------------------------


@pytest.mark.parametrize("data", [
    request("POST", body=b"once"),
    request("PUT", body=b"once"),
    request("DELETE"),
    request("BREW"),
    request(body=b"content"),
    request(fields=b"Connection: upgrade\r\nUpgrade: websocket\r\n"),
], ids=["POST", "PUT", "DELETE", "BREW", "content", "upgrade"])
def test_what_may_do_harm_twice_waits_for_the_handshake(w, data):
    c = returns(w, data)
    assert c.hears_nothing(0.2) and c.early_status == ACCEPTED
    assert len(logged(w)) == 1
    c.finish()
    assert b"early= from" in c.hear(b"127.0.0.1")
    assert counters(w)["weir_http_early_requests_held_total"] == "1"


def test_a_request_behind_one_that_waits(w):
    c = returns(w, request("POST", path="/1", body=b"x") + request(path="/2"))
    assert c.hears_nothing(0.2)
    c.finish()
    c.hear(b"127.0.0.1")
    c.hear(b"127.0.0.1")
    # Another of us may have answered the second early, had it come alone.
    assert logged(w, 3)[1:] == ["POST /1 200 - -", "GET /2 200 1 -"]


def test_expect_is_answered_when_it_is_over(w):
    c = returns(w, request("POST", fields=b"Expect: 100-continue\r\n"
                           b"Content-Length: 4\r\n"))
    assert c.hears_nothing(0.2)
    c.finish()
    c.say(b"body")
    assert b"POST early= from" in c.hear(b"127.0.0.1")


@pytest.mark.parametrize("data,line", [
    (request("POST", path="/held", body=b"x"), "POST /held 0 1 tls_timeout"),
    (request(path="/done"), "GET /done 200 1 -"),
    (b"GET / HT", None),
], ids=["held", "answered", "part of a head"])
def test_who_never_ends_the_handshake_is_cut(w, data, line):
    c = returns(w, data)
    begin = time.monotonic()
    c.hear(None)
    took = time.monotonic() - begin
    assert 1 < took < 6 * SLOW and not c.said_goodbye
    if line is not None:
        assert logged(w, 2)[1:] == [line]
    w.wait_log("TLS handshake with 127.0.0.1 failed: time-out")
    n = counters(w)
    assert n["weir_tls_handshakes_total"] == "1"
    assert n['weir_connections_closed_total{reason="tls_timeout"}'] == "1"


def test_who_goes_away_instead(w):
    c = returns(w, request("POST", path="/left", body=b"x"))
    assert c.hears_nothing(0.2)
    c.close()
    assert logged(w, 2)[1:] == ["POST /left 0 1 tls_failed"]


def test_a_false_end_of_the_handshake(w):
    c = returns(w, request("POST", path="/forged", body=b"x"))
    assert c.hears_nothing(0.2)
    # A record of the kind that would end it, by who has not the keys.
    c.sock.sendall(b"\x17\x03\x03\x00\x28" + os.urandom(40))
    with pytest.raises((Broken, AssertionError)):
        c.hear(b"POST")
    assert logged(w, 2)[1:] == ["POST /forged 0 1 tls_failed"]


# ---- upstreams --------------------------------------------------------------


def test_an_upstream_that_knows_is_told(weir):
    with RawBackend([Reply(ok(b"early"))]) as b:
        w = start(weir, b.port)
        c = returns(w, request(path="/knows/x", fields=b"Connection: "
                               b"early-data\r\n"))
        c.hear(b"early")
        c.finish()
        c.say(request(path="/knows/y"))
        c.hear(b"early")
        assert b.requests[0].fields("early-data") == [b"1"]
        assert b.requests[1].fields("early-data") == []


def test_an_upstream_that_may_not_know_gets_it_later(weir):
    with RawBackend([Reply(ok(b"late"))]) as b:
        w = start(weir, b.port)
        c = returns(w, request(path="/unsure/x"))
        assert c.hears_nothing(0.2) and not b.requests
        c.finish()
        c.hear(b"late")
        assert b.requests[0].fields("early-data") == []
        assert logged(w, 2)[1:] == ["GET /unsure/x 200 - -"]


def test_a_held_post_is_passed_on_as_any_other(weir):
    with RawBackend([Reply(ok(b"done"))]) as b:
        w = start(weir, b.port)
        c = returns(w, request("POST", path="/knows/x", body=b"content"))
        assert c.hears_nothing(0.2) and not b.requests
        c.finish()
        c.hear(b"done")
        assert b.requests[0].fields("early-data") == []
        assert b.requests[0].body == b"content"


def test_too_early_goes_to_the_client(weir):
    with RawBackend([Reply(b"HTTP/1.1 425 Too Early\r\n"
                           b"Content-Length: 0\r\n\r\n"),
                     Reply(ok(b"now"))]) as b:
        w = start(weir, b.port)
        c = returns(w, request(path="/knows/x"))
        assert c.hear(b"\r\n\r\n").startswith(b"HTTP/1.1 425 Too Early\r\n")
        c.finish()
        c.say(request(path="/knows/x"))
        c.hear(b"now")
        assert [r.fields("early-data") for r in b.requests] == [[b"1"], []]


@pytest.mark.parametrize("said", [b"Early-Data: 1", b"early-data: 0",
                                  b"Early-Data: 1\r\nEarly-Data: no",
                                  b"Early-Data: 1\r\nConnection: early-data"])
def test_what_another_proxy_says_is_kept(weir, said):
    with RawBackend([Reply(ok(b"seen"))]) as b:
        w = start(weir, b.port)
        c = EarlyClient(w.port, "a.example")
        c.exchange(request(path="/unsure/x", fields=said + b"\r\n"), b"seen")
        assert b.requests[0].fields("early-data") == [b"1"]


# ---- where there is none ----------------------------------------------------


@pytest.mark.parametrize("name", ["b.example", "c.example"])
def test_sites_without_it(w, name):
    session = ticket(w, name)
    assert session.max_early_data == 0
    c = EarlyClient(w.port, name, session)
    assert b"early=" in c.exchange(request(host=name), b"early=")
    assert c.is_resumed and c.early_status == NOT_SENT


def test_what_was_promised_before_a_reload_is_passed_over(w):
    session = ticket(w)
    text = (w.dir / "weir.yaml").read_text()
    assert w.reload(text.replace("early_data: on}\n", "early_data: off}\n", 1)
                    ).returncode == 0
    # The most that it may send, in records as small as it likes.
    c = EarlyClient(w.port, "a.example", session)
    for _ in range(16):
        c.say_early(b"x" * 1000)
    c.finish()
    assert c.is_resumed and c.early_status == REJECTED
    assert b"early= from" in c.exchange(request(), b"127.0.0.1")
    assert counters(w)["weir_tls_early_data_refused_total"] == "1"


def test_tickets_outlive_a_reload(w):
    session = ticket(w)
    assert w.reload().returncode == 0
    c = returns(w, request(), session=session)
    assert b"early=1" in c.hear(b"127.0.0.1")


def test_a_ticket_of_another_site(w):
    c = EarlyClient(w.port, "b.example", ticket(w))
    # OpenSSL's client would not: it looks at the name.
    assert b"b early=" in c.exchange(request(host="b.example"), b"early=")
    assert not c.is_resumed


def test_another_site_is_not_reached_early(w):
    c = returns(w, request(host="c.example"))
    assert c.hear(b"\r\n\r\n").startswith(b"HTTP/1.1 421 ")
    c.finish()


def test_tls_12_beside_it(w):
    c = EarlyClient(w.port, "old.example")
    c.exchange(request(host="old.example"), b"old")


def test_a_first_visit_beside_it(w):
    c = EarlyClient(w.port, "a.example")
    assert b"early= from" in c.exchange(request(), b"127.0.0.1")
    assert not c.is_resumed and c.early_status == NOT_SENT


# ---- the rest ---------------------------------------------------------------


def test_a_replay_is_told_apart_by_nothing_but_what_it_asks(weir):
    """What the manual says: a flight that is sent again is answered again,
    which only the owner of the keys can read; and no POST is done by it."""
    w = start(weir, workers=2)
    c = returns(w, request(path="/mine"))
    flight = c.sent
    c.hear(b"127.0.0.1")
    c.finish()
    for _ in range(3):
        again = EarlyClient(w.port, "a.example")
        again.sock.sendall(flight)
        assert again.fetch(5 * SLOW)
    assert sorted(logged(w, 5)) == ["GET / 200 - -"] + ["GET /mine 200 1 -"] * 4


def test_behind_a_proxy_header(w):
    line = b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 443\r\n"
    c = returns(w, request(), port=int(w.port_of("port3")), prologue=line)
    assert b"early=1 from 192.0.2.7" in c.hear(b"192.0.2.7")


class Wire:
    """What a client of frames takes for its socket."""

    def __init__(self, client):
        self.client = client
        self.is_over = False

    def sendall(self, data):
        (self.client.say if self.is_over else self.client.say_early)(data)

    def recv(self, _):
        c = self.client
        while not c.heard:
            c.step()
            if not c.heard and not c.fetch(10 * SLOW):
                return b""
        data, c.heard = c.heard, b""
        return data

    def close(self):
        self.client.close()


class Frames(h2_frames.Frames):
    def __init__(self, client):
        self.sock, self.scheme, self.pending = Wire(client), "https", b""
        self.encoder = h2_frames.hpack.Encoder()
        self.decoder = h2_frames.hpack.Decoder()

    def finish(self):
        self.sock.client.finish()
        self.sock.is_over = True


def test_http2(w):
    c = EarlyClient(w.port, "a.example", ticket(w, alpn=b"h2"), alpn=b"h2")
    f = Frames(c)
    post = h2_frames.frame(h2_frames.HEADERS, 4, 1, f.head(
        method="POST", authority="a.example"))
    get = h2_frames.frame(h2_frames.HEADERS, 5, 3, f.head(
        authority="a.example"))
    # One flight: once the server has spoken, the client would end the
    # handshake.
    f.send(h2_frames.PREFACE + h2_frames.settings() + post +
           h2_frames.frame(h2_frames.DATA, 1, 1, b"x") + get)
    fields, body = f.response(3, window=False)
    assert fields[":status"] == "200" and body.startswith(b"GET early=1 from")
    assert len(logged(w)) == 1
    f.finish()
    fields, body = f.response(1)
    assert fields[":status"] == "200" and body.startswith(b"POST early= from")
    f.request(5, authority="a.example")
    assert f.response(5)[1].startswith(b"GET early= from")
    assert sorted(logged(w, 3)) == ["GET / 200 - -", "GET / 200 1 -",
                                    "POST / 200 - -"]


def test_http2_that_never_ends_the_handshake(w):
    c = EarlyClient(w.port, "a.example", ticket(w, alpn=b"h2"), alpn=b"h2")
    f = Frames(c)
    f.send(h2_frames.PREFACE + h2_frames.settings() + h2_frames.frame(
        h2_frames.HEADERS, 5, 1, f.head(method="POST", authority="a.example")))
    c.hear(None)
    assert logged(w)[0] == "POST / 0 1 tls_timeout"


def test_off_by_default(weir):
    w = start(weir, early="off")
    assert ticket(w).max_early_data == 0
