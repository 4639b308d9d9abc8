#!/usr/bin/env python3
"""One, two and eight workers share a zone; more workers than cores do no harm."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("w", 10_000)
    origin.reply("/*", Reply(body, cc="max-age=60"))
    for n in 1, 8:
        ng = t.nginx(origin, workers=n)
        ng.fill("/a")
        origin.forget()
        seen = set()
        for i in range(100 if n > 1 else 10):
            r = ng.get("/a")
            seen.add(r.pid)
            if (r.cache, r.body == body) != ("HIT", True):
                ok(False, f"{n} workers, {i}: {r}")
                break
        is_(origin.count(), 0, f"{n} workers: all hits")
        at_least(len(seen), min(n, 6), f"{n} workers: took part")
        rs = ng.swarm([Client(f"/c{i % 5}") for i in range(100)])
        is_({r.body == body for r in rs}, {True}, f"{n} workers: 100 at once")
        is_(origin.count(), 5, f"{n} workers: five fetches")
