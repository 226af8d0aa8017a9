"""Directories as pages and as JSON: what is shown, in which order, to whom."""

import html
import json
import os
import re
import urllib.parse

import pytest

SITE = """
    sites:
      - listen: {port}
        routes:
          - path: /json/*
            strip_prefix: /json
            files: {root: {dir}/www, listing: json}
          - path: /closed/*
            files: {root: {dir}/www}
          - path: /try/*
            strip_prefix: /try
            files:
              root: {dir}/www
              listing: html
              try: [$uri, $uri/, /last.txt]
          - files: {root: {dir}/www, listing: html}
"""
ODD = ["a&b.txt", "<b>.txt", 'quo"te', "it's", "sp ace", "per%cent", "que?ry",
       "ha#sh", "javascript:alert(1)", "nö.txt", "new\nline"]


@pytest.fixture(scope="module")
def w(tmp_path_factory):
    from conftest import Weir
    directory = tmp_path_factory.mktemp("listing")
    w = Weir(directory, SITE)
    www = directory / "www"
    (www / "sub").mkdir(parents=True)
    (www / "closed").mkdir()
    (www / "indexed").mkdir()
    (www / "indexed" / "index.html").write_text("index")
    (www / "odd").mkdir()
    for name in ODD:
        (www / "odd" / name).write_text("x")
    with open(os.fsencode(str(www / "odd")) + b"/\xff.bin", "w"):
        pass
    for name, size, time in (("b.txt", 10, 3), ("a.txt", 3000, 2),
                             ("c.txt", 5 << 20, 1)):
        (www / name).write_bytes(b"x" * size)
        os.utime(www / name, (1e9 + time, 1e9 + time))
    (www / ".hidden").write_text("x")
    (www / "last.txt").write_text("last")
    os.utime(www / "last.txt", (1e9, 1e9))
    os.mkfifo(www / "fifo")
    (www / "in.txt").symlink_to("a.txt")
    os.utime(www / "in.txt", (1e9, 1e9), follow_symlinks=False)
    (www / "out.txt").symlink_to("/etc/passwd")
    (www / "gone.txt").symlink_to("nothing")
    yield w.start()
    w.stop()
    w.check()


def links(page):
    return [html.unescape(h) for h in re.findall(r'<td><a href="([^"]*)"',
                                                 page.body.decode())]


FILES = ["./a.txt", "./b.txt", "./c.txt", "./in.txt", "./last.txt"]
DIRECTORIES = ["./closed/", "./indexed/", "./odd/", "./sub/"]


def test_what_is_shown(w):
    r = w.get("/")
    assert r.status == 200
    assert r.headers["Content-Type"] == "text/html; charset=utf-8"
    assert r.headers["Vary"] == "Accept"
    assert links(r) == DIRECTORIES + FILES
    page = r.body.decode()
    assert "2.9 KiB" in page and "5.0 MiB" in page and "10 B" in page
    assert "2001-09-09 01:46" in page and "<script" not in page


def test_a_directory_below_has_a_way_up(w):
    assert links(w.get("/sub/")) == ["../"]


@pytest.mark.parametrize("query, order", [
    ("sort=name&order=desc", [FILES[i] for i in (4, 3, 2, 1, 0)]),
    ("sort=size", ["./last.txt", "./b.txt", "./a.txt", "./in.txt",
                   "./c.txt"]),
    ("sort=time&order=desc", ["./b.txt", "./in.txt", "./a.txt", "./c.txt",
                              "./last.txt"]),
    ("sort=nothing", FILES)])
def test_columns_sort(w, query, order):
    got = [h for h in links(w.get("/?" + query)) if not h.endswith("/")]
    assert got == order


def test_the_sorted_column_leads_back(w):
    page = w.get("/?sort=size").body.decode()
    assert 'aria-sort="ascending"><a href="?sort=size&amp;order=desc"' in page


def test_every_name_leads_to_its_file(w):
    hrefs = links(w.get("/odd/"))[1:]
    assert len(hrefs) == len(ODD) + 1
    names = set()
    for href in hrefs:
        target = urllib.parse.urljoin("http://x/odd/", href)
        assert target.startswith("http://x/odd/"), href
        if "%0A" in href:   # no path that a request may have
            continue
        r = w.get(target[len("http://x"):])
        assert r.status == 200, href
        names.add(urllib.parse.unquote_to_bytes(href[2:]))
    assert names == {n.encode() for n in ODD if "\n" not in n} | {b"\xff.bin"}


def test_names_are_text_on_the_page(w):
    page = w.get("/odd/").body.decode()
    assert "<b>" not in page and "&lt;b&gt;.txt" in page


def test_json_for_programs(w):
    r = w.get("/json/")
    assert r.headers["Content-Type"] == "application/json"
    entries = json.loads(r.body)
    by_name = {e["name"]: e for e in entries}
    assert by_name["a.txt"] == {
        "name": "a.txt", "url": "./a.txt", "type": "file", "size": 3000,
        "modified": "2001-09-09T01:46:42Z"}
    assert by_name["sub"]["type"] == "directory"
    assert by_name["sub"]["url"] == "./sub/"
    assert ".hidden" not in by_name and "out.txt" not in by_name


def test_json_of_names_that_are_no_text(w):
    entries = json.loads(w.get("/json/odd/").body)
    assert {e["name"] for e in entries} == set(ODD) | {"\ufffd.bin"}


@pytest.mark.parametrize("accept, kind", [
    ("application/json", "application/json"),
    ("text/html;q=0.5, application/json", "application/json"),
    ("text/html, application/json;q=0.9, */*;q=0.8", "text/html"),
    ("*/*", "text/html")])
def test_who_wants_json_gets_it(w, accept, kind):
    r = w.get("/", {"Accept": accept})
    assert r.headers["Content-Type"].split(";")[0] == kind


def test_an_index_goes_before(w):
    assert w.get("/indexed/").body == b"index"


def test_a_directory_without_its_slash_is_redirected(w):
    r = w.get("/sub")
    assert r.status == 301 and r.headers["Location"] == "/sub/"


def test_it_is_the_path_of_the_client_that_gets_a_slash(w):
    r = w.get("/json//sub?a=%2F")
    assert r.status == 301 and r.headers["Location"] == "/json/sub/?a=%2F"


def test_without_listing_it_is_403(w):
    assert w.get("/closed/").status == 403


def test_a_directory_that_is_tried_is_listed(w):
    assert links(w.get("/try/sub/")) == ["../"]
    assert w.get("/try/nothing").body == b"last"


def test_head_has_the_length_of_get(w):
    r = w.request("HEAD", "/")
    assert r.body == b""
    assert int(r.headers["Content-Length"]) == len(w.get("/").body)


def test_a_directory_that_cannot_be_read(w):
    if os.geteuid() == 0:
        assert w.get("/nothing/").status == 404
