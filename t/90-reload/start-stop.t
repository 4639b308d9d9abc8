#!/usr/bin/env python3
"""F-50: start, traffic, graceful stop, 15 times: no alert, no socket left."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(90) as t:
    origin = t.origin()
    origin.reply("/*", Reply(blob("q", 5000), cc="max-age=60"))
    ng = t.nginx(origin, h2=True)
    for i in range(15):
        rs = ng.swarm([Client(f"/{k % 5}") for k in range(20)])
        is_({r.status for r in rs}, {200}, f"{i}: served")
        idle = ng.conns(3, ng.workers()[i % 2])
        ok(ng.stop(), f"{i}: stopped")
        for c in idle:
            c.close()
        ng.start()
    is_(ng.log(r"\[(alert|crit|emerg)\]"), [], "a quiet log")
