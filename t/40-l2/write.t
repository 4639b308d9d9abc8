#!/usr/bin/env python3
"""strata_l2_write: async, sync, off; the queue is bounded, what is over it is dropped."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(90) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(blob(req.path, 200000 if "big" in req.path else 1000), cc="max-age=60",
                     chunked="chunked" in req.path)

    redis = l2.server(t)
    a, = l2.gateways(t, origin, redis, n=1, workers=1, zone="z 128m", only="".join(f"""
        location /{w}/ {{
            {CACHE}
            {PROXY}
            strata_l2 r;
            strata_l2_write {w};
        }}""" for w in ("async", "sync", "off")))
    l2.ready(a)
    a.allowed.append("strata")

    a.fill("/off/a")
    time.sleep(0.1)
    is_(l2.keys(redis), {}, "off: nothing is written")

    for path in "/sync/a", "/sync/chunked":
        r = a.get(path)
        is_(r.body, blob(path, 1000), f"{path}: answered")
        is_(len(l2.keys(redis).get("", [])), 1 if path == "/sync/a" else 2,
            f"{path}: it is in Redis by then")
    a.quiet()

    # Redis takes no writes
    redis("CLIENT", "PAUSE", "2500", "WRITE")
    start = time.monotonic()
    r = a.get("/async/a")
    is_(r.body, blob("/async/a", 1000), "async: nobody waits")
    within(ms_since(start), 300, "async: quick")
    start = time.monotonic()
    r = a.get("/sync/b")
    is_(r.body, blob("/sync/b", 1000), "sync: answered in the end")
    ok(800 < ms_since(start) < 2300 * SLOW, "sync: a second is the most it waits")
    redis("CLIENT", "UNPAUSE")
    a.quiet()
    rs = a.swarm([Client("/sync/c") for _ in range(20)])
    is_({(r.status, r.body) for r in rs}, {(200, blob("/sync/c", 1000))}, "sync: 20 at once")
    a.swarm([Client("/sync/d", abort="sent", abort_after=0.003)])
    a.quiet()
    is_(a.get("/sync/d").status, 200, "sync: the client left")
    a.quiet()

    # Redis stands still while a write lies in its socket
    came, go = threading.Event(), threading.Event()

    @origin.route("/async/late")
    def _(req):
        came.set()
        go.wait(20)
        return Reply(b"late", cc="max-age=60")

    keys = len(l2.keys(redis)[""])
    th = in_thread(a.get, "/async/late")
    came.wait(10)
    redis.stop()
    go.set()
    is_(th.join().body, b"late", "late: nobody waits")
    time.sleep(1.6)
    redis.go_on()
    tap.wait_until(lambda: l2.instance(a)["breaker"] == "closed", 8, 0.1)
    is_(len(l2.keys(redis)[""]), keys, "late: what it says of its age is not true any more")
    go.clear()
    th = in_thread(a.get, "/async/late2")
    tap.wait_until(lambda: a.count("l2_queued") == 0)
    th.join()
    ok(l2.stored(redis, keys + 1), "late: the next one is written")

    # more than the connections take at once: it waits, and all of it is written
    before = a.status()
    a.swarm([Client(f"/async/big-{j}") for j in range(30)])
    tap.wait_until(lambda: a.count("l2_queued") == 0, 20)
    is_((a.count("l2_stores") - before["l2_stores"], a.count("l2_drops")),
        (30, before["l2_drops"]), "30 large ones at once: none is dropped")

    # more than the queue takes
    @origin.route("/async/at-once/*")
    def _(req):
        gate.wait(20)
        return Reply(blob(req.path, 200000), cc="max-age=60")

    gate = threading.Barrier(120)
    redis("CLIENT", "PAUSE", "700", "WRITE")
    a.swarm([Client(f"/async/at-once/{j}") for j in range(120)])
    s = a.status()
    at_most(s["l2_queued"] * 200000, 9 << 20, "what waits is bounded")
    ok(s["l2_drops"] > before["l2_drops"], "and the rest is dropped, and counted")
    at_most(l2.instance(a)["queued_bytes"], 2 * (1 << 20) + 400000, "so is the output")
    ok(tap.wait_until(lambda: a.count("l2_queued") == 0, 20), "the queue runs empty")
    is_(a.quiet(), {}, "no pin is left")
