"""What happens when there are more clients than descriptors."""

import os
import pathlib
import stat
import sys
import time

import pytest

import conftest
from conftest import SLOW, WEIR, wait_until
from load import Connection, Failed

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "backends"))

from rawbackend import RawBackend, Reply, ok  # noqa: E402

FILES = 128
CLIENTS = 2 * FILES


def start(weir, text, monkeypatch, tmp_path):
    """As conftest's, with FILES descriptors for each process, for good."""
    script = tmp_path / "few-files"
    script.write_text('#!/bin/sh\nulimit -n %d\nexec "%s" "$@"\n' %
                      (FILES, WEIR))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    w = weir(text, start=False)
    monkeypatch.setattr(conftest, "WEIR", str(script))
    return w.start()


def cpu_seconds(pid):
    fields = pathlib.Path("/proc/%d/stat" % pid).read_text() \
        .rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker_of(w):
    return int(w.get().headers["X-Worker"])


def ask_all(connections):
    """Those that were answered."""
    served = []
    for c in connections:
        try:
            c.ask()
            served.append(c)
        except (OSError, Failed):
            c.close()
    return served


@pytest.mark.parametrize("handler", ["respond: {body: here}",
                                     'proxy: "http://127.0.0.1:{port1}"'])
def test_more_clients_than_descriptors(weir, monkeypatch, tmp_path, handler):
    w = start(weir, """
        workers: 1
        sites:
          - listen: {port}
            response_headers: {set: {X-Worker: "$pid"}}
            http: {keepalive_timeout: 600s}
            routes:
              - {path: /, %s}
    """ % handler, monkeypatch, tmp_path)
    with RawBackend([Reply(ok())], port=w.port_of("port1")):
        worker = worker_of(w)
        served = ask_all([Connection(w, timeout=2) for _ in range(FILES // 4)])
        assert len(served) == FILES // 4

        # The crowd comes: who was there goes on, the rest waits or is shed.
        crowd = [Connection(w, timeout=0.05) for _ in range(CLIENTS)]
        late = ask_all(crowd[:FILES])
        assert len(late) < FILES
        assert ("connections are all that the limit of open files allows"
                in w.log())
        assert len(ask_all(served)) == len(served)
        began = cpu_seconds(worker)
        time.sleep(1)
        assert cpu_seconds(worker) - began < 0.1 * SLOW
        assert len(ask_all(served)) == len(served)

        # They leave, and all is as before, once the queue has been looked
        # through for those who gave up waiting.
        for c in served + crowd:
            c.close()

        def is_as_before():
            fresh = [Connection(w, timeout=2) for _ in range(FILES // 4)]
            served = ask_all(fresh)
            for c in served:
                c.close()
            return len(served) == len(fresh)

        wait_until(is_as_before, 2, every=0.1)
        assert is_as_before()
        assert worker_of(w) == worker
