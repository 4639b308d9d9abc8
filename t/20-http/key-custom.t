#!/usr/bin/env python3
"""strata_key: parts never run into each other; tenants are apart."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.get('X-A')}/{req.get('X-B')}".encode(), cc="max-age=60")

    ng = t.nginx(origin, "strata_key $http_x_a $http_x_b;",
                 http="map $http_x_p $phone { default 0; ~*phone 1; ~(x).(y) $1; } map $http_x_p $skip { ~z.(z) 1; ~. 0; }", locations="""
        location ~ ^/item/(.)(.) { strata_cache z; strata_key $phone $1 "$phone$2"; strata_bypass $skip;
                                   proxy_set_header X-A $1; proxy_set_header X-B $2; proxy_pass http://%ORIGIN%/$2; }
        location /bare/ { rewrite ^ /bared break; strata_cache z; strata_key $phone $uri; proxy_pass http://%ORIGIN%; }
        location /one/ { strata_cache z; strata_key $uri; proxy_pass http://%ORIGIN%; }
        location /vol/ { strata_cache z; strata_key $request_id; proxy_pass http://%ORIGIN%; }""")
    pairs = [("a", "bc"), ("ab", "c"), ("abc", ""), ("", "abc"), ("a|b", "c"), ("a", "b|c"),
             ("1", "x"), ("1x", ""), ("\x7f", "b"), ("a" * 127, "b"), ("a" * 128, "b"), ("a" * 127, "ab")]
    for a, b in pairs:
        ng.fill("/p", headers={"X-A": a, "X-B": b})
    for a, b in pairs:
        r = ng.get("/p", headers={"X-A": a, "X-B": b})
        is_((r.cache, r.body), ("HIT", f"{a or ''}/{b or ''}".encode()), f"({a[:9]}, {b[:9]})")
    is_(origin.count("/p"), len(pairs), "each its own entry")
    ng.fill("/one/a?x=1", headers={"X-A": "1"})
    is_(ng.get("/one/a?x=2").cache, "HIT", "what is not in the key does not matter")
    for i in range(3):
        isnt(ng.fill("/vol/a").cache, "HIT", "a key that changes each time")
    r = ng.get("/p", headers={"X-A": "k" * 6000, "X-B": "l" * 3000})
    is_((r.status, r.cache, r.why), (200, "PASS", "key"), "a key over 8 KiB passes")

    # a regex that one part evaluates takes nothing from the others, nor from the request
    for p, status in ("phone", "MISS"), ("x-y", "MISS"), ("", "MISS"), ("z.z", "BYPASS"):
        for path, want in ("/item/ab", b"a/b"), ("/item/cd", b"c/d"), ("/item/ad", b"a/d"):
            r = ng.fill(path, headers={"X-P": p} if p else {})
            is_((r.body, r.cache, origin.last().target), (want, status, "/" + path[-1]), f"{p}: {path}: captures of the location")
    for p in "phone", "x-y", "":
        is_(ng.fill("/bare/a", headers={"X-P": p}).status, 200, f"{p}: after a regex without parentheses")
