#!/usr/bin/env python3
"""T-16: an error that a crafted request provokes is not what others get."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        if req.get("X-Big"):
            return Reply(b"too large", 431 if req.get("X-Big") == "1" else 400)
        if req.get("X-Status"):
            return Reply(b"err", int(req.get("X-Status")))
        return Reply(b"good", cc="max-age=60")

    ng = t.nginx(origin)
    for i, headers in enumerate([{"X-Big": "1"}, {"X-Big": "2"}] + [{"X-Status": str(s)} for s in
                                (400, 401, 403, 404, 405, 406, 408, 413, 414, 429, 500, 501, 502, 503, 504)]):
        r = ng.fill(f"/p{i}", headers=headers)
        isnt(r.status, 200, f"{headers}: the attacker's answer")
        r = ng.get(f"/p{i}")
        is_((r.status, r.body), (200, b"good"), f"{headers}: the victim's answer")

    # and it does not replace what is stored
    ng2 = t.nginx(origin, "strata_valid 100ms; strata_valid_max 100ms; strata_grace 1h; strata_valid any 100ms;"
                  "strata_use_stale error http_500 updating;")
    ng2.fill("/g")
    time.sleep(0.2)
    ng2.fill("/g", headers={"X-Status": "500"})
    is_(ng2.get("/g").body, b"good", "a failed refresh leaves the entry")
