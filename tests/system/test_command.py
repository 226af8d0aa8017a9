"""The command line: -t, -T, -s, -v, -V, --schema, --man, -g, -p."""

import json
import os
import re
import signal
import subprocess

import pytest

from conftest import WEIR, wait_until

SITE = """
    sites:
      - listen: {port}
        routes: [{respond: {body: "one\\n"}}]
"""


def run(*args, **kw):
    return subprocess.run([WEIR, *args], capture_output=True, text=True,
                          timeout=60, stdin=subprocess.DEVNULL, **kw)


def test_version():
    done = run("-v")
    assert done.returncode == 0 and done.stdout.startswith("weir ")
    done = run("-V")
    assert done.returncode == 0
    for word in "OpenSSL", "PCRE2", "libyaml", "configured":
        assert word in done.stdout
    try:
        with open("/proc/sys/net/ipv4/tcp_available_ulp") as f:
            has_kernel_tls = "tls" in f.read().split()
    except OSError:
        has_kernel_tls = False
    said = re.search(r"^kTLS: (.*)$", done.stdout, re.M).group(1)
    assert ("the kernel lists no tls" in said) == (not has_kernel_tls)


@pytest.mark.parametrize("args", [
    ["-x"], ["extra"], ["-s", "restart"], ["-c"], ["--format", "xml", "-t"],
    ["--daemon=yes"], ["--format", "json"], ["--strict"], ["--format"]])
def test_bad_usage(args):
    done = run(*args)
    assert done.returncode == 2
    # One line, which names what is wrong.
    assert done.stderr.startswith("weir: ") and done.stderr.count("\n") == 1
    assert args[-1] in done.stderr or args[0] in done.stderr


def test_no_configuration(tmp_path):
    path = str(tmp_path / "none.yaml")
    done = run("-c", path)
    assert done.returncode == 1
    assert done.stderr == ("weir: cannot read the configuration %s: "
                           "no such file or directory\n" % path)


def test_signal_without_a_configuration(tmp_path):
    path = str(tmp_path / "none.yaml")
    done = run("-c", path, "-s", "reload")
    assert done.returncode == 1
    assert path in done.stderr and "no such file" in done.stderr
    assert "pid file" in done.stderr


def test_schema_is_json_schema():
    schema = json.loads(run("--schema").stdout)
    assert "2020-12" in schema["$schema"]
    top = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    assert "sites" in top["properties"] and top["required"] == ["sites"]


def test_manual_formats():
    page = run("--man").stdout
    done = subprocess.run(["groff", "-mdoc", "-Tutf8", "-ww", "-z"],
                          input=page, capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
    for word in "keepalive_timeout", "$remote_addr", "upstreams":
        assert word in page


def test_test_beside_a_running_master(weir):
    def files():
        """But the verdict on the start, which may be on its way still."""
        return sorted(name for name in os.listdir(w.dir)
                      if not name.startswith("weir.pid.verdict"))

    w = weir(SITE)
    before = files()
    done = w.command("-t")
    assert done.returncode == 0 and "good" in done.stderr
    assert files() == before
    assert w.get().text == "one\n"


def test_test_as_json(weir):
    w = weir("sitess: 1\n", start=False)
    done = w.command("-t", "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["errors"] >= 1
    unknown = [d for d in found["diagnostics"] if d["code"] == "unknown-key"]
    assert len(unknown) == 1 and unknown[0]["line"] > 0


def test_strict_makes_warnings_fail(weir):
    w = weir(SITE + '    upstreams: {idle: {servers: ["127.0.0.1:1"]}}\n',
             start=False)
    assert w.command("-t").returncode == 0
    assert w.command("-t", "--strict").returncode == 1


def test_effective_configuration_loads_again(weir, tmp_path):
    w = weir(SITE, start=False)
    first = w.command("-T")
    assert first.returncode == 0 and "# default" in first.stdout
    again = tmp_path / "again.yaml"
    again.write_text(first.stdout)
    second = run("-T", "-c", str(again))

    def values(text):
        return [line.split("#")[0].rstrip() for line in text.splitlines()]
    assert values(second.stdout) == values(first.stdout)


def test_override(weir):
    w = weir(SITE, start=False)
    out = w.command("-T", "-g", "threads: 2").stdout
    assert "threads: 2" in out
    done = w.command("-t", "-g", "thread: 2")
    assert done.returncode == 1 and "did you mean" in done.stderr


def test_prefix(weir):
    w = weir(SITE, start=False)
    done = run("-t", "-p", str(w.dir), "-c", "weir.yaml")
    assert done.returncode == 0


def test_missing_file():
    done = run("-t", "-c", "/nonexistent/weir.yaml")
    assert done.returncode == 1 and "/nonexistent/weir.yaml" in done.stderr


def test_signal_without_a_master(weir):
    w = weir(SITE, start=False)
    done = w.command("-s", "reload")
    assert done.returncode == 4 and "no master is running" in done.stderr


@pytest.mark.parametrize("word", ["stop", "quit"])
def test_stop_and_quit_wait(weir, word):
    w = weir(SITE)
    assert w.command("-s", word).returncode == 0
    wait_until(lambda: w.process.poll() is not None, 2)
    assert w.process.returncode == 0


def test_reload_gives_the_verdict(weir):
    w = weir(SITE)
    assert w.reload(SITE.replace("one", "two")).returncode == 0
    assert w.get().text == "two\n"
    done = w.reload(SITE.replace("respond", "respnod"))
    assert done.returncode == 1 and "did you mean" in done.stderr
    assert w.get().text == "two\n"


def test_address_in_use(weir):
    w = weir(SITE)
    other = weir(SITE, start=False)
    other.ports = dict(w.ports)
    other.write(SITE)
    done = other.command("-g", "pid_file: %s/other.pid" % other.dir)
    assert done.returncode == 3 and "address already in use" in done.stderr


def test_environment_and_files_in_values(weir):
    w = weir("""
        sites:
          - listen: {port}
            routes:
              - path: /env
                respond: {body: "${env:GREETING}"}
              - respond: {body: "${file:text.txt}"}
    """, start=False, env={"GREETING": "hello from env"})
    (w.dir / "text.txt").write_text("from a file")
    w.start()
    assert w.get("/env").text == "hello from env"
    assert w.get("/").text == "from a file"


def test_signal_names_are_nginxs(weir):
    w = weir(SITE)
    w.process.send_signal(signal.SIGHUP)
    wait_until(lambda: "generation 2 serves" in w.log())
    assert w.get().text == "one\n"
