#!/usr/bin/env python3
"""
T-19: stored is what the origin sent, before gzip and ranges of our own: codings are not mixed
up, nothing is packed twice, a bomb stays packed.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import gzip
import zlib

with scenario(90) as t:
    origin = t.origin()
    plain = text("coding", 20_000)
    packed = gzip.compress(plain, mtime=0)
    bomb = gzip.compress(b"\0" * 400_000_000, 9, mtime=0) if SLOW == 1 else gzip.compress(b"\0" * 40_000_000, 9, mtime=0)

    @origin.route("/vary/*")
    def _(req):
        if "gzip" in (req.get("Accept-Encoding") or ""):
            return Reply(packed, cc="max-age=60", headers=[("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")])
        return Reply(plain, cc="max-age=60", headers=[("Vary", "Accept-Encoding")])

    origin.route("/always/*")(lambda req: Reply(packed, cc="max-age=60", headers=[("Content-Encoding", "gzip"), ("ETag", '"p"')]))
    origin.route("/never/*")(lambda req: Reply(plain, cc="max-age=60", headers=[("ETag", '"n"')]))
    origin.route("/lies/*")(lambda req: Reply(plain, cc="max-age=60", headers=[("Content-Encoding", "gzip")]))
    origin.reply("/bomb", Reply(bomb, cc="max-age=60", headers=[("Content-Encoding", "gzip")]))
    zones = "gzip on; gzip_types *; gzip_min_length 1; gzip_proxied any; gunzip on;"
    ng = t.nginx(origin, zones, locations="""
        location /raw/ { strata_cache z; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://%ORIGIN%/; }""")

    def unpack(r):
        body, times = r.body, 0
        for coding in (r.get("Content-Encoding") or "").split(","):
            if coding.strip() == "gzip":
                body, times = zlib.decompress(body, 31), times + 1
        return body, times

    accepts = ["gzip", None, "identity", "gzip;q=0", "GZIP", "*", "br", "gzip, br", "deflate", "", "gzip;q=0.5, identity;q=1", "x-gzip", "\xff"]
    for first in accepts:
        wrong, n = [], 0
        for then in accepts:
            for kind in "vary", "always", "never", "raw/vary", "raw/always":
                path = f"/{kind}/{accepts.index(first)}-{accepts.index(then)}"
                for value in first, then, first:
                    r = raw(ng, head(path, *[f"Accept-Encoding: {value}"] * (value is not None), "Connection: close"))
                    ng.quiet()
                n += 1
                for value in then, None, "gzip":
                    r = raw(ng, head(path, *[f"Accept-Encoding: {value}"] * (value is not None), "Connection: close"))
                    body, times = unpack(r) if r.complete else (None, 0)
                    refuses = value is None or value in ("identity", "gzip;q=0", "", "br", "deflate", "\xff")
                    if r.status != 200 or body != plain or times > 1 or (times and refuses and kind != "raw/always"):
                        wrong.append((path, value, str(r), times))
        cases(wrong, n, f"after Accept-Encoding {first!r}")

    # what is no gzip, but says so, stays what it is where nobody unpacks it
    for i in 1, 2:
        r = ng.fill("/raw/lies/1")
        case(r.body == plain and r.get("Content-Encoding") == "gzip", f"a lie is handed on as it is {i}")

    before = ng.rss()
    for i in 1, 2, 3:
        r = ng.fill("/raw/bomb", headers={"Accept-Encoding": "gzip"})
        case(r.body == bomb, f"a bomb of {len(bomb)} bytes passes packed {i}")
    at_most(ng.rss() - before, 8 << 20, "bytes more of memory")
    is_(r.cache, "HIT", "from the cache")
