#!/usr/bin/env python3
"""strata_refresh_rate: after a soft purge of many, the origin is asked at this pace, and no client waits."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, re, time

TOKEN = "test-token-0123456789"
N = 60

with scenario() as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=60", headers=[("Surrogate-Key", "all")]))
    ng = t.nginx(origin, "strata_grace 30s; strata_refresh_rate 20r/s burst=9;", locations=f"""
        location /default/ {{ {CACHE} {PROXY} strata_grace 30s; }}
        location /off/ {{ {CACHE} {PROXY} strata_grace 30s; strata_refresh_rate off; }}
        location /age/ {{ {CACHE} {PROXY} strata_grace 30s; strata_valid 200 300ms; strata_ignore_headers Cache-Control;
                          strata_refresh_rate 1r/m burst=0; }}
        location /api/ {{ strata_api write=on; strata_api_token %DIR%/tokens; strata_grace 30s; }}""", start=False)
    ng.file("tokens", TOKEN)
    ng.start()

    def purge(mode="revalidate"):
        r = ng.request("/api/purge", "POST", body=json.dumps({"tags": ["all"], "mode": mode}).encode(),
                       headers=[("Authorization", f"Bearer {TOKEN}")])
        is_((r.status, json.loads(r.body)["mode"]), (200, mode), "purged")

    def ask(prefix):
        with ng.conn() as c:
            return [c.request(f"{prefix}{i}").cache for i in range(N)]

    def counts():
        s = ng.status()
        return s["refreshes"], s["paced"]

    ask("/")
    is_(set(ask("/")), {"HIT"}, "stored")
    purge()
    start, (before, _) = time.monotonic(), counts()
    words = ask("/")
    took = time.monotonic() - start
    refreshed = counts()[0] - before
    ok(10 <= refreshed <= 10 + 1 + took * 20, f"{refreshed} refreshes began at once, in {took:.2f} s")
    is_(set(words) - {"STALE", "UPDATING", "HIT"}, set(), "nobody waits")
    is_(counts()[1], N - refreshed, "the others are served without one, and counted")
    all_hit = lambda: set(ask("/")) == {"HIT"}
    ok(wait_until(all_hit, 10), "in the end all are fresh")
    took = time.monotonic() - start
    at_least(took, (N - 10) / 20 * 0.9, f"not before their turn: {took:.2f} s")
    is_(counts()[0] - before, N, "each was fetched once")

    note("off, and the default")
    ask("/off/")
    purge("invalidate")
    before = counts()
    is_(set(ask("/off/")), {"STALE"}, "off: each begins a refresh")
    is_(counts(), (before[0] + N, before[1]), "at once")
    ask("/default/")
    wait_until(lambda: ng.status()["fetching"] == 0, 5)
    purge("invalidate")
    before, start = counts()[0], time.monotonic()
    ask("/default/")
    n, took = counts()[0] - before, time.monotonic() - start
    ok(min(N, 51) <= n <= 52 + took * 50, f"50 in a second: {n} in {took:.2f} s")

    note("by age")
    ask("/age/")
    time.sleep(0.4)
    before = counts()
    ask("/age/")
    is_(counts(), (before[0] + N, before[1]), "what is stale by age is not paced")

    note("wrong configuration")
    for text in "0r/s", "x", "5r/h", "5r/s burst=-1", "burst=3", "5r/s 5r/s":
        like(t.config_error(location=f"strata_refresh_rate {text};"), re.escape(text.split()[-1]), text)
    is_(t.config_error(http="strata_refresh_rate 5r/s;", location="strata_refresh_rate off;"), None, "inherited, off")
