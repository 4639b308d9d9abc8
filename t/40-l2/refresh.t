#!/usr/bin/env python3
"""Stale entries: a refresh looks into L2 first; stale records are used within their windows."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario(90) as t:
    origin = t.origin()
    n, seen = {}, []

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        seen.append((req.path, req.get("If-None-Match")))
        if req.path == "/etag" and req.get("If-None-Match") == '"e"':
            return Reply(status=304, headers=[("ETag", '"e"')])
        if req.path == "/hidden":
            tag = [("ETag", '"h"')]
            return Reply(status=304, headers=tag) if req.get("If-None-Match") else \
                Reply(b"h", cc="max-age=60", headers=[*tag, ("X-Accel-Expires", "1")])
        if req.path == "/swr":
            return Reply(b"%d" % n[req.path], cc="max-age=1, stale-while-revalidate=60")
        if req.path == "/etag":
            return Reply(b"etag", cc="max-age=1", headers=[("ETag", '"e"')])
        return Reply(b"%d" % n[req.path], cc="max-age=1, stale-if-error=60")

    redis, a, b = l2.pair(t, origin, "strata_jitter off; strata_l1_ttl off;")
    l2.ready(a), l2.ready(b)

    def settled():
        for ng in a, b:
            ng.quiet()
            tap.wait_until(lambda: ng.count("l2_queued") == 0)

    # both have it, it expires, a refreshes: b need not ask the origin
    a.fill("/swr"), settled()
    is_(b.get("/swr").body, b"1", "both have it")
    time.sleep(1.1)
    is_(a.get("/swr").body, b"1", "stale on the first, refreshed behind")
    settled()
    is_(n["/swr"], 2, "by the origin")
    r = b.get("/swr")
    is_((r.body, r.cache), (b"1", "STALE"), "stale on the second")
    settled()
    is_((b.get("/swr").body, n["/swr"]), (b"2", 2), "refreshed from L2")
    is_(b.count("refreshes"), 1, "behind the client")

    # only a stale record is there
    a.fill("/etag"), settled()
    time.sleep(1.1)
    r = b.get("/etag")
    is_((r.status, r.body, r.cache), (200, b"etag", "REVALIDATED"), "a stale record is revalidated")
    is_(seen[-1], ("/etag", '"e"'), "with its validator")
    settled()
    r = a.get("/etag")
    is_((r.body, r.get("X-Tier"), n["/etag"]), (b"etag", "l2", 2),
        "and what the 304 made of it goes to L2")

    # what the client does not see counts after L2 and after a 304 that does not repeat it
    a.fill("/hidden"), settled()
    r = b.get("/hidden")
    is_((r.get("X-Tier"), r.get("X-Accel-Expires")), ("l2", None), "a hidden field, from L2")
    like(r.get("Cache-Status"), "ttl=[01];", "gives the lifetime")
    for ng in b, a:
        time.sleep(1.1)
        r = ng.fill("/hidden")
        is_((r.cache, r.body, r.get("X-Accel-Expires")), ("REVALIDATED", b"h", None), "a 304 after it")
        like(r.get("Cache-Status"), "ttl=[01];", "the field still counts")
        settled()

    a.fill("/err"), settled()
    time.sleep(1.1)
    origin.stop()
    r = b.get("/err")
    is_((r.status, r.body, r.cache), (200, b"1", "STALE"), "stale-if-error, with a record of L2")
