#!/usr/bin/env python3
"""
T-09: parts of a key, and values of fields that the response varies on, never run into each
other: two requests share an entry only if all parts are equal.  (One million pairs of tuples
are in t/unit/test_strata_key.c.)
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

ODD = ["", "a", "aa", "b", "|", "a|b", ":", "\\", "\x01", "\x01a", "\x02aa", "\x81\x01", "\xff", "r", "v", ",", "a,b", "a, b",
       '"', "&", "=", "%00", " ", "x" * 127, "x" * 128, "x" * 126 + "\x01", "\x04", "\x00\x00"]

with scenario() as t:
    origin = t.origin()
    show = """add_header Cache-Control max-age=60; return 200 "$http_x_n";"""
    ng = t.nginx(origin, servers=f"""server {{ listen 127.0.0.1:%BACK%; ignore_invalid_headers off;
        location / {{ {show} }} location /v {{ add_header Vary "X-A, X-B"; {show} }} }}""", only="""
        location /k { strata_cache z; strata_key $http_x_a $http_x_b $http_x_c; proxy_pass http://127.0.0.1:%BACK%; }
        location /i { strata_cache z; strata_key $http_x_a; strata_key_identity $http_x_b;
                      proxy_pass http://127.0.0.1:%BACK%; }
        location /u { strata_cache z; strata_key $http_x_a; strata_key_args c; proxy_pass http://127.0.0.1:%BACK%; }
        location /v { strata_cache z; strata_key_args c; proxy_pass http://127.0.0.1:%BACK%; }""")
    random = rnd()
    n = 0

    def fetch(place, parts):
        """The number of the request that filled the entry of these parts."""
        global n
        n += 1
        lines = [f"X-{'ABC'[i]}: {v}" for i, v in enumerate(parts) if "\0" not in v]
        return head(f"/{place}", f"X-N: {n}", *lines)

    def usable(v):
        return v.strip(" \t") == v and "\0" not in v

    for place, width in (("k", 3), ("i", 2), ("v", 2)):
        tuples = []
        values = [v for v in ODD if usable(v)]
        while len(tuples) < 1200:
            a = [random.choice(values) for _ in range(width)]
            s = "".join(a)
            cuts = sorted(random.randrange(len(s) + 1) for _ in range(width - 1))
            b = [s[i:j] for i, j in zip([0] + cuts, cuts + [len(s)])]
            tuples += [tuple(x) for x in (a, b) if all(usable(v) for v in x)]
        owner, wrong = {}, []
        with ng.conn() as c:
            for i, parts in enumerate(tuples):
                c.send(fetch(place, parts))
                r = c.read()
                got = r.body.decode()
                # lists that mean the same are one variant: blanks around commas do not count
                key = parts if place != "v" else tuple(",".join(y.strip() for y in x.split(",")) for x in parts)
                if r.status != 200 or owner.setdefault(got, key) != key:
                    wrong.append((parts, str(r), owner.get(got)))
        at_least(len(owner), 100, f"/{place}: different tuples")
        cases(wrong, len(tuples), f"/{place}: tuples that read alike")

    # a part that is made of what another adds
    for a, b, shared in (("1", "c=1", False), ("1|c=1", "", False), ("1\x03c=1", "", False)):
        with ng.conn() as c:
            c.send(head(f"/u?{b}", f"X-A: {a}"))
            first = c.read()
        case(first.cache == "MISS", f"/u: {a!r} with {b!r} is another key")
