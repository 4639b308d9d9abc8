#!/usr/bin/env python3
"""strata_l2_fail, strata_l2_timeout, strata_l2_breaker: what a slow or missing L2 means."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(90, alone=True) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(b"v%d" % n[req.path])

    redis = l2.server(t)
    ng, = l2.gateways(t, origin, redis, n=1, workers=1,
                      http="strata_valid 300ms; strata_valid_max 300ms; strata_jitter off;"
                           "strata_use_stale error;",
                      only="".join(f"""
        location /{w}/ {{
            {CACHE}
            {PROXY}
            strata_l2 r;
            strata_grace 1h;
            strata_l2_fail {w};
            strata_l2_timeout 100ms;
            strata_l2_breaker failures=5 open=3s;
        }}""" for w in ("pass", "stale", "error")))
    l2.ready(ng)
    ng.allowed.append("strata")

    for w in "pass", "stale", "error":
        ng.fill(f"/{w}/a")
    time.sleep(0.4)
    redis.stop()

    r = ng.get("/pass/a")
    is_((r.status, r.body, r.get("X-Reason")), (200, b"v2", "l2-timeout"), "pass: the origin")
    again = ng.get("/pass/b")
    ok(min(r.ms, again.ms) >= 90, "after strata_l2_timeout")
    within(min(r.ms, again.ms), 250, "and not much more", slack_ms=150)

    r = ng.get("/stale/a")
    is_((r.status, r.body, r.cache, r.get("X-Reason")), (200, b"v1", "STALE", "l2-timeout"),
        "stale: what L1 had")
    r = ng.get("/stale/cold")
    is_((r.status, r.body), (200, b"v1"), "stale: nothing there, the origin")
    r = ng.get("/error/a")
    is_((r.status, r.get("X-Reason")), (503, "l2-timeout"), "error: 503")
    is_(n["/error/a"], 1, "without the origin")

    def fast(path):
        start = time.monotonic()
        r = ng.get(path)
        return r, ms_since(start)

    tap.wait_until(lambda: ng.get("/pass/w").get("X-Reason") == "l2-down", 3)
    r, took = fast("/pass/c")
    is_((r.status, r.get("X-Reason")), (200, "l2-down"), "the breaker is open")
    within(took, 60, "nobody waits")
    is_(l2.instance(ng)["breaker"] != "closed", True, "the status page says so")
    r, took = fast("/error/c")
    is_((r.status, r.get("X-Reason")), (503, "l2-down"), "error: 503 at once")

    rs = ng.swarm([Client("/error/d") for _ in range(20)])
    is_({r.status for r in rs}, {503}, "all who waited hear it")
    redis.go_on()
    ok(tap.wait_until(lambda: l2.instance(ng)["breaker"] == "closed", 8, 0.1),
       "it closes when Redis is back")
    ok(tap.wait_until(lambda: ng.get("/error/e").status == 200), "and all is well")
    reasons = ng.reasons()
    ok(reasons["l2-timeout"] >= 3 and reasons["l2-down"] >= 3, "reasons are counted")
    ok(ng.count("l2_errors") >= 6, "and errors")
