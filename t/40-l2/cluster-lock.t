#!/usr/bin/env python3
"""strata_lock cluster: one fetch for the nodes together, whatever becomes of who has the lock."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import l2

LOCK = "strata_lock cluster;"
PATIENT = "strata_l2_timeout 2s;"

with scenario(120, alone=True) as t:
    origin = t.origin()
    n, gates = {}, {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        mine = n[req.path]
        if (req.path, mine) in gates:
            gates[req.path, mine].wait(30)
        else:
            time.sleep(0.3)
        if req.path.startswith("/private"):
            return Reply(b"%d" % mine, cc="private")
        if req.path.startswith("/error"):
            return Reply(b"broken", status=503)
        if req.path.startswith("/vary"):
            return Reply(b"v" + req.get("X-L", "").encode(), cc="max-age=60",
                         headers=[("Vary", "X-L")])
        return Reply(b"%d" % mine, cc="max-age=60")

    redis, a, b = l2.pair(t, origin, LOCK)
    l2.ready(a), l2.ready(b)

    def both(path, k=100, **kw):
        """k clients of each gateway at once: their responses."""
        th = [in_thread(ng.swarm, [Client(path, **kw) for _ in range(k)]) for ng in (a, b)]
        return [r for x in th for r in x.join()]

    def gate(path, i=1):
        """The i-th fetch of path lasts until it is set."""
        gates[path, i] = threading.Event()
        return gates[path, i]

    def settled():
        for ng in a, b:
            ng.quiet()
            tap.wait_until(lambda: ng.count("l2_queued") == 0)

    slowest = []
    for i in range(3):
        path = f"/cold{i}"
        rs = both(path)
        slowest.append(max(r.ms for r in rs))
        is_({(r.status, r.body) for r in rs}, {(200, b"1")}, f"{i}: 200 clients of two nodes")
        is_(n[path], 1, f"{i}: one fetch")
        settled()
    within(min(slowest), 300 + 100, "the last of 200, with an origin of 300 ms", slack_ms=100)
    at_least(a.count("l2_waits") + b.count("l2_waits"), 3, "a node waited each time")
    is_(l2.keys(redis).get(":l", []), [], "no lock is left")

    # the time that losing costs, one client on each node
    late = []
    for i in range(5):
        path = f"/late{i}"
        th = [in_thread(ng.get, path) for ng in (a, b)]
        rs = [x.join() for x in th]
        late.append(max(r.ms for r in rs))
        is_((n[path], {r.body for r in rs}), (1, {b"1"}), f"late {i}: one fetch")
        settled()
    within(sorted(late)[2], 400, "losers within origin + 100 ms", slack_ms=100)

    # variants have locks of their own
    a.fill("/vary", headers=[("X-L", "0")])
    settled()
    th = [in_thread(lambda ng, x: ng.get("/vary", headers=[("X-L", x)]), ng, x)
          for ng in (a, b) for x in ("1", "2")]
    is_(sorted(x.join().body for x in th), [b"v1", b"v1", b"v2", b"v2"], "two variants")
    is_(n["/vary"], 3, "one fetch each")
    settled()

    # not storable: no convoy
    start = time.monotonic()
    rs = both("/private", 10)
    took = ms_since(start)
    is_({r.status for r in rs}, {200}, "not storable: all are answered")
    within(took, 1200, "nobody queues up behind the lock", slack_ms=600)
    is_(len({r.body for r in rs}), 20, "each with an answer of its own")
    settled()
    within(min(ng.get("/private").ms for ng in (a, b) for _ in range(2)), 300 + 100,
           "later ones go alone at once", slack_ms=100)
    is_(l2.keys(redis).get(":l", []), [], "no lock is left")

    # an error of the origin is shared, once
    rs = both("/error", 10)
    is_({r.status for r in rs}, {503}, "an error")
    at_most(n["/error"], 2, "is shared")
    settled()

    # the owner's node dies
    late = gate("/dies")
    c, = l2.gateways(t, origin, redis, LOCK, n=1)
    l2.ready(c)
    th = in_thread(c.get, "/dies")
    tap.wait_until(lambda: n.get("/dies"))
    waits = b.count("l2_waits")
    waiting = in_thread(b.get, "/dies")
    tap.wait_until(lambda: b.count("l2_waits") > waits)
    for pid in c.workers():
        c.kill_worker(pid)
    os.kill(c.process.pid, signal.SIGKILL)
    c.process.wait()
    c.stopped = True
    start = time.monotonic()
    r = waiting.join()
    is_((r.status, r.body, n["/dies"]), (200, b"2", 2), "the owner dies: a second fetch")
    within(ms_since(start), 3000, "when its lock has run out", slack_ms=1000)
    late.set()
    with contextlib.suppress(Exception):
        th.join()
    settled()
    third, = l2.gateways(t, origin, redis, LOCK + PATIENT, n=1)
    l2.ready(third)
    r = third.get("/dies")
    is_((r.body, r.tier, n["/dies"]), (b"2", "l2", 2), "and L2 has what it brought")

    # the owner is cut off from Redis: its store comes late, and is refused, while
    # somebody else has the lock and when he has given it back
    proxy = t.keep(FaultProxy(redis.port))
    far, = l2.gateways(t, origin, f"{proxy.url} timeout=500ms", LOCK, n=1)
    far.allowed.append("strata")
    for path in "/cut-held", "/cut-done":
        l2.ready(far)
        first, second = gate(path), gate(path, 2)
        refused = far.count("l2_refused")
        th = in_thread(far.get, path)
        tap.wait_until(lambda: n.get(path))
        proxy.both(drop=1)
        start = time.monotonic()
        waiting = in_thread(b.get, path)
        tap.wait_until(lambda: n[path] == 2)
        within(ms_since(start), 2000 + 400 + 200, f"{path}: its lock runs out", slack_ms=600)
        if path == "/cut-done":
            second.set()
            is_(waiting.join().body, b"2", f"{path}: the other node has it")
            settled()
        proxy.heal()
        proxy.cut("rst")
        l2.ready(far)
        first.set()
        r = th.join()
        is_((r.status, r.body), (200, b"1"), f"{path}: who is cut off serves its own clients")
        ok(tap.wait_until(lambda: far.count("l2_refused") > refused),
           f"{path}: what it brings is refused")
        second.set()
        is_(waiting.join().body, b"2", f"{path}: the other node serves those of its own")
        settled(), far.quiet()
        tap.wait_until(lambda: far.count("l2_queued") == 0)
        is_(n[path], 2, f"{path}: two fetches")
        is_(far.count("l2_refused") - refused, 1, f"{path}: the first is not stored")
        third, = l2.gateways(t, origin, redis, LOCK + PATIENT, n=1)
        l2.ready(third)
        r = third.get(path)
        is_((r.body, r.tier), (b"2", "l2"), f"{path}: L2 has the second one")
    is_(l2.keys(redis).get(":l", []), [], "no lock is left")

    # a waiter whose time is up
    late = gate("/slow")
    d = l2.gateways(t, origin, redis, LOCK + "strata_lock_timeout 1s;")[:2]
    [l2.ready(x) for x in d]
    th = in_thread(d[0].get, "/slow")
    tap.wait_until(lambda: n.get("/slow"))
    start = time.monotonic()
    r = d[1].get("/slow")
    is_((r.status, r.body), (200, b"2"), "its time is up: it fetches for itself")
    within(ms_since(start), 800 + 300 + 200, "after four fifths of strata_lock_timeout",
           slack_ms=200)
    late.set()
    tap.wait_until(lambda: d[1].count("l2_queued") == 0)
    is_((d[1].count("l2_stores"), d[1].get("/slow").get("X-Tier")), (0, "l1"),
        "kept in L1, not in L2")
    is_(th.join().body, b"1", "the owner")
