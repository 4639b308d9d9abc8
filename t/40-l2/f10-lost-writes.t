#!/usr/bin/env python3
"""F-10: a primary dies before its replica has the last lock and record: fetched twice at most, never wrong."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import l2

with scenario(60) as t:
    origin = t.origin()
    n, go = {}, threading.Event()

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        mine = n[req.path]
        if req.path == "/owned" and mine == 1:
            go.wait(20)
        return Reply(b"%d" % mine, cc="max-age=600")

    primary = l2.server(t, "--repl-diskless-sync-delay", "0")
    stream = t.keep(FaultProxy(primary.port))
    replica = l2.server(t, "--replicaof", f"127.0.0.1 {stream.port}",
                        "--repl-diskless-sync-delay", "0")
    link = lambda s: s.info("INFO", "replication").get("master_link_status")
    ok(wait_until(lambda: link(replica) == "up", 10), "a replica")
    proxy = t.keep(FaultProxy(primary.port))
    a, b = l2.gateways(t, origin, f"{proxy.url} timeout=500ms", "strata_lock cluster; strata_l2_timeout 2s;")
    for ng in a, b:
        ng.allowed.append("strata")
        l2.ready(ng)

    a.fill("/before")
    ok(l2.stored(replica), "what is written is replicated")

    # from here on the replica hears nothing
    stream.down(drop=1)
    th = in_thread(a.get, "/owned")
    ok(wait_until(lambda: len(l2.keys(primary).get(":l", [])) == 1), "a lock that is not")
    a.get("/lost")
    ok(l2.stored(primary, 2), "nor is a record")
    primary.kill()
    proxy.cut("rst")
    replica("REPLICAOF", "NO", "ONE")
    proxy.target(replica.port)
    promoted = time.monotonic()

    def used():
        return all(ng.get("/before").tier in ("l1", "l2") and l2.instance(ng)["connections"]
                   for ng in (a, b))
    ok(wait_until(used, 5), "both find the one that took over")
    l2.ready(a), l2.ready(b)
    within(ms_since(promoted), 2000, "within 2 s")
    is_(l2.keys(replica).get(":l", []), [], "it knows of no lock")

    r = b.get("/owned")
    is_((r.status, r.body), (200, b"2"), "the other node fetches, too")
    ok(wait_until(lambda: len(l2.keys(replica).get("", [])) == 2), "and stores")
    go.set()
    is_(th.join().body, b"1", "the first one serves its own client")
    for ng in a, b:
        ng.quiet()
        wait_until(lambda: ng.count("l2_queued") == 0)
    is_(n["/owned"], 2, "two fetches, no more")
    is_(a.count("l2_refused"), 1, "what it stores comes late, and is refused")

    r = b.get("/lost")
    is_((r.status, r.body, r.tier), (200, b"2", "origin"), "the record that was lost is a miss")
    c, = l2.gateways(t, origin, replica, "strata_l2_timeout 2s;", n=1)
    l2.ready(c)
    got = [(c.get(x).body, c.count("l2_damaged")) for x in ("/before", "/owned", "/lost")]
    is_(got[0], (b"1", 0), "a third node: what was there before")
    is_(got[1], (b"2", 0), "of two fetches the one that had the lock last")
    is_(got[2], (b"2", 0), "and what came after")
    is_(sum(n.values()), 5, "without the origin")
