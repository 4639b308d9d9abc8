#!/usr/bin/env python3
"""
The client that triggers a refresh is answered at once; its next request on the
connection within 20 ms while the origin takes 1.5 s; exactly one refresh.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        if n > 1:
            time.sleep(1.5)
        return Reply(b"v%d" % n)

    origin.reply("/b", Reply(b"b", cc="max-age=60"))
    ng = t.nginx(origin, "strata_valid 200ms; strata_grace 1h;")
    for pid in ng.workers():
        n = 0
        ng.purge("/a")
        ng.get("/b"), ng.get("/a")
        ng.quiet()
        time.sleep(0.25)
        n = max(n, 1)
        start = n
        with ng.conn_to(pid) as c:
            r = c.get("/a")
            ok(r.cache in ("UPDATING", "STALE"), f"the trigger gets the stale body ({r.cache})")
            within(r.ms, 20, "at once")
            for i in range(5):
                r = c.get("/b")
                is_(r.body, b"b", f"next request {i}")
                within(r.ms, 20, f"next request {i}")
            r = c.get("/a")
            within(r.ms, 20, "the same URL again")
            others = ng.swarm([Client("/a") for _ in range(20)])
            within(max(r.ms for r in others), 60, "20 others")
            is_(n - start, 1, "one refresh")
            is_(ng.count("fetching"), 1, "which still runs")
            ok(wait_until(lambda: c.get("/a").body == b"v%d" % (start + 1), 3, 0.02), "its result")
        ng.quiet()
