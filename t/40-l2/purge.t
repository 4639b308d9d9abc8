#!/usr/bin/env python3
"""A purge on either node, before, during and after a fill: nothing older comes back from L2."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(90) as t:
    origin = t.origin()
    n = {}
    gates = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        mine = n[req.path]
        to = req.get("X-To")
        reply = Reply(f"{mine}".encode(), cc="max-age=100", headers=[("Location", to)] if to else [])
        g = gates.get((req.path, mine))
        if g:
            g[0].set()
            g[1].wait(20)
        return reply

    def gate(path, i):
        gates[path, i] = threading.Event(), threading.Event()
        return gates[path, i]

    redis, a, b = l2.pair(t, origin, "strata_purge on;")
    l2.ready(a), l2.ready(b)

    def settled():
        for ng in a, b:
            ng.quiet()
            tap.wait_until(lambda: ng.count("l2_queued") == 0)

    # after
    a.fill("/after"), l2.stored(redis)
    is_(b.get("/after").body, b"1", "both have it")
    r = a.purge("/after")
    is_((r.status, r.body), (200, b'{"purged":1,"mode":"delete"}\n'), "purged on the first")
    is_(l2.keys(redis).get("", []), [], "L2 has it no more")
    is_(len(l2.keys(redis)[":t"]), 1, "and remembers the purge")
    r = a.get("/after")
    is_((r.body, r.get("X-Tier")), (b"2", "origin"), "the next request asks the origin")
    settled()
    is_(b.purge("/after").status, 200, "L1 of the other node, and L2 again, by a purge there")
    is_(b.get("/after").body, b"3", "nothing older")
    settled()
    is_(a.count("l2_purges") + b.count("l2_purges"), 2, "counted")

    # only L2 has it
    a.fill("/l2"), l2.stored(redis, 2)
    r = b.purge("/l2")
    is_((r.status, r.body[:11]), (200, b'{"purged":1'), "what only L2 has is purged")
    is_(b.purge("/nothing").status, 404, "what nobody has is not")
    is_(b.get("/l2").body, b"2", "and fetched again")
    settled()

    # during: the fetch of a began before the purge on b
    for where in "a", "b":
        path = f"/during-{where}"
        began, go = gate(path, 1)
        th = in_thread(a.get, path)
        ok(began.wait(10), f"{where}: a fetch is under way")
        (a if where == "a" else b).purge(path)
        go.set()
        is_(th.join().body, b"1", f"{where}: its client has what it came for")
        settled()
        is_(b.get(path).body, b"2", f"{where}: but the other node does not")
        settled()
    is_(a.count("l2_refused"), 1, "b: the store was refused")

    # overtaken: a second fetch stores after the purge, then comes the first
    began, go = gate("/over", 1)
    th = in_thread(a.get, "/over")
    began.wait(10)
    b.purge("/over")
    is_(b.get("/over").body, b"2", "a fetch of after the purge")
    tap.wait_until(lambda: b.count("l2_stores") and b.count("l2_queued") == 0)
    go.set()
    is_(th.join().body, b"1", "and the one of before it comes late")
    settled()
    is_(a.count("l2_refused"), 2, "refused, though what stands there is no tombstone")
    b.purge("/other")
    c = l2.gateways(t, origin, redis, n=1)[0]
    l2.ready(c)
    is_(c.get("/over").body, b"2", "a third node has the newer one")

    # variants: the rule goes, and with it all of them
    @origin.route("/vary")
    def _(req):
        n["/vary"] = n.get("/vary", 0) + 1
        return Reply(f"{n['/vary']}".encode(), cc="max-age=100", headers=[("Vary", "X-L")])

    for x in "1", "2":
        a.fill("/vary", headers=[("X-L", x)])
    settled()
    is_(b.get("/vary", headers=[("X-L", "2")]).body, b"2", "a variant on the other node")
    b.purge("/vary")
    is_(b.get("/vary", headers=[("X-L", "1")]).body, b"3", "no variant survives")
    settled()

    # soft: stale in L1 of this node, gone in L2
    a.fill("/soft"), settled()
    r = a.purge("/soft", headers=[("X-Purge", "invalidate")])
    is_(r.status, 200, "soft")
    is_(b.get("/soft").body, b"2", "the other node fetches")

    # an unsafe method
    a.fill("/post"), settled()
    a.request("/post", "POST", body=b"x")
    tap.wait_until(lambda: a.count("l2_purges") and not a.count("l2_queued"))
    ok(b.get("/post").body != b"1", "an unsafe method invalidates in L2 too")

    a.fill("/located"), settled()
    before = a.count("l2_purges")
    a.request("/post", "POST", body=b"x", headers=[("X-To", "/located")])
    tap.wait_until(lambda: a.count("l2_purges") == before + 2)
    is_([ng.fill("/located").body for ng in (a, b)], [b"2", b"2"], "so it does what its Location names (in L1, and in L2 for both)")
    settled()

    # L2 away
    redis.kill()
    time.sleep(0.1)
    a.get("/away")
    r = a.purge("/away")
    is_((r.status, r.get("X-Reason")), (503, "l2-down"), "no Redis: 503 and why")
    like(r.body.decode(), r'"purged":1.*"failed":"l2-down"', "L1 is purged all the same")
    is_(a.get("/away").body, b"2", "it is")
    a.allowed.append("purge failed")
