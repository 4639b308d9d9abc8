#!/usr/bin/env python3
"""Many PURGE requests and reads at once: after an acknowledged PURGE nobody gets what was before."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    version = {f"/{i}": 1 for i in range(10)}

    @origin.route("/*")
    def _(req):
        v = version[req.path]
        time.sleep(0.003)
        return Reply(b"%d" % v, cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;")
    stop = time.monotonic() + 3
    floor = dict.fromkeys(version, 1)        # versions before it were purged, acknowledged
    bad, reads, purges = [], [0], [0]

    def reader(i):
        with ng.conn() as c:
            k = i
            while time.monotonic() < stop:
                k += 1
                p = f"/{k % 10}"
                low = floor[p]
                r = c.get(p)
                reads[0] += 1
                if r.status != 200 or int(r.body) < low:
                    bad.append((p, low, str(r), r.body[:20]))

    def purger(i):
        with ng.conn() as c:
            while time.monotonic() < stop:
                for k in range(i, 10, 2):
                    p = f"/{k}"
                    version[p] += 1
                    v = version[p]
                    r = c.request(p, "PURGE")
                    purges[0] += 1
                    if r.status not in (200, 404):
                        bad.append((p, "purge", str(r)))
                    floor[p] = v
                    time.sleep(0.004)

    for th in [in_thread(reader, i) for i in range(6)] + [in_thread(purger, i) for i in range(2)]:
        th.join()
    is_(bad[:5], [], f"{reads[0]} reads, {purges[0]} purges: nothing older than an acknowledged purge")
