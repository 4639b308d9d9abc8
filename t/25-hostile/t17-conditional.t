#!/usr/bin/env python3
"""T-17: what a 304 may change: freshness and named fields, never body, length, type; it cannot grow the entry for ever."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/a")
    def _(req):
        global n
        n += 1
        if req.get("If-None-Match"):
            return Reply(status=304, headers=[
                ("ETag", '"e"'), ("X-Changed", f"n{n}"), ("Content-Length", "999"), ("Content-Type", "evil/type"),
                ("Content-Encoding", "gzip"), ("Content-Range", "bytes 0-1/2"), ("Transfer-Encoding", "x"),
                ("Connection", "close"), ("Set-Cookie", "a=b"), (f"X-New-{n}", "v" * 500)])
        return Reply(b"the body", headers=[("ETag", '"e"'), ("X-Changed", "n0"), ("X-Kept", "yes")])

    ng = t.nginx(origin, "strata_valid 20ms;")
    ng.fill("/a")
    worst = 0
    for i in range(60):
        time.sleep(0.025)
        r = ng.fill("/a")
        good = (r.status, r.body, r.get("Content-Length"), r.get("Content-Type"), r.get("Content-Encoding"),
                r.get("Content-Range")) == (200, b"the body", "8", "text/plain", None, None)
        worst = max(worst, sum(len(a) + len(b) for a, b in r.headers))
        if not good:
            ok(False, f"{i}: {r} {r.headers}")
            break
    else:
        ok(True, "60 revalidations: body, length, type, coding stay")
    is_(r.get("X-Kept"), "yes", "what the 304 does not name stays")
    at_most(worst, 66_000, "bytes of headers at the most")
    is_(ng.get("/a").status, 200, "and it works on")
