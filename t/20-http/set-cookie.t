#!/usr/bin/env python3
"""strata_set_cookie: skip (default), strip, store."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        global n
        n += 1
        return Reply(b"x", cc="max-age=60", headers=[("Set-Cookie", f"id={n}; Path=/"),
                                                     ("Set-Cookie", "b=2"), ("X-A", "1")])

    ng = t.nginx(origin, locations="".join(f"""
        location /{word}/ {{ strata_cache z; strata_set_cookie {word}; proxy_pass http://%ORIGIN%; }}"""
                                           for word in ("skip", "strip", "store")))
    for path in "/a", "/skip/a":
        ids = set()
        for i in range(4):
            r = ng.fill(path)
            ids.add(r.all("Set-Cookie")[0])
            is_(len(r.all("Set-Cookie")), 2, f"{path}: both cookies")
        is_(len(ids), 4, f"{path}: each client its own")
    ng.fill("/strip/a")
    r = ng.get("/strip/a")
    is_((r.cache, r.all("Set-Cookie"), r.get("X-A")), ("HIT", [], "1"), "strip: stored without")
    first = ng.fill("/store/a")
    r = ng.get("/store/a")
    is_(r.cache, "HIT", "store: stored")
    is_(r.all("Set-Cookie"), first.all("Set-Cookie"), "store: with its cookies")
