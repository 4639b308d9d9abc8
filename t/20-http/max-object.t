#!/usr/bin/env python3
"""strata_max_object: larger bodies are passed on whole and not stored."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    for size in 9_000, 10_000, 10_241, 50_000, 900_000:
        origin.reply(f"/cl{size}", Reply(blob(size, size), cc="max-age=60"))
        origin.reply(f"/ch{size}", Reply(blob(size, size), cc="max-age=60", chunked=True))
    ng = t.nginx(origin, "strata_max_object 10k;")
    for kind in "cl", "ch":
        for size in 9_000, 10_000, 10_241, 50_000, 900_000:
            path = f"/{kind}{size}"
            r = ng.fill(path)
            is_((r.complete, r.body == blob(size, size)), (True, True), f"{path}: whole")
            if size > 10_240 and kind == "cl":
                is_(r.why, "size", f"{path}: reason")
            r = ng.fill(path)
            is_(r.body == blob(size, size), True, f"{path}: whole again")
            is_(r.cache == "HIT", size <= 10_240, f"{path}: {'stored' if size <= 10_240 else 'not stored'}")
    at_least(ng.reasons().get("size", 0), 4, "counted by reason")
