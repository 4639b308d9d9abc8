#!/usr/bin/env python3
"""GET, HEAD, range and conditional requests of one cold key share one fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("hr", 50_000)

    @origin.route("/a")
    def _(req):
        time.sleep(0.3)
        return Reply(body, cc="max-age=60", headers=[("ETag", '"e"')])

    ng = t.nginx(origin)
    kinds = [dict(), dict(method="HEAD"), dict(headers={"Range": "bytes=10-19"}),
             dict(headers={"If-None-Match": '"e"'}), dict(headers={"If-None-Match": '"x"'})]
    rs = ng.swarm([Client("/a", **kinds[i % 5]) for i in range(50)])
    want = [(200, body), (200, b""), (206, body[10:20]), (304, b""), (200, body)]
    is_([(r.status, r.body) == want[i % 5] for i, r in enumerate(rs)], [True] * 50, "each its own form")
    is_(origin.count("/a"), 1, "one fetch")
    is_(origin.last("/a").method, "GET", "a GET")
    within(max(r.ms for r in rs), 360, "the slowest", slack_ms=60)
