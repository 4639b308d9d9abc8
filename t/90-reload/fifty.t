#!/usr/bin/env python3
"""50 reloads under load lose no request."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(120) as t:
    origin = t.origin()
    body = text("r50", 5000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.005)
        return Reply(body, cc="private" if req.path.startswith("/p") else "max-age=1")

    ng = t.nginx(origin, "strata_grace 500ms;")
    stop, bad, n, hits = False, [], [0], [0]

    def load(seed):
        k = seed * 7
        while not stop:
            k += 1
            path = ("/c%d" % (k % 30)) if k % 10 else "/p%d" % (k % 3)
            r = ng.get(path)                  # one connection each, as reload closes idle ones
            n[0] += 1
            hits[0] += r.cache in ("HIT", "UPDATING", "STALE")
            if r.status != 200 or r.body != body:
                bad.append((path, str(r)))

    threads = [in_thread(load, i) for i in range(6)]
    for i in range(50):
        new = ng.reload(wait=False)
        first = set(ng.workers())
        wait_until(lambda: len(set(ng.workers()) - first) >= 2, 1, 0.02)
        time.sleep(0.05)
    stop = True
    for th in threads:
        th.join()
    is_(bad[:5], [], f"{n[0]} requests over 50 reloads: all answered")
    at_least(100.0 * hits[0] / n[0], 70.0, "percent of hits: entries are kept")
    ok(wait_until(lambda: len(ng.children()) == 2, 15), "all old workers left")
    is_(len(ng.log("start worker processes")), 51, "51 cycles")
    is_(ng.quiet(), {}, "gauges at rest")
