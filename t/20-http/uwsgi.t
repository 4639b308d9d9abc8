#!/usr/bin/env python3
"""uwsgi_pass behind the cache."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    body = blob("u", 60_000)

    def answer(v):
        time.sleep(0.1)
        private = v["REQUEST_URI"].startswith("/private")
        return ["Content-Type: text/plain",
                "Cache-Control: " + ("private" if private else "max-age=60")], body

    backend = t.keep(Uwsgi(answer))
    ng = t.nginx(only=f"""location / {{ strata_cache z; strata_cache_status on;
        uwsgi_pass 127.0.0.1:{backend.port};
        uwsgi_param REQUEST_METHOD $request_method; uwsgi_param REQUEST_URI $request_uri; }}""")
    r = ng.fill("/a")
    is_((r.status, r.body == body, r.cache), (200, True, "MISS"), "miss")
    r = ng.get("/a")
    is_((r.body == body, r.cache), (True, "HIT"), "hit")
    is_(backend.count("/a"), 1, "one fetch")
    rs = ng.swarm([Client("/cold") for _ in range(40)])
    is_({r.body == body for r in rs}, {True}, "40 at once")
    is_(backend.count("/cold"), 1, "one fetch")
    for i in range(3):
        is_(ng.fill("/private").body == body, True, "private")
    is_(backend.count("/private"), 3, "is not stored")
    r = ng.get("/a", headers={"Range": "bytes=10-19"})
    is_((r.status, r.body), (206, body[10:20]), "range")
