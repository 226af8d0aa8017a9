"""Cases: what is sent, what the client may see, what the backend may see.

    == two-lengths: who counts on the first and who on the last differ
    > POST /a HTTP/1.1
    > Host: a
    > Content-Length: 3
    > Content-Length: 4
    >
    >> abc
    < 400 closed
    | (nothing)

A file is a list of cases, and a case is its lines in this order of meaning:

    # text           a remark
    == name: why     begins a case
    > text           the client sends the text and CRLF
    >> text          the client sends the text alone
    > (end)          the client sends FIN
    < 200 kept       the client gets this response, and after it the connection
                     is: kept (the next request is answered), closed (nothing
                     follows, whatever is sent). Without a word: another
                     response follows, or bytes of a tunnel. More words:
                     cut (the client can tell that the body is short),
                     bodiless (it answers a HEAD), late (the reason to close
                     comes behind it, so that it has no Connection: close)
    < closed         the end without a response
    <= text          the body of that response is exactly this
    <: Name: value   it has this field; all of that name are given
    <! Name          it has no such field
    << text          these bytes follow it (of a tunnel)
    | text           the backend gets the text and CRLF
    || text          the backend gets the text alone
    | (nothing)      the backend gets no byte
    | (cut)          whatever else it gets is less than a request

What the client sends after a "<" it sends when that response has come. What the
backend gets is all of it, byte for byte, but for a chunked body: there all of
the content counts as one chunk, because how it was cut is the network's.

In tests/cases/responses the backend's answer is given, and the request may be
left out (it is then a plain GET):

    ! text           the backend answers the text and CRLF
    !! text          the backend answers the text alone
    ! (fin)          and closes; ! (reset) resets
    ^ reused         the next request comes on the same connection
    ^ fresh          it comes on another one

Escapes: \\r \\n \\t \\0 \\s (a blank, at the end of a line) \\\\ \\{ \\} \\xHH, and
{text*3} is the text three times. Anything else that looks like one is an error,
and so are bytes that are not ASCII: a case has one reading, too.
"""

import dataclasses
import pathlib
import re

HERE = pathlib.Path(__file__).resolve().parent
PLAIN = {"r": b"\r", "n": b"\n", "t": b"\t", "0": b"\0", "s": b" ",
         "\\": b"\\", "{": b"{", "}": b"}"}
TOKEN = re.compile(r"\\x([0-9a-fA-F]{2})|\\([rnt0s\\{}])|(\{)|([^\\{}]+)")
TIMES = re.compile(r"(.*)\*(\d+)", re.S)
WORDS = {"kept", "closed", "cut", "bodiless", "late"}
DEFAULT_REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class BadCase(Exception):
    pass


def repeated(text, at):
    """Where a repetition that begins at AT has its "}"."""
    depth = 0
    for m in re.compile(r"\\.|[{}]").finditer(text, at):
        depth += {"{": 1, "}": -1}.get(m[0], 0)
        if depth == 0:
            return m.start()
    raise BadCase("a { without its }")


def unescape(text):
    out, at = b"", 0
    while at < len(text):
        m = TOKEN.match(text, at)
        if not m:
            raise BadCase("what does %r mean?" % text[at:at + 4])
        code, plain, brace, literal = m.groups()
        at = m.end()
        if code:
            out += bytes.fromhex(code)
        elif plain:
            out += PLAIN[plain]
        elif literal:
            out += literal.encode("ascii")
        elif brace:
            end = repeated(text, at - 1)
            times = TIMES.fullmatch(text[at:end])
            if not times:
                raise BadCase("{text*3}, not {%s}" % text[at:end])
            out += unescape(times[1]) * int(times[2])
            at = end + 1
    return out


@dataclasses.dataclass
class Send:
    data: bytes


@dataclasses.dataclass
class End:
    """The client's FIN."""


@dataclasses.dataclass
class Tunnel:
    data: bytes


@dataclasses.dataclass
class Expect:
    status: int  # 0: no response at all
    words: set
    body: bytes = None
    fields: list = dataclasses.field(default_factory=list)
    absent: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Case:
    name: str
    why: str
    steps: list = dataclasses.field(default_factory=list)
    backend: bytes = b""
    may_cut: bool = False
    says_backend: bool = False
    answer: bytes = None
    answer_end: str = ""
    reused: bool = None

    @property
    def expects(self):
        return [s for s in self.steps if isinstance(s, Expect)]

    @property
    def sends_end(self):
        return any(isinstance(s, End) for s in self.steps)

    @property
    def is_kept(self):
        return "kept" in self.expects[-1].words


def last_expect(case):
    if not case.steps or not isinstance(case.steps[-1], Expect):
        raise BadCase("this belongs to a response, after its '<'")
    return case.steps[-1]


def send(case, data):
    if case.steps and isinstance(case.steps[-1], Send):
        case.steps[-1].data += data
    else:
        case.steps.append(Send(data))


def read_client(case, mark, text):
    if mark == ">" and text == "(end)":
        case.steps.append(End())
    elif mark == ">":
        send(case, unescape(text) + b"\r\n")
    elif mark == ">>":
        send(case, unescape(text))
    elif mark == "<":
        status, *words = text.split()
        if status == "closed":
            status, words = "0", ["closed"]
        if not set(words) <= WORDS or not re.fullmatch(r"0|\d{3}", status):
            raise BadCase("a status, and of %s" % ", ".join(sorted(WORDS)))
        case.steps.append(Expect(int(status), set(words)))
    elif mark == "<=":
        last_expect(case).body = unescape(text)
    elif mark == "<:":
        name, value = unescape(text).split(b": ", 1)
        last_expect(case).fields.append((name, value))
    elif mark == "<!":
        last_expect(case).absent.append(unescape(text))
    elif mark == "<<":
        case.steps.append(Tunnel(unescape(text)))
    else:
        return False
    return True


def read_backend(case, mark, text):
    if mark in ("|", "||"):
        case.says_backend = True
        if text == "(cut)":
            case.may_cut = True
        elif text != "(nothing)":
            case.backend += unescape(text) + (b"\r\n" if mark == "|" else b"")
    elif mark in ("!", "!!"):
        case.answer = case.answer or b""
        if text in ("(fin)", "(reset)"):
            case.answer_end = text[1:-1]
        else:
            case.answer += unescape(text) + (b"\r\n" if mark == "!" else b"")
    elif mark == "^" and text in ("reused", "fresh"):
        case.reused = text == "reused"
    else:
        return False
    return True


def check(case, is_response):
    """A case that forgets to say something would test less than it seems."""
    if is_response and (case.answer is None or case.reused is None):
        raise BadCase("what the backend answers, and whether it is used again")
    if not is_response and (case.answer is not None or not case.says_backend):
        raise BadCase("what the backend gets, and no answer")
    if is_response and not any(isinstance(s, Send) for s in case.steps):
        case.steps.insert(0, Send(DEFAULT_REQUEST))
    if not case.expects:
        raise BadCase("what the client gets")
    *others, last = case.expects
    if any(e.words & {"kept", "closed", "cut"} for e in others):
        raise BadCase("only the last response can say how it ends")
    if not last.words & {"kept", "closed", "cut"} and last.status != 101:
        raise BadCase("how it ends")


def read_line(case, line):
    if line != line.rstrip() or "\t" in line:
        raise BadCase("blanks at the end, or tabs: write \\s and \\t")
    mark, _, text = line.partition(" ")
    if not (read_client(case, mark, text) or read_backend(case, mark, text)):
        raise BadCase("a line begins with one of > < | ! ^ == #")


def parse(text, is_response, where=""):
    cases, names = [], set()
    number = 0
    try:
        for number, line in enumerate(text.split("\n"), 1):
            m = re.fullmatch(r"== ([a-z0-9-]+): (\S.*)", line)
            if m:
                if cases:
                    check(cases[-1], is_response)
                if m[1] in names:
                    raise BadCase("there is another %s" % m[1])
                names.add(m[1])
                cases.append(Case(m[1], m[2]))
            elif line and not line.startswith("#"):
                if not cases:
                    raise BadCase("before the first ==")
                read_line(cases[-1], line)
        if cases:
            check(cases[-1], is_response)
    except (BadCase, ValueError) as e:
        raise BadCase("%s:%d: %s" % (where, number, e)) from None
    return cases


def load(kind):
    """[(topic, case)] of all files of "requests" or "responses"."""
    found = []
    for path in sorted((HERE / kind).glob("*.case")):
        text = path.read_text(encoding="ascii")
        cases = parse(text, kind == "responses", path.name)
        found += [(path.stem, case) for case in cases]
    return found
