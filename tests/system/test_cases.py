"""The cases of tests/cases, each whole, byte by byte and cut by chance.

The daemon reads and the backend writes by unix sockets where pieces matter:
there one can see when the other side has taken a piece, so that no two of them
arrive together.
"""

import pathlib
import socket
import sys

import pytest

from conftest import SLOW, Weir

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS / "cases"), str(TESTS / "backends")]

import case  # noqa: E402
import play  # noqa: E402
from recorder import Recorder  # noqa: E402

SITE = (TESTS / "cases" / "weir.yaml").read_text()


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    w = Weir(tmp_path_factory.mktemp("cases"), SITE)
    with Recorder(w.port_of("port9"), w.dir / "backend.sock") as w.backend:
        yield w.start()
        w.check()


def connect(w, port, by_unix=False):
    if not by_unix:
        return w.connect(port, timeout=5 * SLOW)
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5 * SLOW)
    s.connect(str(w.dir / "weir.sock"))
    return s


def all_of(kind):
    return [pytest.param(c, mode, id="%s-%s-%s" % (topic, c.name, mode))
            for topic, c in case.load(kind) for mode in play.MODES]


def test_there_are_enough_cases():
    assert len(case.load("requests")) >= 250
    assert len(case.load("responses")) >= 80


GOOD = "== a: b\n> GET / HTTP/1.1\n>\n< 200 kept\n| (nothing)\n"


@pytest.mark.parametrize("old, new", [
    ("== a: b", "== a:b"), ("== a: b", ""), ("> GET", "GET"),
    ("HTTP/1.1", "HTTP/1.1 "), ("GET", "\\q"), ("GET", "\\x0"),
    ("GET", "{GET}"), ("GET", "{GET*2"), ("GET", "G}"), ("GET", "G\tT"),
    ("200", "20"), ("kept", "keep"), ("< 200 kept\n", ""), (" kept", ""),
    ("| (nothing)\n", ""), ("| (nothing)", "! HTTP/1.1 200"),
    ("| (nothing)", "| (nothing)\n" + GOOD.strip()),
    (">\n", ">\n<= body\n"),
])
def test_notation_has_one_reading(old, new):
    assert len(case.parse(GOOD, is_response=False)) == 1
    assert old in GOOD
    with pytest.raises(case.BadCase):
        case.parse(GOOD.replace(old, new, 1), is_response=False)


def test_escapes():
    assert case.unescape(r"\r\n\t\0\s\\\{\}\xfF") == b"\r\n\t\0 \\{}\xff"
    assert case.unescape("{a{b*2}\\}*3}") == b"abb}" * 3


@pytest.mark.parametrize("c, mode", all_of("requests"))
def test_request(w, c, mode):
    run = w.backend.begin()
    with connect(w, "port", by_unix=mode != "whole") as s:
        outcome = play.converse(c, s, play.cutter(mode, c.name))
    w.backend.settle()
    bad = play.differences(c, outcome, run)
    assert not bad, "\n".join([c.why, *bad])


@pytest.mark.parametrize("c, mode", all_of("responses"))
def test_response(w, c, mode):
    cut = play.cutter(mode, c.name)
    # Only TCP can reset.
    by_unix = mode != "whole" and c.answer_end != "reset"
    run = w.backend.begin(c.answer, c.answer_end, cut)
    port = "port1" if by_unix else "port"
    with connect(w, port) as s:
        outcome = play.converse(c, s, lambda data: [data])
    assert run.answered.wait(5 * SLOW)
    w.backend.settle()
    bad = play.differences(c, outcome, run)
    assert not bad, "\n".join([c.why, *bad])

    # Whatever came: the next one gets what is its own.
    with connect(w, port) as s:
        s.sendall(play.NEXT)
        seen = play.Client(s, cut).response(False)
    assert (seen.status, seen.body) == (200, b"next"), c.why
    assert (run.next_on == run.connections[-1]) == c.reused, c.why
