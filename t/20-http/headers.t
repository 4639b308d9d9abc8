#!/usr/bin/env python3
"""What the origin sent comes back on a hit, in order; hop-by-hop fields do not."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    sent = [("X-One", "1"), ("x-two", "a, b"), ("X-One", "again"),
            ("Content-Language", "de"), ("ETag", '"v1"'),
            ("Last-Modified", "Tue, 15 Nov 2022 12:45:26 GMT"),
            ("Link", "</a>; rel=next"), ("X-Empty", ""), ("X-Bytes", "\xe4\xf6\xfc ~"),
            ("Content-Disposition", 'attachment; filename="a.txt"')]
    hop = [("Connection", "X-Named, keep-alive"), ("X-Named", "secret"),
           ("Keep-Alive", "timeout=5"), ("Proxy-Connection", "keep-alive"),
           ("TE", "trailers"), ("Trailer", "X-T"), ("Upgrade", "h9"),
           ("Proxy-Authenticate", "Basic"), ("Proxy-Authentication-Info", "x")]
    origin.reply("/a", Reply(b"hello", cc="max-age=60", type="text/x-odd; charset=utf-8",
                             headers=sent + hop))
    ng = t.nginx(origin)

    def check(r, name):
        is_(r.status, 200, f"{name}: 200")
        own = [(n.lower(), v) for n, v in r.headers]
        for n, v in sent:
            ok((n.lower(), v) in own, f"{name}: {n}")
        is_(r.all("X-One"), ["1", "again"], f"{name}: repeated field in order")
        is_(r.get("Content-Type"), "text/x-odd; charset=utf-8", f"{name}: type as sent")
        is_(r.get("Cache-Control"), "max-age=60", f"{name}: Cache-Control as sent")
        for n, _ in hop[1:]:
            if n != "TE":
                is_(r.get(n), None, f"{name}: no {n}")
        unlike(r.get("Connection"), "X-Named", f"{name}: Connection is ours")

    check(ng.fill("/a"), "miss")
    r = ng.get("/a")
    is_(r.cache, "HIT", "hit")
    check(r, "hit")
    first = [n for n, _ in r.headers if n in ("X-One", "x-two", "Link", "X-Empty")]
    is_(first, ["X-One", "x-two", "X-One", "Link", "X-Empty"], "hit: names and order")
    is_(origin.count("/a"), 1, "one fetch")
