#!/usr/bin/env python3
"""Several zones and several Redis: a location picks any pair; prefixes keep apart."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(req.path.encode(), cc="max-age=60")

    one, two = l2.server(t), l2.server(t)
    ng = t.nginx(origin, zone=["z 16m", "y 16m"], http=f"""
    strata_redis one {one.url};
    strata_redis two {two.socket} prefix=other:;""", only="".join(f"""
        location /{z}/{r}/ {{
            strata_cache {z};
            strata_l2 {r};
            {PROXY}
        }}""" for z in "zy" for r in ("one", "two", "off")))
    l2.ready(ng, "one"), l2.ready(ng, "two")

    for z in "zy":
        for r in "one", "two", "off":
            ng.fill(f"/{z}/{r}/a")
            ng.quiet(zone="y")
    tap.wait_until(lambda: len(one("KEYS", "*")) == 2 and len(two("KEYS", "*")) == 2)
    is_(len(one("KEYS", "strata:*")), 2, "one: what its locations got, of both zones")
    is_(len(two("KEYS", "other:*")), 2, "two, over a socket, under its prefix")
    is_(len(one("KEYS", "*")) + len(two("KEYS", "*")), 4, "nothing else")
    is_([ng.count("l2_stores", z) for z in "zy"], [2, 2], "counted by zone")
    for z in "zy":
        for r in "one", "two", "off":
            is_(ng.get(f"/{z}/{r}/a").get("X-Tier"), "l1", f"{z} {r}: in L1")

    # another zone finds what this one stored: same URL, same Redis
    b = t.nginx(origin, http=f"strata_redis one {one.url};", only=f"""
        location / {{
            strata_cache z;
            strata_l2 one;
            {PROXY}
        }}""")
    l2.ready(b, "one")
    is_(b.get("/y/one/a").get("X-Tier"), "l2", "the zone is not in the key")
    is_(b.get("/y/two/a").get("X-Tier"), "origin", "the Redis is")
