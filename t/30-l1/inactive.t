#!/usr/bin/env python3
"""inactive: what nobody asks for is removed, however fresh; what is used stays."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("in", 60_000)

    @origin.route("/*")
    def _(req):
        return Reply(text(req.target, 1000), cc="max-age=3600")

    origin.reply("/slow", Reply(body, cc="max-age=3600"))
    ng = t.nginx(origin, zone=["z 4m inactive=3s", "y 1m"], locations="""
        location /y/ { strata_cache y; proxy_pass http://%ORIGIN%; }""")

    for p in ["/used", "/slow", "/y/1"] + [f"/idle{i}" for i in range(50)]:
        ng.fill(p)
    start = time.monotonic()
    gone = None
    while time.monotonic() - start < 8:
        ng.get("/used")
        entries = ng.count("entries")
        if entries < 52 and time.monotonic() - start < 2.9:
            break
        if entries == 1:
            gone = time.monotonic() - start
            break
        time.sleep(0.1)
    ok(gone is not None, "all but the used one are gone, none too early")
    at_least(gone or 0, 2.9, "not before the time")
    is_(ng.count("inactive"), 51, "and are counted")
    is_(ng.get("/used").cache, "HIT", "the one in use stays")
    is_(ng.get("/idle3").cache, "MISS", "the others are fetched again")
    is_(ng.get("/y/1").cache, "HIT", "another zone has no such time")

    # a reload takes the time away, and sets another
    ng.write(zone=["z 4m", "y 1m inactive=2s"])
    ng.reload()
    ng.fill("/stays")
    ok(wait_until(lambda: ng.count("entries", "y") == 0, 8), "set at a reload: /y/1 goes")
    time.sleep(1.5)
    is_(ng.get("/stays").cache, "HIT", "taken away at a reload: it stays")
    is_(ng.log(r"\[warn\].*strata"), [], "without a warning")
