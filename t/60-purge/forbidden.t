#!/usr/bin/env python3
"""Without strata_purge, or when its condition is false, PURGE is 403 and nothing happens."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    ng = t.nginx(origin, http="map $http_x_token $may { default 0; secret 1; }"
                              "map $request_method$http_x_t $purge { default 0; PURGEgood 1; }",
                 locations="""
        location /token/ { strata_cache z; strata_purge $may; proxy_pass http://%ORIGIN%; }
        location /map/ { strata_cache z; strata_purge $purge; proxy_pass http://%ORIGIN%; }
        location /any/ { strata_cache z; strata_purge $arg_a $arg_b; proxy_pass http://%ORIGIN%; }
        location /zero/ { strata_cache z; strata_purge 0; strata_invalidate off; proxy_pass http://%ORIGIN%; }
        location /allow/ { strata_cache z; strata_purge 1; deny all; proxy_pass http://%ORIGIN%; }""")
    for path in "/a", "/token/a", "/map/a", "/zero/a":
        ng.fill(path)
        is_(ng.purge(path).status, 403, f"{path}: 403")
        is_(ng.purge(path, headers={"X-Token": "wrong", "X-T": "bad", "X-Forwarded-For": "127.0.0.1",
                                    "X-Purge": "delete"}).status, 403, f"{path}: 403 with the wrong words")
        is_(ng.get(path).cache, "HIT", f"{path}: still there")
        is_(ng.purge(path + "-never").status, 403, f"{path}: 403 says nothing of what is there")
    is_(ng.purge("/token/a", headers={"X-Token": "secret"}).status, 200, "a condition from a header")
    is_(ng.purge("/map/a", headers={"X-T": "good"}).status, 200, "a map of method and header")
    is_(ng.purge("/any/a").status, 403, "several, all empty")
    is_(ng.purge("/any/a?b=1").status, 404, "several, one true")
    is_(ng.purge("/allow/a").status, 403, "the access phase comes first")
    is_(origin.count(method="PURGE"), 0, "the origin saw no PURGE")
    for method in "purge", "Purge", "BAN", "PURGEX":
        r = ng.request("/zero/a", method)
        ok(r.status in (400, 403, 405, 200), f"{method}: {r.status}")
    is_(ng.get("/zero/a").cache, "HIT", "and changes nothing")
