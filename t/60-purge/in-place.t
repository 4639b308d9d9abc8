#!/usr/bin/env python3
"""A 304 while the zone has no room freshens the entry in place: not if it was purged since it was asked."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

PURGES = {"url": ("/e", {}), "tag": ("/", {"Surrogate-Key": "a"}), "other tag": ("/", {"Surrogate-Key": "b"})}

with scenario() as t:
    origin = t.origin()
    gate, asked = Gate(), 0

    @origin.route("/*")
    def _(req):
        global asked
        more = [("ETag", '"e"'), ("Surrogate-Key", "a")] if req.path == "/e" else []
        if req.get("If-None-Match") == '"e"':
            asked += 1
            gate.wait()
            return Reply(status=304, cc="max-age=60", headers=more)
        return Reply(blob(req.path, 100_000), cc="max-age=60", headers=more)

    ng = t.nginx(origin, "strata_purge 1; strata_purge_mode invalidate;", zone="z 1m", socket="sndbuf=16k")

    def purge(what):
        path, headers = PURGES[what]
        r = ng.purge(path, headers=headers)
        ok(r.status in (200, 202), f"PURGE, {what}: {r.status}")

    # all is read, so nothing can be evicted
    slow = []
    for i in range(12):
        path = "/e" if i == 0 else f"/s{i}"
        ng.get(path)
        c = t.keep(ng.conn(rcvbuf=8192))
        c.send(build(path))
        slow.append(c)
        wait_until(lambda: ng.count("pins") > i or ng.get(path).why == "zone-full", 2)
    is_(ng.get("/no-room").why, "zone-full", "there is no room")
    is_(ng.get("/e").cache, "HIT", "but for what is there")

    for what in None, *PURGES:
        purge("url")
        gate, before, stores = Gate(), asked, ng.count("stores")
        with ng.conn() as c:
            c.send(build("/e"))
            gate.arrived()
            if what:
                purge(what)
            gate.open()
            r = c.read()
            is_((r.cache, r.body == blob("/e", 100_000)), ("REVALIDATED", True),
                f"purged by {what}: who asked before it")
        is_((asked - before, ng.count("stores") - stores), (1, 0), "asked, and no new entry")
        r = ng.get("/e")
        if what in (None, "other tag"):
            is_((r.cache, asked - before), ("HIT", 1), f"purged by {what}: fresh in place")
        else:
            is_((r.cache, asked - before), ("REVALIDATED", 2), f"purged by {what}: stale for who comes then")
            is_(ng.get("/e").cache, "HIT", "which makes it fresh")
    for c in slow:
        c.close()
    is_(ng.quiet(), {}, "nothing stays pinned")
