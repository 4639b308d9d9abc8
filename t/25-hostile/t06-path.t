#!/usr/bin/env python3
"""T-06: the path is keyed raw, as it is forwarded: a shared entry means that the origin heard the same bytes."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

PATHS = ["/p", "/P", "//p", "/./p", "/x/../p", "/%70", "/p/", "/p%2f", "/p%2F", "/p%2e", "/p.", "/p%20", "/p;a=b",
         "/p%3b", "/p%3fa=1", "/p?a=1", "/p%23", "/p%00x", "/p%0ax", "/p%5cx", "/p\\x", "/a/%2e%2e/p", "/p?", "/p%",
         "/p%zz", "/p*", "/p|GET", "/\xe4", "/%e4", "/%E4", "/p+", "/p%2b", "/p~", "/p%7e", "/p%7E", "/p%u002f",
         "/%2e%2e/p", "/p%c0%af", "/p,", "/p'", '/p"', "/p<", "/p{", "/p^", "/p`"]
PARTS = ["p", "P", ".", "..", "", "%2e", "%2E", "%2e%2e", "%70", "p%20", "p.", "p;a=b", "%5c", "\\", "p%2f", "x", "~", "%7e"]
TAILS = ["", "/", ".", "%20", "%00", ";", ";a", "?", "%3f", "*", "%", "+", "%2b", "|", "%7c", ":", "@"]

with scenario() as t:
    origin = t.origin()
    mirror(origin)
    ng = t.nginx(origin, locations="""
        location /-origin { internal; }""", servers="""
        server { listen 127.0.0.1:%BACK%; location / { add_header Cache-Control max-age=60; return 200 "$request_uri"; } }
        server { listen 127.0.0.1:%PORT%; server_name fast.test;
                 location / { strata_cache z; proxy_pass http://127.0.0.1:%BACK%; } }""")
    seen = {}
    for p in PATHS:
        r = ng.fill(p)
        if r.status != 200:
            case(r.status == 400, f"{p!r}: refused")
            continue
        seen[p] = r.body
    for p, first in seen.items():
        r = ng.get(p)
        case(r.body == first and first.split()[1].decode("latin-1") in (p, p.removesuffix("?")),
             f"{p!r}: always the same answer, for which the origin heard just that")
    r = ng.fill("/p#frag")
    case(r.status == 400 and ng.get("/p").body == seen["/p"], f"a fragment is refused ({r.status})")

    # two that look alike, one after the other: each gets the answer to its own bytes
    random = rnd()

    def path():
        return "/" + "/".join(random.choice(PARTS) for _ in range(random.randrange(1, 4))) + random.choice(TAILS)

    targets = []
    for _ in range(5000):
        a = path()
        i = random.randrange(1, len(a) + 1)
        targets += [a, a[:i] + random.choice(PARTS + TAILS) + a[i:]]
    wrong, refused = [], 0
    for target, r in zip(targets, many(ng, targets, ("Host: fast.test",), host=None)):
        if r is None or r.status == 400:
            refused += 1
        elif r.status != 200 or r.body.decode("latin-1") not in (target, target.removesuffix("?")):
            wrong.append((target, str(r), r.body))
    cases(wrong, len(targets) // 2, "generated pairs: the answer is to the bytes that were sent")
    at_most(refused, len(targets) // 2, "refused")
