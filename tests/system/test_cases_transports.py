"""The cases of tests/cases over the other transports: HTTP/1.1 over TLS by the
byte, HTTP/2 in clear text and over TLS as far as it can say the same. The
expectations are those of the case; what HTTP/2 makes of it is stated here."""

import pathlib
import re

import pytest

from conftest import SLOW, Weir
import transports
from transports import CONNECTION_FIELDS, Inexpressible, Transport

import case
import play
from recorder import Recorder

TESTS = pathlib.Path(__file__).resolve().parent.parent
PLAIN = 'listen: "127.0.0.1:{port}"\n'
SITE = (TESTS / "cases" / "weir.yaml").read_text()
assert PLAIN in SITE
SITE = SITE.replace(PLAIN, """tls: {self_signed: on}
    hosts: [a]
    default: on
    listen: {http: "127.0.0.1:{port}", https: "127.0.0.1:{port2}"}
""") + 'listeners: {"127.0.0.1:{port}": {h2c: on}}\n'

REQUESTS = {"%s-%s" % (topic, c.name): c for topic, c in case.load("requests")}
RESPONSES = {"%s-%s" % (topic, c.name): c
             for topic, c in case.load("responses")}


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    w = Weir(tmp_path_factory.mktemp("transports"), SITE)
    with Recorder(w.port_of("port9"), w.dir / "backend.sock") as w.backend:
        yield w.start()
        w.check()


# ---- HTTP/1.1 over TLS: the same bytes, the same answers


@pytest.mark.parametrize("name", REQUESTS)
def test_request_over_tls(w, name):
    c = REQUESTS[name]
    run = w.backend.begin()
    with transports.dial(w.port_of("port2"), tls=True) as s:
        outcome = play.converse(c, s, lambda data: [data])
    w.backend.settle()
    bad = play.differences(c, outcome, run)
    assert not bad, "\n".join([c.why, *bad])


@pytest.mark.parametrize("name", RESPONSES)
def test_response_over_tls(w, name):
    c = RESPONSES[name]
    run = w.backend.begin(c.answer, c.answer_end)
    with transports.dial(w.port_of("port2"), tls=True) as s:
        outcome = play.converse(c, s, lambda data: [data])
    assert run.answered.wait(5 * SLOW)
    w.backend.settle()
    bad = play.differences(c, outcome, run)
    assert not bad, "\n".join([c.why, *bad])


# ---- HTTP/2


def in_http2(c):
    """What the client of the case says there."""
    sends = [s for s in c.steps if isinstance(s, case.Send)]
    if len(sends) != 1 or c.sends_end:
        raise Inexpressible("turns of a conversation")
    if len([e for e in c.expects if e.status >= 200]) > 1:
        raise Inexpressible("pipelining")
    return transports.translate(sends[0].data)


def expressible(cases):
    found = {}
    for name, c in cases.items():
        try:
            found[name] = in_http2(c)
        except Inexpressible:
            pass
    return found


H2_REQUESTS, H2_RESPONSES = expressible(REQUESTS), expressible(RESPONSES)

# Where the answer is another one, and why.
OK = b"GET /a HTTP/1.1\r\nhost: a\r\n%s\r\n"
DIFFERS = {
    # Host is :authority and no field: one more has room.
    "limits-fields-above-limit": ([200], OK % (b"x: y\r\n" * 20)),
    # A field counts 32 bytes more (RFC 9113 section 6.5.2).
    "limits-head-below-limit": ([431], b""),
    # Nothing but "trailers" may stand there (RFC 9113 section 8.2.2).
    "framing-te-field": ("reset PROTOCOL_ERROR", b""),
}


def test_enough_of_the_cases_can_be_said_in_http2():
    assert len(H2_REQUESTS) >= 120
    assert len(H2_RESPONSES) >= 75
    assert set(DIFFERS) <= set(H2_REQUESTS) | set(H2_RESPONSES)


def over_http2(w, name, said):
    t = Transport(name, w.port, w.port_of("port2"))
    method, target, authority, fields, body, trailers = said
    answer = t.request(method, target, fields, body, trailers, authority)
    # Whatever came of one request, the connection lives: but for what ends
    # it in both protocols.
    if t.way.c is not None and not answer.end.startswith("goaway"):
        assert t.request("GET", "/probe").status == 204
    t.close()
    return answer


FRAMING = rb"(?:content-length|transfer-encoding):[^\r]*\r\n"


def meant(data):
    """[(head, body, trailers)] of the requests in DATA, which a Recorder got.
    Names have no capitals in HTTP/2, and a body whose end is there already is
    passed on with its length."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        head = re.sub(rb"(?m)^[^\s:]+:", lambda m: m[0].lower(), head + b"\r\n")
        length = re.search(rb"\r\ncontent-length: (\d+)", head)
        body = trailers = b""
        if b"\r\ntransfer-encoding:" in head:
            size, _, data = data.partition(b"\r\n")
            if int(size, 16) > 0:
                body, data = data[:int(size, 16)], data[int(size, 16) + 5:]
            while not data.startswith(b"\r\n"):
                line, _, data = data.partition(b"\r\n")
                trailers += line.lower() + b"\r\n"
            data = data[2:]
        elif length:
            body, data = data[:int(length[1])], data[int(length[1]):]
        found.append((re.sub(FRAMING, b"", head), body, trailers))
    return found


def statuses(c):
    return [e.status for e in c.expects]


def expected(name, c, said):
    """(statuses or how the stream ends, what the backend gets)."""
    if name in DIFFERS:
        return DIFFERS[name]
    if {k for k, _ in said[3]} & CONNECTION_FIELDS:
        return "reset PROTOCOL_ERROR", b""
    return statuses(c), c.backend


def outcome(answer):
    if answer.end == "whole" or answer.status:
        return answer.interim + [answer.status]
    return answer.end


@pytest.mark.parametrize("transport", ["h2", "h2-tls"])
@pytest.mark.parametrize("name", H2_REQUESTS)
def test_request_over_http2(w, name, transport):
    c, said = REQUESTS[name], H2_REQUESTS[name]
    run = w.backend.begin()
    answer = over_http2(w, transport, said)
    w.backend.settle()
    want, backend = expected(name, c, said)
    got = outcome(answer)
    # What is malformed may also be told as an error of the stream (RFC 9113
    # section 8.1.1).
    if want == [400] and got == "reset PROTOCOL_ERROR":
        got = want
    assert (got, meant(run.whole)) == (want, meant(backend)), c.why
    assert not run.rest or c.may_cut
    if answer.status and name not in DIFFERS:
        last = c.expects[-1]
        assert last.body is None or answer.body == last.body
        assert (answer.end == "cut") == ("cut" in last.words)
        check_fields(last, answer)


def check_fields(want, answer):
    for key, _ in want.fields:
        key = key.decode().lower()
        if key not in CONNECTION_FIELDS:
            assert answer.values(key) == [
                v.decode("latin-1") for k, v in want.fields
                if k.decode().lower() == key]
    for key in want.absent:
        assert not answer.values(key.decode())
    assert not {k for k, _ in answer.fields} & CONNECTION_FIELDS


@pytest.mark.parametrize("transport", ["h2", "h2-tls"])
@pytest.mark.parametrize("name", H2_RESPONSES)
def test_response_over_http2(w, name, transport):
    c, said = RESPONSES[name], H2_RESPONSES[name]
    run = w.backend.begin(c.answer, c.answer_end)
    t = Transport(transport, w.port, w.port_of("port2"))
    method, target, authority, fields, body, trailers = said
    answer = t.request(method, target, fields, body, trailers, authority)
    want, _ = expected(name, c, said)
    assert outcome(answer) == want, c.why
    if want != "reset PROTOCOL_ERROR":
        assert run.answered.wait(5 * SLOW)
        last = c.expects[-1]
        assert last.body is None or answer.body == last.body, c.why
        assert (answer.end == "cut") == ("cut" in last.words), c.why
        check_fields(last, answer)
    w.backend.settle()
    # Whatever came: the next one gets what is its own, on this connection.
    after = t.request("GET", "/next", authority="a")
    assert (after.status, after.body) == (200, b"next"), c.why
    if want != "reset PROTOCOL_ERROR":
        assert (run.next_on == run.connections[-1]) == c.reused, c.why
    t.close()
