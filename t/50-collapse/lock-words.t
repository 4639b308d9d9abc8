#!/usr/bin/env python3
"""strata_lock off, worker, node: how far collapsing reaches."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        time.sleep(0.3)
        return Reply(b"x" * 1000, cc="max-age=60")

    ng = t.nginx(origin, locations="".join(f"""
        location /{w}/ {{ strata_cache z; strata_lock {w}; proxy_pass http://%ORIGIN%; }}"""
                                           for w in ("off", "worker", "node", "on")))
    pids = ng.workers()
    for word, low, high in ("off", 20, 20), ("worker", 2, 2), ("node", 1, 1), ("on", 1, 1):
        conns = [ng.conn_to(pids[i % 2]) for i in range(20)]
        rs = ng.swarm([Client(f"/{word}/a", conn=c) for c in conns])
        is_({(r.status, len(r.body)) for r in rs}, {(200, 1000)}, f"{word}: all answered")
        n = origin.count(f"/{word}/a")
        ok(low <= n <= high, f"{word}: {n} fetches")
        ng.quiet()
        is_(ng.get(f"/{word}/a").cache, "HIT", f"{word}: stored")
        is_(len({c.get("/-pid").body for c in conns}), 2, f"{word}: two workers")
        for c in conns:
            c.close()
