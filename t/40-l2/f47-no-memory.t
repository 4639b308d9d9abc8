#!/usr/bin/env python3
"""F-47: any one allocation of a worker fails amid look-ups, stores, locks, purges: no crash, no wrong byte, nothing kept."""
import os, pathlib, random, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from no_memory import NoMemory
import l2

TRIES = int(os.environ.get("STRATA_ALLOCATIONS") or 60)      # make no-memory: each of them
SIZE = {"a": 1000, "big": 600_000, "vary": 2000, "zip": 20_000, "chunked": 90_000}
LOCK_S = 2                         # what nobody renews is gone by then

if BINARY != "/usr/sbin/nginx":
    skip_all("a sanitizer has an allocator of its own")

with scenario(100 + TRIES) as t:
    rng = rnd()
    origin = t.origin()
    slow = threading.Event()

    def body(path):
        return text(path, SIZE.get(path.rsplit("/", 1)[1], 500))

    @origin.route("/*")
    def _(req):
        name = req.path.rsplit("/", 1)[1]
        if name == "slow":
            slow.wait(0.2)
        return Reply(body(req.path), cc="private" if name == "private" else "max-age=600",
                     headers=[("ETag", '"1"'), *([("Vary", "X-L")] if name == "vary" else [])],
                     chunked=name == "chunked")

    redis = l2.server(t)
    memory = t.keep(NoMemory())
    common = dict(n=1, workers=1, zone="z 64m")
    location = "strata_lock cluster; strata_purge on; strata_l2_compress zstd; proxy_buffers 16 8k;"
    b, = l2.gateways(t, origin, redis, location, **common)
    a, = l2.gateways(t, origin, redis, location, **common, **memory.options())
    a.allowed += [r"failed \(12: ", "strata", "worker_connections"]
    pid, = a.workers()
    memory.watch(pid)
    wrong, statuses = [], {}

    def ask(path, **kw):
        """One request; what it says must be true, or an error."""
        r = a.request(path, timeout=8, **kw)
        statuses[r.status] = statuses.get(r.status, 0) + 1
        want = body(path)[10:50] if r.status == 206 else body(path)
        if r.status in (200, 206) and kw.get("method", "GET") == "GET" and r.complete \
                and r.body != want:
            wrong.append(f"{path}: other bytes")
        if r.error in ("timeout", "TimeoutError"):
            wrong.append(f"{path}: no answer")
        return r

    def prepare(i):
        for name in "b", "big", "zip", "vary":
            b.get(f"/{i}/l2/{name}")
        b.quiet()
        wait_until(lambda: b.count("l2_queued") == 0)

    def script(i, lost):
        """What nodes do with L2, in less than a second."""
        for name in "b", "big", "zip", "vary":
            ask(f"/{i}/l2/{name}")                     # hits of L2
        for name in "a", "big", "zip", "vary", "chunked", "private":
            ask(f"/{i}/{name}")                        # fetched, stored
        ask(f"/{i}/a")
        ask(f"/{i}/a", headers=[("Range", "bytes=10-49")])
        ask(f"/{i}/l2/big", headers=[("If-None-Match", '"1"')])
        th = in_thread(b.get, f"/{i}/slow")            # somebody else has the lock
        wait_until(lambda: origin.count(f"/{i}/slow"), 2)
        ask(f"/{i}/slow")
        th.join()
        a.request(f"/{i}/a", "PURGE", timeout=8)
        if lost:
            redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            redis("CLIENT", "KILL", "TYPE", "pubsub")
            time.sleep(0.15)

    def well(i):
        """Afterwards all is as if nothing had happened."""
        left = a.quiet(8)
        if left:
            wrong.append(f"{i}: left: {left}")
        if a.workers() != [pid]:
            wrong.append(f"{i}: the worker died")
        for name in "l2/b", "a", "vary", "slow", "chunked":
            r = a.request(f"/{i}/{name}", timeout=8)
            if (r.status, r.body) != (200, body(f"/{i}/{name}")):
                wrong.append(f"{i}: /{i}/{name} afterwards: {r}")
        if l2.keys(redis).get(":l") and not wait_until(lambda: not l2.keys(redis).get(":l"),
                                                       LOCK_S + 0.5):
            wrong.append(f"{i}: a lock is kept")

    # how many there are: the first rounds warm everything up
    counts = []
    for i in "x", "y", "z":
        prepare(i)
        with memory.fails():
            script(i, True)
            a.quiet()
        counts.append(memory.count)
        well(i)
    is_(wrong, [], "without a failure")
    note(f"allocations: {counts}")
    total = max(counts[1:])
    at_least(total, 100, "allocations in a round")

    order = list(range(1, total + 1))
    if TRIES < total:
        order = sorted(rng.sample(range(1, min(counts[1:]) + 1), min(TRIES, *counts[1:])))
    missed, held = 0, memory.held
    for n in order:
        known = len(wrong)
        prepare(n)
        with memory.fails(n):
            script(n, True)
            a.quiet()
        missed += not memory.failed
        if not a.running() or pid not in a.workers():
            wrong.append(f"{n}: the worker died")
            note(memory.where(a.workers()[0]))
            break
        well(n)
        if len(wrong) > known:
            note(f"{n}: {wrong[known:]}")
            note(memory.where(pid))
    is_(wrong, [], f"{len(order)} of {total} allocations failed, one at a time")
    note(f"answers: {statuses}; {missed} rounds needed fewer allocations")
    at_least(len(order) - missed, len(order) // 3, "so many were reached")
    is_(a.workers(), [pid], "the same worker all the time")
    wait_until(lambda: l2.instance(a)["connections"] == 2, 5)
    at_most(memory.held - held, 24, "blocks that are still held, beside those of connections")
    is_(l2.instance(a)["in_flight"], 0, "nothing is under way")
    is_(l2.keys(redis).get(":l", []), [], "no lock is kept")
