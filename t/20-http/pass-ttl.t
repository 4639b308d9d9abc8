#!/usr/bin/env python3
"""strata_pass_ttl: how long "not storable" is remembered."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    private = True

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="private" if private else "max-age=60")

    ng = t.nginx(origin, "strata_pass_ttl 400ms;", locations="""
        location /zero/ { strata_cache z; strata_pass_ttl 0; proxy_pass http://%ORIGIN%; }""")
    ng.fill("/a"), ng.fill("/zero/a")
    r = ng.get("/a")
    is_((r.cache, r.why), ("PASS", "hit-for-miss"), "remembered")
    r = ng.fill("/zero/a")
    is_(r.why, "private", "0: not remembered")
    start = time.monotonic()
    ok(wait_until(lambda: ng.fill("/a").why == "private", 3, 0.02), "forgotten after a while")
    ok(250 < ms_since(start) < 500 * SLOW, f"after {ms_since(start):.0f} ms")
    private = False
    ok(wait_until(lambda: ng.get("/a").cache == "HIT", 3, 0.02), "stored when it is storable")
    ng.fill("/zero/a")
    is_(ng.get("/zero/a").cache, "HIT", "0: stored as soon as it is storable")
