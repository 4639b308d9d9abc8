#!/usr/bin/env python3
"""Cookie and Authorization: such requests neither fill nor read the shared entry."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        who = req.get("Cookie") or req.get("Authorization") or "nobody"
        return Reply(who.encode(), cc="public, max-age=60")

    ng = t.nginx(origin, locations="""
        location /off/ { strata_cache z; strata_key_identity off; proxy_pass http://%ORIGIN%; }
        location /mine/ { strata_cache z; strata_key $http_authorization $uri;
                          strata_key_identity $http_authorization; proxy_pass http://%ORIGIN%; }""")

    for name, value in ("Cookie", "session=alice"), ("Authorization", "Bearer alice"):
        path = f"/{name}"
        r = ng.fill(path, headers={name: value})
        is_((r.body, r.cache, r.why), (value.encode(), "PASS", "auth"), f"{name}: passes")
        r = ng.fill(path)
        is_((r.body, r.cache), (b"nobody", "MISS"), f"{name}: it filled nothing")
        is_(ng.get(path).cache, "HIT", f"{name}: what nobody got is shared")
        r = ng.get(path, headers={name: value})
        is_(r.body, value.encode(), f"{name}: the credentials still get their own")

    ng.fill("/off/a", headers={"Cookie": "theme=dark"})
    r = ng.get("/off/a", headers={"Cookie": "theme=dark"})
    is_(r.cache, "HIT", "strata_key_identity off: a Cookie does not matter")
    ng.fill("/mine/a", headers={"Authorization": "A"})
    r = ng.get("/mine/a", headers={"Authorization": "A"})
    is_((r.cache, r.body), ("HIT", b"A"), "credential in the key: a partition of its own")
    is_(ng.get("/mine/a", headers={"Authorization": "B"}).body, b"B", "another's partition")
