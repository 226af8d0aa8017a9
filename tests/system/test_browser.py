"""The quickstart page in a real browser, over HTTPS, as a newcomer sees it."""

import pathlib
import re
import shutil
import subprocess

import pytest

from conftest import ROOT, SLOW


def browse(url, directory, *args):
    chromium = shutil.which("chromium")
    assert chromium, "chromium is missing; make check installs it"
    return subprocess.run(
        [chromium, "--headless", "--no-sandbox", "--disable-gpu",
         "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update",
         "--disable-dev-shm-usage", "--ignore-certificate-errors",
         "--user-data-dir=%s" % directory, "--virtual-time-budget=5000",
         *args, url],
        capture_output=True, text=True, timeout=120 * SLOW,
        stdin=subprocess.DEVNULL)


@pytest.fixture
def w(weir):
    """conf/quickstart.yaml on free ports."""
    text = (ROOT / "conf" / "quickstart.yaml").read_text()
    for was, name in ((r"\b8080\b", "{port}"), (r"\b8443\b", "{port1}"),
                      (r"\b8081\b", "{port2}"), (r"\b9180\b", "{port3}")):
        text = re.sub(was, name, text)
    text = text.replace("files: welcome",
                        "files: %s" % (ROOT / "conf" / "welcome"))
    text = text.replace("access_log: stdout",
                        "access_log: {to: {dir}/access.log, buffer: 0}")
    return weir(re.sub(r"(?m)^workers:.*$", "workers: 1", text))


def test_welcome_page_over_https(w, tmp_path):
    shot = tmp_path / "page.png"
    url = w.url("/", "port1", "https").replace("127.0.0.1", "localhost")
    page = browse(url, tmp_path / "profile", "--dump-dom")
    assert "Weir is running" in page.stdout, page.stderr
    browse(url, tmp_path / "profile2", "--screenshot=%s" % shot,
           "--window-size=900,700")
    assert shot.stat().st_size > 5000
    log = w.access_log()
    for path in "/", "/style.css", "/weir.svg":
        assert re.search(r'"GET %s HTTP/2\.0" 200' % re.escape(path), log), log


def test_demo_upstream(w, tmp_path):
    page = browse(w.url("/demo/hello"), tmp_path / "profile", "--dump-dom")
    assert "Hello from the demo upstream" in page.stdout, page.stderr
    assert "127.0.0.1" in page.stdout
