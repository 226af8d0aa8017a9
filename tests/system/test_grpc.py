"""gRPC through the daemon: a real server of it behind, a real client in front
where the front speaks HTTP/2, and what the daemon says itself."""

import pathlib
import subprocess
import sys
import threading
import time
from concurrent import futures

import grpc
import pytest

from conftest import SLOW, WEIR, wait_until
from h2_frames import END_STREAM, HEADERS, Frames

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent /
                       "backends"))

pytestmark = pytest.mark.skipif(
    "nghttp2" not in subprocess.run([WEIR, "-V"], capture_output=True,
                                    text=True).stdout,
    reason="built without HTTP/2")

SITE = """
    workers: 1
    error_log: {to: stderr, level: info}
    tls: {certificates: [{certificate: "{dir}/pem", key: "{dir}/key"}]}
    http: {max_body_size: 8m}
    sites:
      - listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port1}"}
        hosts: [localhost]
        default: true
        routes:
          - {path: "/t.Closed/*", respond: 403}
          - {path: "/t.Down/*", respond: {status: 503, body: back soon}}
          - {path: "/files.*", files: "{dir}"}
          - path: "/t.*"
            proxy: {to: "http://127.0.0.1:{port2}", protocol: grpc}
"""


class Echo(grpc.GenericRpcHandler):
    """Bytes in, bytes out."""

    def service(self, call):
        return {
            "/t.Echo/Unary": grpc.unary_unary_rpc_method_handler(self.unary),
            "/t.Echo/Many": grpc.unary_stream_rpc_method_handler(self.many),
            "/t.Echo/Sum": grpc.stream_unary_rpc_method_handler(self.sum),
            "/t.Echo/Both": grpc.stream_stream_rpc_method_handler(self.both),
            "/t.Echo/Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "/t.Echo/Slow": grpc.unary_unary_rpc_method_handler(self.slow),
        }.get(call.method)

    def unary(self, request, context):
        context.set_trailing_metadata([("x-after", "done")])
        return request

    def many(self, request, context):
        for i in range(int(request)):
            yield b"%d" % i

    def sum(self, requests, context):
        return b"%d" % sum(len(r) for r in requests)

    def both(self, requests, context):
        for r in requests:
            yield r.upper()

    def fail(self, request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "no such thing")

    def slow(self, request, context):
        time.sleep(2)
        return request


@pytest.fixture
def w(weir, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-days", "2",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")],
        check=True, capture_output=True)
    return weir(SITE.replace("{dir}", str(tmp_path)))


@pytest.fixture
def server(w):
    s = grpc.server(futures.ThreadPoolExecutor(8))
    s.add_generic_rpc_handlers([Echo()])
    s.add_insecure_port("127.0.0.1:%d" % w.port_of("port2"))
    s.start()
    yield s
    s.stop(None).wait()


# ---- by hand, over HTTP/1.1 ------------------------------------------------

def call(w, method, message=b"", head=b"", kind=b"application/grpc"):
    """The fields of the head and of the trailers, and the content."""
    body = b"\0" + len(message).to_bytes(4, "big") + message
    with w.connect() as s:
        s.sendall(b"POST /t.Echo/%s HTTP/1.1\r\nHost: localhost\r\n"
                  b"TE: trailers\r\nConnection: te, close\r\n"
                  b"Content-Type: %s\r\nContent-Length: %d\r\n%s\r\n%s" %
                  (method, kind, len(body), head, body))
        data = b""
        while part := s.recv(65536):
            data += part
    top, _, rest = data.partition(b"\r\n\r\n")
    fields = dict(line.split(": ", 1)
                  for line in top.decode().split("\r\n")[1:])
    fields = {n.lower(): v for n, v in fields.items()}
    fields["status"] = int(top.split()[1])
    content = b""
    while "transfer-encoding" in fields and rest:
        size, _, rest = rest.partition(b"\r\n")
        if size == b"0":
            fields.update(line.split(": ", 1)
                          for line in rest.decode().split("\r\n") if line)
            break
        content += rest[:int(size, 16)]
        rest = rest[int(size, 16) + 2:]
    return fields, content


def test_a_call_is_answered_with_trailers(w, server):
    fields, content = call(w, b"Unary", b"hello")
    assert fields["status"] == 200
    assert fields["grpc-status"] == "0"
    assert fields["x-after"] == "done"
    assert content == b"\0\0\0\0\5hello"


def test_a_failure_of_the_server_passes(w, server):
    fields, _ = call(w, b"Fail")
    assert (fields["grpc-status"], fields["grpc-message"]) == \
        ("5", "no such thing")


def test_messages_of_a_stream_pass(w, server):
    fields, content = call(w, b"Many", b"1000")
    assert fields["grpc-status"] == "0"
    assert content.endswith(b"\0\0\0\0\3999")


def test_a_server_that_is_down_is_unavailable(w):
    fields, content = call(w, b"Unary")
    assert (fields["status"], fields["grpc-status"]) == (200, "14")
    assert fields["content-type"] == "application/grpc"
    assert fields["grpc-message"] == "refused"
    assert content == b""
    assert "connection refused" in w.log()


def test_others_get_failures_as_http(w):
    for kind in b"text/plain", b"application/grpc-web", b"application/grpcx":
        assert call(w, b"Unary", kind=kind)[0]["status"] == 502
    for kind in b"application/grpc+proto", b"application/grpc; x=y":
        assert call(w, b"Unary", kind=kind)[0]["grpc-status"] == "14"


def test_a_deadline_is_kept(w, server):
    t0 = time.monotonic()
    fields, _ = call(w, b"Slow", head=b"grpc-timeout: 300m\r\n")
    # The server keeps it too; whoever comes first.
    assert fields["grpc-status"] == "4"
    assert time.monotonic() - t0 < 1.9 * SLOW


def test_a_deadline_is_kept_where_the_server_does_not(w):
    from h2backend import H2Backend
    with H2Backend(port=w.port_of("port2")) as b:
        fields, _ = call(w, b"Slow", head=b"grpc-timeout: 200000u\r\n")
        assert fields["grpc-status"] == "4"
        assert fields["grpc-message"] == "grpc-timeout has passed"
        assert b.requests[0].fields["grpc-timeout"] == "200000u"
        assert b.requests[0].fields["te"] == "trailers"


def test_a_deadline_in_the_midst_of_a_response_is_said_behind_it(w):
    from h2backend import H2Backend

    def begin(r):
        r.head(200, content_type="application/grpc")
        r.connection.send_body(r.stream, b"\0\0\0\0\5hello", False)

    with H2Backend(begin, port=w.port_of("port2")) as b:
        fields, content = call(w, b"Slow", head=b"grpc-timeout: 400m\r\n")
        assert fields["status"] == 200
        assert content == b"\0\0\0\0\5hello"
        assert fields["grpc-status"] == "4"
        assert fields["grpc-message"] == "grpc-timeout has passed"
        r, = b.requests
        wait_until(lambda: getattr(r, "reset_code", None) == 8)  # CANCEL
    assert "body: grpc-timeout has passed" in w.log()


def test_a_deadline_where_the_length_was_promised_cuts(w):
    from h2backend import H2Backend

    def begin(r):
        r.head(200, content_type="application/grpc", content_length="99")
        r.connection.send_body(r.stream, b"\0\0\0\0\5hello", False)

    with H2Backend(begin, port=w.port_of("port2")):
        fields, _ = call(w, b"Slow", head=b"grpc-timeout: 400m\r\n")
        assert fields["content-length"] == "99"
        assert "grpc-status" not in fields


def test_a_deadline_that_makes_no_sense_is_refused(w, server):
    for value in b"1", b"S", b"123456789S", b"-1S", b"1s", b"1 S", b"0x1S":
        fields, _ = call(w, b"Unary",
                         head=b"grpc-timeout: %s\r\n" % value)
        assert fields["grpc-status"] == "13", value


# ---- with a real client ----------------------------------------------------

@pytest.fixture
def channel(w, server, tmp_path):
    port = w.port_of("port1")
    with grpc.secure_channel(
            "localhost:%d" % port,
            grpc.ssl_channel_credentials((tmp_path / "pem").read_bytes())) \
            as c:
        yield c


def test_unary(channel):
    out, c = channel.unary_unary("/t.Echo/Unary").with_call(b"x", timeout=10)
    assert out == b"x"
    assert ("x-after", "done") in [tuple(m) for m in c.trailing_metadata()]


def test_server_streaming(channel):
    out = list(channel.unary_stream("/t.Echo/Many")(b"1000", timeout=20))
    assert out == [b"%d" % i for i in range(1000)]


def test_client_streaming(channel):
    out = channel.stream_unary("/t.Echo/Sum")(
        iter([b"x" * 10_000] * 300), timeout=20)
    assert out == b"3000000"


def test_bidirectional_streaming(channel):
    step, answers = threading.Semaphore(1), []

    def messages():
        for i in range(20):
            assert step.acquire(timeout=10)
            yield b"m%d" % i

    # The next one leaves only when the last one was answered.
    for out in channel.stream_stream("/t.Echo/Both")(messages(), timeout=20):
        answers.append(out)
        step.release()
    assert answers == [b"M%d" % i for i in range(20)]


def test_status_and_deadline(channel):
    for method, timeout, code in (("Fail", 10, grpc.StatusCode.NOT_FOUND),
                                  ("Slow", 0.4,
                                   grpc.StatusCode.DEADLINE_EXCEEDED)):
        with pytest.raises(grpc.RpcError) as e:
            channel.unary_unary("/t.Echo/" + method)(b"", timeout=timeout)
        assert e.value.code() == code


def test_a_deadline_in_the_midst_of_a_stream(w, tmp_path):
    from h2backend import H2Backend

    def begin(r):
        r.head(200, content_type="application/grpc")
        r.connection.send_body(r.stream, b"\0\0\0\0\5hello", False)

    with H2Backend(begin, port=w.port_of("port2")):
        c = Frames(w.port_of("port1"), tls=True).hello()
        c.request(1, path="/t.Echo/Many", method="POST", fields=[
            ("content-type", "application/grpc"), ("te", "trailers"),
            ("grpc-timeout", "400m")])
        head, body = c.response(1)
        assert head[":status"] == "200" and body == b"\0\0\0\0\5hello"
        assert c.trailers == {"grpc-status": "4",
                              "grpc-message": "grpc-timeout has passed"}
        assert c.is_alive()


# ---- what is refused here

def outcome(channel, method, message=b"x", **more):
    with pytest.raises(grpc.RpcError) as e:
        channel.unary_unary(method)(message, timeout=10, **more)
    return e.value.code(), e.value.details()


def test_refusals_are_said_in_its_own_words(channel):
    code = grpc.StatusCode
    for method, expected in (
            ("/t.Closed/X", (code.PERMISSION_DENIED, "Forbidden")),
            ("/nobody/X", (code.UNIMPLEMENTED, "no route of the site fits")),
            ("/files.x/X", (code.UNKNOWN, "Method Not Allowed"))):
        assert outcome(channel, method) == expected
    assert outcome(channel, "/t.Echo/Unary", metadata=[
        ("x-%d" % i, "y" * 4000) for i in range(15)])[0] == code.UNKNOWN


def test_refusals_are_one_head(w):
    c = Frames(w.port_of("port1"), tls=True).hello()
    fields = [("content-type", "application/grpc+proto"),
              ("te", "trailers")]
    c.request(1, end=False, path="/nobody/X", method="POST",
              fields=fields)
    f = c.expect(HEADERS, 1)
    assert f.flags & END_STREAM
    head = dict(f.fields)
    assert head[":status"] == "200" and head["grpc-status"] == "12"
    assert head["content-type"] == "application/grpc"
    # Too much is said before any of it has come.
    fields.append(("content-length", "9000000"))
    c.request(3, end=False, path="/t.Echo/X", method="POST",
              fields=fields)
    head = dict(c.expect(HEADERS, 3).fields)
    assert head["grpc-status"] == "2"
    assert "larger than max_body_size" in head["grpc-message"]


def test_what_the_operator_wrote_is_sent_as_it_is(w):
    c = Frames(w.port_of("port1"), tls=True).hello()
    head, body = c.get(1, "/t.Down/X", method="POST",
                       fields=[("content-type", "application/grpc")])
    assert (head[":status"], body) == ("503", b"back soon")
    # Others are not told in words that they do not know.
    head, _ = c.get(3, "/nobody", method="POST",
                    fields=[("content-type", "application/grpc-web")])
    assert head[":status"] == "404" and "grpc-status" not in head
    # A GET is no call: a cache would keep its 200.
    head, _ = c.get(5, "/nobody",
                    fields=[("content-type", "application/grpc")])
    assert head[":status"] == "404" and "grpc-status" not in head
