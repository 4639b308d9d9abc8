#!/usr/bin/env python3
"""strata_lock cluster: a try for the lock that Redis carries out and nobody hears of leaves no lock."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import l2

TIMEOUT = 500                      # ms, of a look-up
LIFE = 2000                        # of a lock that nobody gives back
LOOKED = 10                        # bytes that say: no life, no record

with scenario(60, alone=True) as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(req.path.encode(), cc="max-age=600"))
    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    near, = l2.gateways(t, origin, redis, "strata_lock cluster;", n=1)
    far, = l2.gateways(t, origin, f"{proxy.url} pool=2 timeout=500ms",
                       f"strata_lock cluster; strata_l2_timeout {TIMEOUT}ms;", n=1, workers=1)
    far.allowed.append("strata")
    l2.ready(near)

    def locks():
        return l2.keys(redis).get(":l", [])

    def tried():
        return int(re.search(rb"cmdstat_set:calls=(\d+)", redis("INFO", "commandstats"))[1])

    def case(name, path, fault, then=lambda: None):
        """Who is far away tries the lock; who is near asks as soon as it is there."""
        ok(wait_until(lambda: l2.instance(far)["connections"] == 2), f"{name}: two connections")
        redis("CONFIG", "RESETSTAT")
        redis("SET", "other", "1")
        fault()
        th = in_thread(far.get, path)
        ok(wait_until(lambda: tried() == 2, every=0.002), f"{name}: the try is carried out")
        start = time.monotonic()
        then()
        other = in_thread(near.get, path)
        ok(wait_until(lambda: not locks(), every=0.002), f"{name}: the lock is given back")
        within(ms_since(start), TIMEOUT + 700, f"{name}: before it runs out")
        r = other.join()
        is_((r.status, r.body), (200, path.encode()), f"{name}: the other node")
        within(ms_since(start), LIFE - 500, f"{name}: it does not wait for nobody")
        r = th.join()
        is_((r.status, r.body), (200, path.encode()), f"{name}: its own client")
        wait_until(lambda: not near.count("l2_queued"))
        is_(near.get(path).get("X-Tier"), "l1", f"{name}: who came after has stored")
        proxy.heal()
        wait_until(lambda: l2.instance(far)["in_flight"] == 0, 3)
        is_(locks(), [], f"{name}: no lock is left")

    case("the answer is late", "/late", lambda: proxy.down(lag=LOOKED, delay=1200))

    def cut():
        proxy.heal()
        proxy.cut("rst")
    case("the connection ends", "/cut", lambda: proxy.down(lag=LOOKED, delay=1200), cut)

    # what gives it back must not be there before the try: only what comes first on a
    # connection goes through at once
    case("the try is late itself", "/overtaken", lambda: proxy.up(lag=1, delay=TIMEOUT + 200))

    # Redis stands still with the try in its socket, and comes to it when all is over
    ok(wait_until(lambda: l2.instance(far)["connections"] == 2), "two connections")
    proxy.up(lag=1, delay=250)
    th = in_thread(far.get, "/stopped")
    time.sleep(0.12)
    redis.stop()
    is_(th.join().status, 200, "Redis stands still: its own client")
    proxy.heal()
    time.sleep(0.5)
    proxy.cut("fin")               # bytes that were sent are still read
    time.sleep(0.1)
    redis.go_on()
    back = time.monotonic()
    wait_until(locks, 0.3, every=0.001)
    ok(wait_until(lambda: not locks(), every=0.002), "no lock is left when it goes on")
    within(ms_since(back), LIFE - 500, "before it runs out")
