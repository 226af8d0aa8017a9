"""Files over the wire: lookup, conditions, ranges, containment, freshness."""

import email.utils
import hashlib
import os
import pathlib
import re
import socket
import subprocess
import time

import pytest

from conftest import SLOW, wait_until

SITE = """
    sites:
      - listen: {port}
        routes:
          - path: /try/*
            files: {root: {dir}/www, try: [$uri, "$uri.html", /index.html]}
          - path: /only/*
            files: {root: {dir}/www, try: [$uri, =404]}
          - path: /links-never/*
            files: {root: {dir}/www, symlinks: never}
          - path: /links-always/*
            files: {root: {dir}/www, symlinks: always}
          - files: {root: {dir}/www, types: {md: text/markdown}}
"""

MIB = 1 << 20


@pytest.fixture
def w(weir):
    w = weir(SITE, start=False)
    www = w.dir / "www"
    www.mkdir()
    (www / "index.html").write_text("<p>home</p>")
    (www / "a.txt").write_text("0123456789")
    (www / "empty").write_text("")
    (www / "notes.md").write_text("# notes")
    (www / "sub").mkdir()
    (www / "sub" / "index.html").write_text("sub")
    (www / "bare").mkdir()
    (www / "sp ace.txt").write_text("space")
    (www / "big.bin").write_bytes(os.urandom(3 * MIB + 17))
    for name in "try", "only", "links-never", "links-always":
        (www / name).mkdir()
    (www / "try" / "page.html").write_text("page")
    (w.dir / "secret.txt").write_text("secret")
    (www / "inside.txt").symlink_to("a.txt")
    (www / "outside.txt").symlink_to("../secret.txt")
    (www / "absolute.txt").symlink_to(www / "a.txt")
    for name in "links-never", "links-always":
        (www / name / "in.txt").symlink_to("../a.txt")
        (www / name / "out.txt").symlink_to("../../secret.txt")
    old = time.time() - 3600
    for path in www.rglob("*"):
        os.utime(path, (old, old), follow_symlinks=False)
    return w.start()


# ---- lookup


def test_file_and_its_fields(w):
    r = w.get("/a.txt")
    assert r.status == 200 and r.body == b"0123456789"
    assert r.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert r.headers["Content-Length"] == "10"
    assert r.headers["Accept-Ranges"] == "bytes"
    assert re.fullmatch(r'"[^"]+"', r.headers["ETag"])
    assert email.utils.parsedate_to_datetime(r.headers["Last-Modified"])


@pytest.mark.parametrize("path, status, body", [
    ("/", 200, b"<p>home</p>"),
    ("/index.html", 200, b"<p>home</p>"),
    ("/sub/", 200, b"sub"),
    ("/./sub/../a.txt", 200, b"0123456789"),
    ("//a.txt", 200, b"0123456789"),
    ("/sp%20ace.txt", 200, b"space"),
    ("/%61.txt", 200, b"0123456789"),
    ("/empty", 200, b""),
    ("/none", 404, None),
    ("/a.txt/", 404, None),
    ("/a.txt/x", 404, None),
    ("/bare/", 403, None),
    ("/try/page", 200, b"page"),
    ("/try/other", 200, b"<p>home</p>"),
    ("/only/other", 404, None),
])
def test_lookup(w, path, status, body):
    r = w.get(path)
    assert r.status == status
    if body is not None:
        assert r.body == body


def test_directory_without_slash_is_redirected(w):
    r = w.get("/sub?x=1")
    assert r.status == 301
    assert r.headers["Location"].endswith("/sub/?x=1")


def test_types(w):
    assert w.get("/notes.md").headers["Content-Type"].startswith(
        "text/markdown")
    assert w.get("/big.bin").headers["Content-Type"] == \
        "application/octet-stream"


@pytest.mark.parametrize("method, status", [
    ("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405),
    ("PATCH", 405), ("BREW", 501), ("get", 501)])
def test_methods(w, method, status):
    r = w.request(method, "/a.txt")
    assert r.status == status
    if method == "HEAD":
        assert r.body == b"" and r.headers["Content-Length"] == "10"
    else:
        assert (r.headers["Allow"] is None) == (status == 501)


# ---- containment


@pytest.mark.parametrize("path", [
    "/../secret.txt", "/sub/../../secret.txt", "/%2e%2e/secret.txt",
    "/..%2fsecret.txt", "/%2e%2e%2fsecret.txt", "/sub/..%5c..%5csecret.txt",
    "/..;/secret.txt", "/%252e%252e/secret.txt", "/a.txt%00.html",
    "/%c0%ae%c0%ae/secret.txt", "/outside.txt", "/absolute.txt",
])
def test_nothing_leaves_the_root(w, path):
    data = w.raw(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" %
                 path.encode())
    assert data.split()[1] in (b"400", b"403", b"404"), data
    assert b"secret" not in data.partition(b"\r\n\r\n")[2]


def test_symlinks(w):
    assert w.get("/inside.txt").text == "0123456789"
    assert w.get("/links-never/in.txt").status == 403
    assert w.get("/links-always/out.txt").text == "secret"


# ---- conditions


def conditional(w, path="/a.txt", method="GET", **fields):
    headers = {k.replace("_", "-"): v for k, v in fields.items()}
    return w.request(method, path, headers)


def test_validators(w):
    first = w.get("/a.txt")
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    earlier = email.utils.formatdate(time.time() - 7200, usegmt=True)

    assert conditional(w, If_None_Match=tag).status == 304
    assert conditional(w, If_None_Match="W/" + tag).status == 304
    assert conditional(w, If_None_Match='"x", ' + tag).status == 304
    assert conditional(w, If_None_Match="*").status == 304
    assert conditional(w, If_None_Match='"x"').status == 200
    assert conditional(w, If_Modified_Since=date).status == 304
    assert conditional(w, If_Modified_Since=earlier).status == 200
    # If-None-Match decides alone (RFC 9110 section 13.2.2).
    assert conditional(w, If_None_Match='"x"',
                       If_Modified_Since=date).status == 200
    assert conditional(w, If_Match=tag).status == 200
    assert conditional(w, If_Match='"x"').status == 412
    assert conditional(w, If_Match="W/" + tag).status == 412
    assert conditional(w, If_Unmodified_Since=date).status == 200
    assert conditional(w, If_Unmodified_Since=earlier).status == 412
    not_modified = conditional(w, If_None_Match=tag)
    assert not_modified.headers["ETag"] == tag
    assert not_modified.body == b""


# ---- ranges


@pytest.mark.parametrize("value, body, content_range", [
    ("bytes=0-3", b"0123", "bytes 0-3/10"),
    ("bytes=5-", b"56789", "bytes 5-9/10"),
    ("bytes=-3", b"789", "bytes 7-9/10"),
    ("bytes=0-100", b"0123456789", "bytes 0-9/10"),
    ("bytes=9-9", b"9", "bytes 9-9/10"),
    ("bytes=20-30,1-2", b"12", "bytes 1-2/10"),
])
def test_single_range(w, value, body, content_range):
    r = conditional(w, Range=value)
    assert r.status == 206 and r.body == body
    assert r.headers["Content-Range"] == content_range


@pytest.mark.parametrize("value", [
    "bytes=3-1", "bytes=a-b", "lines=1-2", "bytes=", "bytes 0-3",
    "bytes=" + ",".join("0-9" for _ in range(100))])
def test_ranges_that_are_ignored(w, value):
    r = conditional(w, Range=value)
    assert r.status == 200 and r.body == b"0123456789"


def test_range_beyond_the_end(w):
    r = conditional(w, Range="bytes=10-")
    assert r.status == 416 and r.headers["Content-Range"] == "bytes */10"


def test_several_ranges(w):
    r = conditional(w, Range="bytes=0-1,4-5,-1")
    assert r.status == 206
    boundary = re.fullmatch(r"multipart/byteranges; boundary=(\S+)",
                            r.headers["Content-Type"]).group(1)
    parts = r.body.split(b"--" + boundary.encode())
    assert parts[0] == b"" and parts[-1] == b"--\r\n"
    found = [(re.search(rb"(?i)content-range: (.*?)\r\n", p).group(1),
              p.partition(b"\r\n\r\n")[2][:-2]) for p in parts[1:-1]]
    assert found == [(b"bytes 0-1/10", b"01"), (b"bytes 4-5/10", b"45"),
                     (b"bytes 9-9/10", b"9")]


def test_if_range(w):
    tag = w.get("/a.txt").headers["ETag"]
    assert conditional(w, Range="bytes=0-0", If_Range=tag).status == 206
    assert conditional(w, Range="bytes=0-0", If_Range='"x"').status == 200
    assert conditional(w, Range="bytes=0-0",
                       If_Range="W/" + tag).status == 200


# ---- large files, and files that change


def test_large_file_is_whole(w):
    r = w.get("/big.bin")
    expected = (w.dir / "www" / "big.bin").read_bytes()
    assert hashlib.sha256(r.body).digest() == hashlib.sha256(expected).digest()
    r = conditional(w, "/big.bin", Range="bytes=1048570-2097160")
    assert r.body == expected[1048570:2097161]


def slow_reader(w):
    """A small window. The segments are small as well: with the loopback's of
    64 KiB the kernel would send only when its probe timer says so."""
    s = socket.socket()
    s.settimeout(20 * SLOW)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    s.connect(("127.0.0.1", w.port))
    return s


def test_slow_reader_gets_all_of_it(w):
    expected = (w.dir / "www" / "big.bin").read_bytes()
    with slow_reader(w) as s:
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: x\r\n"
                  b"Connection: close\r\n\r\n")
        got = bytearray()
        while True:
            part = s.recv(70000)
            if not part:
                break
            got += part
            if len(got) % 7 == 0:
                time.sleep(0.001)
    assert bytes(got.partition(b"\r\n\r\n")[2]) == expected


def test_change_is_seen_within_a_second(w):
    path = w.dir / "www" / "a.txt"
    old = w.get("/a.txt")
    path.write_text("new content")
    wait_until(lambda: w.get("/a.txt").text == "new content", 3)
    assert w.get("/a.txt").headers["ETag"] != old.headers["ETag"]
    path.unlink()
    wait_until(lambda: w.get("/a.txt").status == 404, 3)
    path.write_text("again")
    wait_until(lambda: w.get("/a.txt").text == "again", 3)


def test_file_that_shrinks_is_cut_visibly(w):
    path = w.dir / "www" / "shrinks.bin"
    path.write_bytes(b"x" * (64 * MIB))
    with slow_reader(w) as s:
        s.sendall(b"GET /shrinks.bin HTTP/1.1\r\nHost: x\r\n\r\n")
        head = s.recv(4096)
        assert b"Content-Length: %d" % (64 * MIB) in head
        os.truncate(path, 1000)
        got = len(head)
        try:
            while True:
                part = s.recv(1 << 20)
                if not part:
                    break
                got += len(part)
        except ConnectionResetError:
            pass
    assert got < 64 * MIB
    assert w.get("/").status == 200


def test_special_files_do_not_block(w):
    os.mkfifo(w.dir / "www" / "fifo")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(w.dir / "www" / "sock"))
    began = time.monotonic()
    assert w.get("/fifo").status == 404
    assert w.get("/sock").status == 404
    assert time.monotonic() - began < 2 * SLOW


def test_tree_of_real_files(weir):
    """The machine's own documentation, compared with what is on the disk."""
    w = weir("""
        sites:
          - listen: {port}
            routes: [{files: {root: /usr/share/doc, symlinks: always}}]
    """)
    root = pathlib.Path("/usr/share/doc")
    files = sorted(p for p in root.rglob("*")
                   if p.is_file() and not p.is_symlink())[:400]
    assert len(files) > 50
    urls = "".join('url = "%s"\noutput = "%s"\n' % (
        w.url("/" + str(p.relative_to(root)).replace("%", "%25")
              .replace("#", "%23").replace("?", "%3F").replace(" ", "%20")),
        w.dir / str(i)) for i, p in enumerate(files))
    done = subprocess.run(["curl", "-sf", "--path-as-is", "-K", "-"],
                          input=urls, text=True, timeout=60 * SLOW)
    assert done.returncode == 0
    for i, p in enumerate(files):
        assert (w.dir / str(i)).read_bytes() == p.read_bytes(), p
