#!/usr/bin/env python3
"""A purge of a URL that varies, with L2: who still has its rule does not bring the other variants back."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

with scenario(60) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        headers = [("Vary", "X-Lang"), ("ETag", '"e"')]
        if req.path == "/same" and req.get("If-None-Match"):
            return Reply(status=304, cc="max-age=100", headers=headers)
        which = req.path, req.get("X-Lang")
        n[which] = n.get(which, 0) + 1
        return Reply(f"{n[which]}".encode(), cc="max-age=100", headers=headers)

    redis = l2.server(t)
    wire = t.keep(invlog.Wire(redis.port))
    a, b, c = [invlog.leased(invlog.node(t, origin, url, "strata_l2 m; strata_l2_timeout 250ms;", lease="20s",
                                         http=f"strata_redis m {redis.url} timeout=500ms;"))
               for url in (redis.url, wire.url, redis.url)]

    def get(ng, path, lang):
        r = ng.get(path, headers={"X-Lang": lang})
        ng.quiet()
        wait_until(lambda: ng.count("l2_queued") == 0, 5)
        return r

    def fill(path):
        was = len(redis("KEYS", "strata:*:v:*"))
        for lang in "en", "de", "fr":
            get(a, path, lang)
        is_(len(redis("KEYS", "strata:*:v:*")), was + 3, f"{path}: three variants in L2")
        is_(get(b, path, "en").get("X-Tier"), "l2", f"{path}: another node has the rule")

    for path, mode in ("/soft", "invalidate"), ("/same", "invalidate"), ("/hard", "delete"):
        fill(path)
        # the first lease of the log is long: nobody waits for the cluster
        is_(a.purge(path, headers={"X-Purge": mode, "X-Purge-Wait": "node"}).status, 200, f"{path}: {mode}")
        for ng in b, c:
            invlog.caught_up(ng, a.status()["log"]["sequence"])
        r = get(a, path, "en")
        is_((r.get("X-Tier"), r.body), ("origin", b"1" if path == "/same" else b"2"), f"{path}: the origin is asked")
        for ng in b, c:
            is_(get(ng, path, "de").body, b"2", f"{path}: for what else was stored, too")
        is_(get(c, path, "en").get("X-Tier"), "l2", f"{path}: and L2 is in use again")

    # a node that has not heard of it yet
    fill("/late")
    wire.cut()
    is_(a.purge("/late", headers={"X-Purge-Wait": "node"}).status, 200, "/late: one node does not know")
    is_(get(b, "/late", "it").get("X-Tier"), "origin", "/late: it fetches another variant")
    wire.mend()
    ok(invlog.caught_up(b, a.status()["log"]["sequence"], 10), "/late: it knows")
    for ng in a, b, c:
        is_([get(ng, "/late", lang).body for lang in ("en", "de", "fr")], [b"2"] * 3, "/late: nothing is back")
