#!/usr/bin/env python3
"""Writes and bodies to very many URLs that nobody has cached leave nothing behind, and push nothing out."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

N = 600

with scenario() as t:
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
    is_(post("/body/c").cache, "MISS", "one that nobody has asked for twice")
    ng.purge("/body/c")
    is_(post("/body/c").cache, "MISS", "goes as well")
    is_(post("/body/c").cache, "HIT", "and comes back")
    for i in range(3):
        is_(ng.purge("/body/c").status, 200, "again and again")
        is_((post("/body/c").cache, post("/body/c").cache), ("MISS", "HIT"), "with the same body")
