#!/usr/bin/env python3
"""
The client that triggers a refresh is answered at once; its next request on the
connection within 20 ms while the origin takes 1.5 s; exactly one refresh.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    n = {}

    @origin.route("/a/*")
    def _(req):
        n[req.path] = k = n.get(req.path, 0) + 1
        if k > 1:
            time.sleep(1.5)
        return Reply(b"v%d" % k)

    origin.reply("/b", Reply(b"b", cc="max-age=60"))
    ng = t.nginx(origin, "strata_valid 300ms; strata_grace 1h;")
    ng.fill("/b")
    for pid in ng.workers():
        a = f"/a/{pid}"
        ng.fill(a)
        time.sleep(0.4)
        with ng.conn_to(pid) as c:
            r = c.get(a)
            is_((r.body, r.cache in ("UPDATING", "STALE")), (b"v1", True), f"the trigger: stale ({r.cache})")
            within(r.ms, 20, "at once")
            for i in range(5):
                r = c.get("/b")
                is_(r.body, b"b", f"next request {i}")
                within(r.ms, 20, f"next request {i}")
            r = c.get(a)
            is_(r.body, b"v1", "the same URL again")
            within(r.ms, 20, "the same URL again")
            others = ng.swarm([Client(a) for _ in range(20)])
            within(max(r.ms for r in others), 60, "20 others")
            wait_until(lambda: n[a] > 1)
            is_(n[a], 2, "one refresh")
            is_(ng.count("fetching"), 1, "which still runs")
            ok(wait_until(lambda: c.get(a).body == b"v2", 3, 0.02), "its result")
            is_(n[a], 2, "and no second one")
        ng.quiet()
