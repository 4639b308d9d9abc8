#!/usr/bin/env python3
"""strata_valid: lifetimes by status, any, the short form; the origin's word comes first."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    for status in 200, 301, 302, 404, 410, 500, 503, 201:
        origin.reply(f"/s{status}", Reply(b"b", status, headers=[("Location", "/x")]
                                          if status in (301, 302) else []))
        origin.reply(f"/any/s{status}", Reply(b"b", status))
    origin.reply("/own", Reply(b"b", cc="max-age=60"))
    origin.reply("/own404", Reply(b"b", 404, cc="max-age=60"))
    origin.reply("/nostore", Reply(b"b", cc="no-store"))
    proxy = "proxy_pass http://%ORIGIN%;"
    ng = t.nginx(origin, "strata_valid 200 301 30s; strata_valid 404 30s;", locations=f"""
        location /any/ {{ strata_cache z; strata_valid any 30s; {proxy} }}
        location /short/ {{ strata_cache z; strata_valid 30s; proxy_pass http://%ORIGIN%/; }}
        location /ms {{ strata_cache z; strata_valid 200ms; strata_keep 0; proxy_pass http://%ORIGIN%/s200; }}
        location /zero {{ strata_cache z; strata_valid 0; proxy_pass http://%ORIGIN%/s200; }}
        """)

    def second(path):
        ng.fill(path)
        r = ng.fill(path)
        return r.cache

    is_(second("/s200"), "HIT", "200 named")
    is_(second("/s301"), "HIT", "301 named")
    isnt(second("/s302"), "HIT", "302 not named")
    is_(second("/s404"), "NEGATIVE", "404 named: a negative entry")
    ok(second("/s410") not in ("HIT", "NEGATIVE"), "410 not named")
    isnt(second("/s500"), "HIT", "500 not named")
    is_(second("/own"), "HIT", "the origin's lifetime")
    is_(second("/own404"), "NEGATIVE", "the origin's lifetime of a 404")
    isnt(second("/nostore"), "HIT", "no-store is obeyed")
    is_(second("/any/s200"), "HIT", "any: 200")
    is_(second("/any/s404"), "NEGATIVE", "any: 404")
    is_(second("/short/s200"), "HIT", "short form: 200")
    is_(second("/short/s301"), "HIT", "short form: 301")
    is_(second("/short/s302"), "HIT", "short form: 302")
    isnt(second("/short/s404"), "NEGATIVE", "short form: not 404")
    isnt(second("/zero"), "HIT", "0: not stored")

    ng.fill("/ms")
    start = time.monotonic()
    is_(ng.get("/ms").cache, "HIT", "200 ms: fresh at once")
    wait_until(lambda: ng.get("/ms").cache != "HIT", 3, 0.01)
    ok(100 < ms_since(start) < 250 + 200 * SLOW, f"200 ms: expired after {ms_since(start):.0f} ms")
