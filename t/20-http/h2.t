#!/usr/bin/env python3
"""HTTP/2: hits, misses, HEAD, ranges, PURGE, many streams at once."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import contextlib

with scenario() as t:
    origin = t.origin()
    body = blob("h2", 100_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.1)
        return Reply(body, cc="max-age=60", headers=[("ETag", '"h"')])

    origin.reply("/private", Reply(body, cc="private"))
    origin.reply("/drip", Reply(body, cc="max-age=60", drip=(20_000, 0.05)))
    origin.reply("/cut", Reply(body, cc="max-age=60", cut=50_000))
    ng = t.nginx(origin, "strata_purge 1;", h2=True)

    r = ng.curl("/a", h2=True)
    is_((r.reason, r.status, r.body == body, r.cache), ("HTTP/2", 200, True, "MISS"), "miss")
    ng.quiet()
    r = ng.curl("/a", h2=True)
    is_((r.body == body, r.cache), (True, "HIT"), "hit")
    is_(ng.get("/a").cache, "HIT", "the same entry over HTTP/1.1")
    r = ng.curl("/a", "-I", h2=True)
    is_((r.status, r.get("content-length"), r.body), (200, "100000", b""), "HEAD")
    r = ng.curl("/a", "-r", "100-199", h2=True)
    is_((r.status, r.body == body[100:200]), (206, True), "range")
    r = ng.curl("/a", "-H", 'If-None-Match: "h"', h2=True)
    is_((r.status, r.body), (304, b""), "conditional")
    for i in 1, 2:
        r = ng.curl("/private", h2=True)
        is_((r.status, r.body == body), (200, True), f"private {i}")
    is_(ng.curl("/drip", h2=True).body == body, True, "drip")
    r = ng.curl("/a", "-X", "PURGE", h2=True)
    is_(r.status, 200, "PURGE")

    # 40 streams of one connection, two keys: two fetches
    origin.forget()
    with contextlib.closing(H2(ng.h2_port)) as c:
        streams = [c.open(f"/s{i % 2}") for i in range(40)]
        ok(c.run(), "40 streams at once")
        is_({(s.status, s.complete, s.body == body) for s in streams}, {(200, True, True)}, "all right")
        is_((origin.count("/s0"), origin.count("/s1")), (1, 1), "one fetch per key")

        # streams that are reset while they wait, or in the body
        streams = [c.open(f"/r{i % 3}") for i in range(60)]
        for s in streams[:40:2]:
            c.reset(s)
        c.run(until=lambda: any(s.body for s in streams))
        for s in streams[1:40:4]:
            c.reset(s) if not s.over else None
        ok(c.run(), "60 streams, some reset")
        stay = [s for s in streams if s.error is None]
        at_least(len(stay), 20, "those that stay")
        is_({(s.status, s.body == body) for s in stay}, {(200, True)}, "are served")
        s = c.get("/cut")
        ok(s.error == "reset" or s.status == 502, f"a cut body: reset, or an error ({s.status} {s.error})")
        is_(c.get("/s0").body == body, True, "the connection goes on")
    origin.forget()
    c = H2(ng.h2_port)
    for i in range(30):
        c.open("/gone")
    wait_until(lambda: origin.count("/gone"))
    c.close()
    is_(ng.quiet(), {}, "a connection that goes with 30 streams")
    is_(ng.get("/gone").body == body, True, "its fetch is of use")
