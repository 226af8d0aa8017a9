"""What a client of HTTP/2 can do that costs it little and others much: floods of
full and of empty frames, heads without an end, answers that are not read. What
it must not do is in test_http2_musts.py."""

import socket
import struct
import time

import pytest

from conftest import wait_until
from h2_frames import (
    CANCEL, CONTINUATION, Closed, DATA, END_HEADERS, END_STREAM,
    ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, Frames, HEADERS, PING, PRIORITY,
    PROTOCOL_ERROR, RST_STREAM, WINDOW_UPDATE, frame, settings)


def u32(n):
    return struct.pack(">I", n)


CONFIG = """
    http: {HTTP}
    listeners: {{port}: {h2c: on}}
    admin: {listen: "127.0.0.1:{port1}"}
    sites:
      - listen: {port}
        default: on
        routes:
          - {path: /hello, respond: {body: hello}}
          - {path: "/up/*", proxy: "http://127.0.0.1:SILENT"}
          - files: {dir}
"""


@pytest.fixture
def serve(weir):
    with socket.create_server(("127.0.0.1", 0), backlog=4000) as silent:
        text = CONFIG.replace("SILENT", str(silent.getsockname()[1]))
        yield lambda http="max_body_size: 10m": weir(
            text.replace("HTTP", http))


def metric(w, name, **label):
    import urllib.request
    text = urllib.request.urlopen("http://127.0.0.1:%d/metrics" %
                                  w.port_of("port1")).read().decode()
    total = 0
    for line in text.splitlines():
        if line.startswith(name) and all(
                '%s="%s"' % i in line for i in label.items()):
            total += float(line.split()[-1])
    return total


def rapid_reset(c, i):
    return (frame(HEADERS, END_HEADERS | END_STREAM, 1 + 2 * i,
                  c.head(path="/hello")) +
            frame(RST_STREAM, 0, 1 + 2 * i, u32(CANCEL)))


def made_you_reset(c, i):
    if i > 0:   # no faster than max_streams allows
        c.last_error = c.stream_error(2 * i - 1)
    return (frame(HEADERS, END_HEADERS, 1 + 2 * i,
                  c.head(path="/up/x", method="POST")) +
            frame(WINDOW_UPDATE, 0, 1 + 2 * i, u32(0x7fffffff)))


def large_heads(c, i):
    """A field of 40,000 bytes: literal, not indexed, not Huffman-coded."""
    return b"".join(in_frames(1 + 2 * i, c.head(path="/hello") +
                              b"\0\1x\x7f\xc1\xb7\x02" + b"y" * 40000))


def in_frames(stream, block):
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    yield frame(HEADERS, END_STREAM, stream, parts[0])
    for part in parts[1:-1]:
        yield frame(CONTINUATION, 0, stream, part)
    yield frame(CONTINUATION, END_HEADERS, stream, parts[-1])


def empty_data(c, i):
    first = frame(HEADERS, END_HEADERS, 1, c.head(
        path="/up/x", method="POST")) if i == 0 else b""
    return first + frame(DATA, 0, 1, b"")


FLOODS = {
    "cancel": rapid_reset,
    "broken": made_you_reset,
    "large_head": large_heads,
    "settings": lambda c, i: settings(),
    "ping": lambda c, i: frame(PING, 0, 0, bytes(8)),
    "priority": lambda c, i: frame(PRIORITY, 0, 1, u32(0) + b"\1"),
    "window": lambda c, i: frame(WINDOW_UPDATE, 0, 0, u32(1)),
    "empty": empty_data,
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_is_ended(serve, kind):
    w = serve("http2: {max_resets: 50, max_control: 200}")
    c = Frames(w.port).hello()
    polite = Frames(w.port).hello()
    try:
        for i in range(2000):
            c.send(FLOODS[kind](c, i))
    except (OSError, Closed):
        pass
    assert ENHANCE_YOUR_CALM in (c.error(), getattr(c, "last_error", None))
    assert metric(w, "weir_http2_abuses_total", kind=kind) == 1
    assert polite.get(1, "/hello")[1] == b"hello"


def test_a_head_without_end_is_ended(serve):
    w = serve()
    c = Frames(w.port).hello()
    c.send(frame(HEADERS, END_STREAM, 1, c.head(path="/hello")))
    try:
        for _ in range(10_000):
            c.send(frame(CONTINUATION, 0, 1, b"\0\1x\1y" * 100))
    except OSError:
        pass
    assert c.error() in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR)


def bomb(c, times):
    """One entry of 4 KiB in the table, and then again and again its index."""
    return frame(HEADERS, END_HEADERS | END_STREAM, 1, c.head(
        path="/hello", fields=[("x", "y" * 3500)]) + b"\xbe" * times)


def test_a_head_that_unpacks_to_too_much_is_refused(serve):
    c = Frames(serve().port).hello()
    c.send(bomb(c, 60))
    assert c.response(1)[0][":status"] == "431"
    assert c.get(3, "/hello")[1] == b"hello"


def test_a_bomb_of_hpack_is_not_unpacked(serve):
    w = serve()
    c = Frames(w.port).hello()
    c.send(bomb(c, 12000))
    assert c.error() == ENHANCE_YOUR_CALM
    assert metric(w, "weir_http2_abuses_total", kind="large_head") == 1


def test_a_bomb_in_trailers_is_not_unpacked(serve):
    c = Frames(serve().port).hello()
    c.send(frame(HEADERS, END_HEADERS, 1,
                 c.head(path="/hello", method="POST")))
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, c.encoder.encode(
        [("x", "y" * 3500)]) + b"\xbe" * 12000))
    assert c.error() == ENHANCE_YOUR_CALM


def test_fields_that_must_not_be_are_no_way_around_it(serve):
    """They are told elsewhere than good ones."""
    c = Frames(serve().port).hello()
    c.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, c.head(
        path="/hello", fields=[("x", "y" * 3500 + "\0")]) +
        b"\xbe" * 12000))
    assert c.error() == ENHANCE_YOUR_CALM


def test_empty_frames_of_a_head_are_counted(serve):
    c = Frames(serve("http2: {max_control: 100}").port).hello()
    c.send(frame(HEADERS, END_STREAM, 1, c.head(path="/hello")),
           frame(CONTINUATION, 0, 1) * 200)
    # Some nghttp2 take no more than eight of whatever size.
    assert c.error() in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR)


def test_who_is_found_out_is_not_listened_to(serve):
    """What came with the frame that was too many is not looked at."""
    w = serve("http2: {max_control: 100}")
    c = Frames(w.port).hello()
    c.send(frame(PING, 0, 0, bytes(8)) * 2000)
    assert c.error() == ENHANCE_YOUR_CALM
    assert metric(w, "weir_http2_events_total", kind="ping") <= 101


def test_a_head_that_stalls_is_ended(serve):
    c = Frames(serve("header_timeout: 300ms").port).hello()
    c.send(frame(HEADERS, END_STREAM, 1, c.head(path="/hello")))
    assert c.error() == ENHANCE_YOUR_CALM


def test_who_does_not_read_is_not_listened_to(serve):
    """Answers to PING do not pile up in memory."""
    w = serve("send_timeout: 500ms, http2: {max_control: 1000000}")
    c = Frames(w.port, timeout=5).hello()
    ping = frame(PING, 0, 0, bytes(8)) * 1000
    try:
        for _ in range(5000):
            c.send(ping)
    except OSError:
        pass
    # Where nobody reads there may be no room for a last word.
    assert c.error() in (ENHANCE_YOUR_CALM, "closed")
    assert Frames(w.port).hello().get(1, "/hello")[1] == b"hello"


def test_the_last_words_follow_what_was_held(serve):
    """Also where nobody reads when the client does what ends it all."""
    w = serve()
    with open(w.dir / "large", "wb") as f:
        f.truncate(64 << 20)
    c = Frames(w.port).hello(window=0x7fffffff)
    c.send(frame(WINDOW_UPDATE, 0, 0, u32(0x7fffffff - 65535)))
    c.request(1, path="/large")
    # Until the socket is full: what has left grows no more.
    wait_until(lambda: not sends_more(w))
    c.send(frame(HEADERS, END_STREAM, 3, c.head(path="/hello")),
           frame(CONTINUATION, 0, 3, bytes(16385)))
    assert c.error() == FRAME_SIZE_ERROR
    with pytest.raises(Closed):
        c.next()


def sends_more(w):
    before = metric(w, "weir_sent_bytes_total")
    time.sleep(0.1)
    return metric(w, "weir_sent_bytes_total") > before + 65536
