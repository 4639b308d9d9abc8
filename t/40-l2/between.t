#!/usr/bin/env python3
"""What happens in Redis between two commands of a node: purges, newer records, a slow spell."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Between
import l2

with scenario(90) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        if req.method == "POST":
            return Reply(b"done", headers=[("Location", "/named")] * (req.path == "/unsafe"))
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100")

    redis = l2.server(t)
    between = t.keep(Between(redis))
    a, b = l2.gateways(t, origin, between.url + " timeout=5s pool=2", "strata_purge on;",
                       workers=1)
    l2.ready(a), l2.ready(b)

    def settled():
        for ng in a, b:
            ng.quiet()
            tap.wait_until(lambda: ng.count("l2_queued") == 0)

    # a purge has left L1 and is not yet in Redis: who asks meanwhile fills L1 from there
    def held(purge):
        """purge(), and what came from L2 before Redis had heard of it."""
        reached, go = threading.Event(), threading.Event()

        def before(cmd):
            if cmd[0] == b"EVALSHA" and len(cmd) == 8:
                reached.set()
                go.wait(20)

        between.before = before
        th = in_thread(purge)
        ok(reached.wait(10), "a purge is on its way")
        return th, go

    for name, purge in (
            ("delete", lambda path: a.purge(path)),
            ("soft", lambda path: a.purge(path, headers=[("X-Purge", "invalidate")])),
            ("post", lambda path: a.request(path, "POST", body=b"x"))):
        path = f"/{name}"
        a.fill(path), settled()
        was = n[path]
        th, go = held(lambda: purge(path))
        r = a.get(path)
        is_(r.body, b"1", f"{name}: asked before Redis knows, the old one")
        go.set()
        is_(th.join().status, 200, f"{name}: purged")
        between.before = lambda cmd: None
        ok(tap.wait_until(lambda: l2.keys(redis).get("", []) == []), f"{name}: in L2 too")
        settled()
        ok(tap.wait_until(lambda: a.get(path).body != b"1", 2),
           f"{name}: and what L1 had from there in between")
        a.purge(path), settled()

    # the same, but the old one is still on its way from Redis when the purge is over
    for path in "/late", "/search?a=1":
        a.fill(path), settled()
        key, = l2.keys(redis)[""]
        reached, go = threading.Event(), threading.Event()

        def after(cmd):
            if cmd == [b"GET", key]:
                reached.set()
                go.wait(20)

        c, = l2.gateways(t, origin, between.url + " timeout=5s pool=2",
                         "strata_purge on; strata_l2_timeout 5s;"
                         + " strata_no_vary_search on;" * (path != "/late"),
                         n=1, workers=1)
        l2.ready(c)
        purge, send = held(lambda: c.purge(path))
        between.after = after
        th = in_thread(c.get, path)
        ok(reached.wait(10), f"{path}: asked after L1 and before L2 was purged")
        send.set()
        is_(purge.join().status, 200, "then purged")
        go.set()
        between.before = lambda cmd: None
        between.after = lambda cmd: None
        is_(th.join().body, b"1", "who came before that has the old one")
        c.quiet()
        is_(c.get(path).body, b"2", "who comes after does not")
        c.quiet()
        c.purge(path), settled()

    # the URLs that the answer to an unsafe method names
    a.fill("/named"), settled()
    a.request("/unsafe", "POST", body=b"x")
    ok(tap.wait_until(lambda: not l2.keys(redis).get("", [])), "Location: gone from L2")
    is_(a.get("/named").body, b"2", "and not back in L1")
    settled()

    # a record is replaced while it is looked up: never the old one with the new one's life
    a.fill("/swap"), l2.stored(redis, 2), settled()
    a.purge("/named"), settled()
    key, = l2.keys(redis)[""]
    old = redis("GET", key)
    a.purge("/swap"), a.fill("/swap"), l2.stored(redis), settled()
    new = redis("GET", key)
    redis("SET", key, old, "PX", 5000)
    seen = []

    def swap(cmd):
        if cmd[0] in (b"GET", b"PTTL") and cmd[1] == key:
            seen.append(cmd[0])
            if len(seen) == 2:
                redis("SET", key, new, "PX", 100000)

    between.before = swap
    r = b.get("/swap")
    between.before = lambda cmd: None
    is_(sorted(seen), [b"GET", b"PTTL"], "looked up, and replaced in between")
    ok((r.body, int(r.get("Age") or 0) < 90) != (b"1", True),
       f"what is 95 s old is not new: {r.body} {r.get('Age')}")
    settled()

    # slow for a while: a look-up is in time, the ticket in what is left of it is not
    lag = [0]
    between.before = lambda cmd: time.sleep(lag[0])
    c, = l2.gateways(t, origin, between.url + " timeout=5s pool=2",
                     "strata_l2_timeout 200ms; strata_l2_breaker failures=2 open=100ms;",
                     n=1, workers=1, http="strata_valid 300ms;")
    c.allowed.append("strata redis")
    l2.ready(c)
    lag[0] = 0.08
    ok(tap.wait_until(lambda: c.swarm([Client(f"/slow{len(n)}"), Client(f"/lag{len(n)}")])
                      and l2.instance(c)["breaker"] != "closed", 20, 0.1),
       "misses without a ticket open the breaker")
    lag[0] = 0.06
    ok(tap.wait_until(lambda: l2.instance(c)["breaker"] == "closed", 10, 0.05),
       "it closes when a PONG comes within strata_l2_timeout")
    lag[0] = 0
