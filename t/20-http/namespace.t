#!/usr/bin/env python3
"""strata_namespace: keys of one never meet those of another."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {req.get('X-Tenant')}".encode("latin-1"), cc="max-age=60")

    ng = t.nginx(origin, http="add_header X-Key $strata_key always;", location="strata_namespace $http_x_tenant; strata_purge 1;", locations="""
        location /own/ { strata_cache z; strata_namespace shop; strata_key $uri; proxy_pass http://%ORIGIN%;
                         location /own/none/ { strata_cache z; strata_namespace off; strata_key a;
                                               proxy_pass http://%ORIGIN%; }
                         location /own/a/ { strata_cache z; strata_namespace a; strata_key "";
                                            proxy_pass http://%ORIGIN%; } }""")

    names = [None, "a", "A", "ab", "a" * 127, "a" * 128, "http", "\x80"]
    for n in names:
        is_(ng.fill("/a", headers={"X-Tenant": n} if n else {}).cache, "MISS", f"{n and n[:9]}: nobody's")
    for n in names:
        r = ng.get("/a", headers={"X-Tenant": n} if n else {})
        is_((r.cache, r.body), ("HIT", f"GET {n}".encode("latin-1")), f"{n and n[:9]}: its own")
    r = ng.get("/a", headers={"X-Tenant": "a"})
    like(r.get("X-Key"), r"^http\|localhost\|/a\|$", "the readable key is the URL")
    is_(ng.get("/a", headers={"X-Tenant": ""}).cache, "HIT", "an empty one is none")

    # an unsafe method, and PURGE, are about their own namespace
    ng.request("/a", "POST", body=b"x", headers={"X-Tenant": "a"})
    isnt(ng.fill("/a", headers={"X-Tenant": "a"}).cache, "HIT", "POST: gone")
    is_(ng.get("/a", headers={"X-Tenant": "ab"}).cache, "HIT", "POST: another's stays")
    is_(ng.purge("/a", headers={"X-Tenant": "ab"}).status, 200, "PURGE")
    is_(ng.get("/a", headers={"X-Tenant": "A"}).cache, "HIT", "PURGE: another's stays")

    # a namespace is not a part of strata_key, though the text is equal
    ng.fill("/own/none/x")
    is_(ng.get("/own/none/y").cache, "HIT", "no namespace, key a")
    is_(ng.get("/own/a/x").cache, "MISS", "namespace a, empty key")
    is_(ng.fill("/own/x").get("X-Key"), "/own/x", "inherited, with a key of its own")
    like(t.config_error(only="location / { strata_namespace a; strata_namespace b; }") or "accepted",
         "duplicate", "twice")
    like(t.config_error(only="location / { strata_namespace $nothing_of_that; }") or "accepted",
         'unknown "nothing_of_that" variable', "an unknown variable")
