"""Transfers of random sizes, calm and in a storm. `make torture` runs the
same with ten thousand (WEIR_TRANSFERS, WEIR_SEED)."""

import os

import transfers
from conftest import wait_until
from transfers import Backend, Transfers

COUNT = int(os.environ.get("WEIR_TRANSFERS", "300"))
SEED = os.environ.get("WEIR_SEED", "1")


def test_every_byte_arrives(weir):
    with Backend() as backend:
        w = weir(transfers.SITE % backend.address)
        r = Transfers(w, COUNT, SEED).run()
    assert (r.wrong, r.failed) == ([], [])
    assert r.done == COUNT and r.resent == 0


def test_every_byte_arrives_through_reloads(weir):
    with Backend() as backend:
        w = weir(transfers.SITE % backend.address)
        storm, told = transfers.storm_of(w, None, SEED, every=0.1, kills=0)
        r = Transfers(w, COUNT, SEED).run(storm)
    assert (r.wrong, r.failed) == ([], [])
    assert r.done == COUNT and told["reloads"] > 0
    assert r.resent < COUNT / 20


def test_every_byte_arrives_or_the_client_knows(weir):
    with Backend() as backend:
        w = weir(transfers.SITE % backend.address)
        storm, told = transfers.storm_of(w, lambda: transfers.workers_of(w),
                                         SEED, every=0.15)
        r = Transfers(w, COUNT, SEED).run(storm)
        print("%d transfers, %d bytes, %d failures that were seen, %d sent "
              "again, %s" % (r.done, r.bytes, len(r.failed), r.resent, told))
        assert r.wrong == [], "seed %s" % SEED
        # A killed worker takes along what it had, and no more.
        assert r.done > COUNT / 2
        assert told["reloads"] > 0
        # It ends as calm as it began.
        wait_until(lambda: len(w.children()) == 3, 30)
        after = Transfers(w, 20, SEED, clients=4).run()
    assert (after.wrong, after.failed) == ([], [])
