#!/usr/bin/env python3
"""Writes and bodies to very many URLs that nobody has cached leave nothing behind, and push nothing out."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import binascii
import l2

N = 600

with scenario(60) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        if req.path.startswith("/none/"):
            return Reply(b"no", status=403, headers=[("Cache-Control", "no-store")])
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100")

    ng = t.nginx(origin, "strata_purge on;", zone="z 1m", locations=f"""
        location /body/ {{ {CACHE} {PROXY} strata_methods GET POST; strata_key_body on; strata_purge on; }}
        location /none/ {{ {CACHE} {PROXY} strata_methods GET POST; strata_key_body on; }}""")

    def post(path, body=b"q"):
        r = ng.request(path, "POST", body=body)
        ng.quiet()
        return r

    def flood(path, status):
        with ng.conn() as c:
            said = {c.request(f"{path}{i}", "POST", body=b"x").status for i in range(N)}
        is_(said, {status}, f"{N} writes to {path}...")
        ng.quiet()

    ng.fill("/page")
    post("/body/a")
    is_(post("/body/a").cache, "HIT", "a body is a key")
    base = {k: ng.count(k) for k in ("entries", "evictions")}

    flood("/never/", 200)
    is_({k: ng.count(k) for k in base}, base, "invalidations of what is not there keep nothing")
    flood("/none/", 403)
    is_({k: ng.count(k) for k in base}, base, "nor do bodies whose answer is not stored")
    is_((ng.get("/page").cache, post("/body/a").cache), ("HIT", "HIT"), "what was there is there")

    # what the rule of a URL is for, with and without one
    is_((post("/body/b").cache, post("/body/b").cache, post("/body/b", b"other").cache), ("MISS", "HIT", "MISS"), "bodies")
    is_(ng.purge("/body/b").status, 200, "a purge of the URL")
    is_((post("/body/b").cache, post("/body/b", b"other").cache), ("MISS", "MISS"), "takes all of them")
    is_(post("/body/c").cache, "MISS", "one that nobody has found yet")
    ng.purge("/body/c")
    is_(post("/body/c").cache, "MISS", "goes as well")
    is_(post("/body/c").cache, "HIT", "and comes back")
    for i in range(3):
        is_(ng.purge("/body/c").status, 200, "again and again")
        is_((post("/body/c").cache, post("/body/c").cache), ("MISS", "HIT"), "with the same body")

    # in Redis there is a bound on what is remembered of purges: one for each slot
    redis, far = l2.pair(t, origin, n=1, zone="z 4m")
    with far.conn() as c:
        for i in range(N):
            c.get(f"/far/{i}")
        ok(l2.stored(redis, N, 20), f"{N} records")
        slots = {binascii.crc_hqx(re.search(rb"{(.*)}", k)[1], 0) % 16384 for k in l2.keys(redis)[""]}
        for i in range(N):
            c.request(f"/far/{i}", "POST", body=b"x")
    ok(wait_until(lambda: not l2.keys(redis).get(""), 20), "all purged")
    tombs = l2.keys(redis)[":t"]
    is_({binascii.crc_hqx(re.search(rb"{(.*)}", k)[1], 0) % 16384 for k in tombs}, slots, "in the slots of the records")
    is_(len(tombs), len(slots), "one each")
    ok(len(slots) < N, f"{len(slots)}, as some share one")
