#!/usr/bin/env python3
"""More than 64 workers: those without a seat pass, and nothing breaks."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(90) as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, workers=68, connections=256, nofile=1024)
    rs = ng.swarm([Client("/a") for _ in range(600)])
    is_({(r.status, r.body) for r in rs}, {(200, b"x")}, "600 answers")
    at_least(len({r.pid for r in rs}), 60, "workers")
    rs = ng.swarm([Client("/a") for _ in range(600)])
    words = {r.why for r in rs}
    ok(words <= {"", "no-seat"}, f"hits, or no-seat ({words})")
