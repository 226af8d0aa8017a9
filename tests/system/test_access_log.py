"""The access log: formats, buffering, what is said of failures."""

import json
import re
import signal

from conftest import wait_until

SITE = """
    access_log: {to: {dir}/access.log, %s}
    upstreams:
      dead: {servers: ["127.0.0.1:{port9}"]}
    sites:
      - hosts: [log.example]
        default: on
        listen: {port}
        routes:
          - path: /dead
            proxy: dead
          - path: /quiet
            access_log: off
            respond: 204
          - respond: {body: "ok\\n"}
"""


def line(w):
    return wait_until(lambda: w.access_log())


def test_combined(weir):
    w = weir(SITE % "buffer: 0")
    w.get("/x?y=1", {"User-Agent": 'say "hi"\x85', "Referer": "http://r/"})
    assert re.fullmatch(
        r'127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
        r'"GET /x\?y=1 HTTP/1\.1" 200 3 "http://r/" '
        r'"say \\x22hi\\x22\\x85"\n', line(w))


def test_common(weir):
    w = weir(SITE % "format: common, buffer: 0")
    w.get("/")
    assert re.fullmatch(r'127\.0\.0\.1 - - \[.*\] "GET / HTTP/1\.1" 200 3\n',
                        line(w))


def test_json(weir):
    w = weir(SITE % "format: json, buffer: 0")
    w.get('/a"b', {"Host": "log.example", "User-Agent": "caf\xe9"})
    w.get("/dead")
    entry, dead = [json.loads(x) for x in
                   wait_until(lambda: w.access_log().count("\n") == 2 and
                              w.access_log()).splitlines()]
    assert entry["status"] == 200 and entry["host"] == "log.example"
    assert isinstance(entry["request_time"], float)
    assert dead["status"] == 502
    assert dead["upstream_name"] == "dead"
    assert dead["upstream_phase"] == "connect"
    assert dead["upstream_cause"] == "refused"
    assert dead["upstream_attempts"] == 1


def test_own_format(weir):
    formats = "    log_formats: {brief: '$request_method $uri $status $$'}"
    w = weir(formats + SITE % "format: brief, buffer: 0")
    w.get("/%61")
    assert line(w) == "GET /a 200 $\n"


def test_off_for_one_route(weir):
    w = weir(SITE % "format: '$uri', buffer: 0")
    w.get("/quiet")
    w.get("/loud")
    assert line(w) == "/loud\n"


def test_buffer_is_flushed_in_time(weir):
    w = weir(SITE % "format: '$uri', buffer: 64k, flush: 300ms")
    w.get("/1")
    w.get("/2")
    assert w.access_log() == ""
    assert line(w) == "/1\n/2\n"


def test_buffer_is_flushed_at_the_end(weir):
    w = weir(SITE % "format: '$uri', buffer: 64k, flush: 1h")
    for i in range(5):
        w.get("/%d" % i)
    assert w.access_log() == ""
    w.stop(signal.SIGTERM)
    assert w.access_log() == "/0\n/1\n/2\n/3\n/4\n"


def test_lines_of_workers_do_not_mix(weir):
    w = weir("    workers: 3" + SITE % "format: '$arg_id $arg_pad', buffer: 0")
    pad = "x" * 700
    for i in range(300):
        w.get("/?id=%d&pad=%s" % (i, pad))
    wait_until(lambda: w.access_log().count("\n") == 300)
    lines = w.access_log().splitlines()
    assert {int(x.split()[0]) for x in lines} == set(range(300))
    assert all(x.split()[1] == pad for x in lines)


def test_refusals_have_their_word(weir):
    w = weir(SITE % "format: '$status $reason', buffer: 0")
    w.raw(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    assert line(w) == "400 many_hosts\n"


def test_requests_cannot_forge_lines(weir):
    w = weir(SITE % "format: '$http_user_agent|$args', buffer: 0")
    w.get("/?a=%0ab", {"User-Agent": "x\ty\x85z"})
    assert line(w) == "x\\x09y\\x85z|a=%0ab\n"


def test_full_disk_loses_lines_not_requests(weir):
    w = weir("""
        admin: 127.0.0.1:{port1}
        access_log: {to: /dev/full, buffer: 4k}
        sites: [{listen: {port}, routes: [{respond: 204}]}]
    """)
    for _ in range(200):
        assert w.get().status == 204
    metrics = w.get("/metrics", port="port1").text
    lost = re.search(r"^weir_access_log_lost\w* (\d+)$", metrics, re.M)
    assert 0 < int(lost.group(1)) <= 200


def test_directory_is_missing(weir):
    w = weir("""
        access_log: {dir}/none/access.log
        sites: [{listen: {port}, routes: [{respond: 204}]}]
    """, start=False)
    done = w.command()
    assert done.returncode == 3
    assert "none/access.log" in done.stderr
    assert "does not exist" in done.stderr
