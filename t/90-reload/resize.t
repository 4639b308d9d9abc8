#!/usr/bin/env python3
"""A changed zone size starts empty with one WARN; everything works on."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("rs", 50_000)
    origin.reply("/*", Reply(body, cc="max-age=60"))
    origin.reply("/drip", Reply(body, cc="max-age=60", drip=(2_000, 0.04)))
    ng = t.nginx(origin, zone=["z 16m", "y 1m"], locations="""
        location /y/ { strata_cache y; proxy_pass http://%ORIGIN%; }""")
    for i in range(10):
        ng.fill(f"/{i}")
    ng.fill("/y/1")
    for k, size in enumerate(("8m", "24m"), 1):
        old = in_thread(ng.swarm, [Client("/drip") for _ in range(5)])
        wait_until(lambda: origin.count("/drip") >= k)
        ng.write(zone=[f"z {size}", "y 1m"])
        before = set(ng.workers())
        ng.reload(wait=False)
        ok(wait_until(lambda: not before & set(ng.workers()) and len(ng.workers()) == 2, 5), f"{size}: reload")
        at_most(ng.count("entries"), 1, f"{size}: starts empty (but for what is fetched now)")
        warnings = ng.log(r"\[warn\].*strata zone .z.")
        is_(len(warnings), k, f"{size}: one WARN each time")
        like(warnings[-1] if warnings else "", r'"z"|z', f"{size}: which names the zone")
        r = ng.fill("/1")
        is_((r.status, r.body == body, r.cache), (200, True, "MISS"), f"{size}: a new fetch")
        is_(ng.get("/1").cache, "HIT", f"{size}: stored")
        is_(ng.get("/y/1").cache, "HIT", f"{size}: the other zone keeps its entry")
        is_({r.body == body for r in old.join()}, {True}, f"{size}: readers of the old zone end well")
        wait_until(lambda: len(ng.children()) == 2, 5)
    ng.write(zone=["y 1m", "z 24m"])
    ng.reload()
    is_(ng.get("/1").cache, "HIT", "order of the zones in the file does not matter")
    is_(len(ng.log(r"\[warn\].*strata")), 2, "no further warning")
