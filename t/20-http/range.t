#!/usr/bin/env python3
"""A single range of a stored body is exactly its slice."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import random

with scenario() as t:
    origin = t.origin()
    size = 10_000
    body = blob("range", size)
    origin.reply("/a", Reply(body, cc="max-age=60", headers=[("ETag", '"r1"'),
                 ("Last-Modified", "Tue, 15 Nov 2022 12:45:26 GMT")]))
    origin.reply("/empty", Reply(b"", cc="max-age=60"))
    ng = t.nginx(origin)

    # a range on a cold key: the origin is asked for the whole
    r = ng.fill("/a", headers={"Range": "bytes=100-199"})
    is_(origin.last("/a").get("Range"), None, "the fetch asks for the whole")
    is_((r.status, r.body), (206, body[100:200]), "a range of a miss")
    is_(ng.get("/a").body, body, "the whole is stored")

    c = t.keep(ng.conn())

    def check(value, start, end):
        r = c.get("/a", headers={"Range": value})
        if start is None:
            is_((r.status, r.get("Content-Range")), (416, f"bytes */{size}"), f"{value}: 416")
        else:
            is_((r.status, r.body == body[start:end + 1], r.get("Content-Range"), r.get("Content-Length")),
                (206, True, f"bytes {start}-{end}/{size}", str(end + 1 - start)), f"{value}: slice")

    check("bytes=0-0", 0, 0)
    check("bytes=0-", 0, size - 1)
    check("bytes=9999-", 9999, 9999)
    check("bytes=-1", 9999, 9999)
    check("bytes=-10000", 0, size - 1)
    check("bytes=-20000", 0, size - 1)
    check("bytes=5000-20000", 5000, size - 1)
    check("bytes=0-9223372036854775807", 0, size - 1)
    check("bytes=10000-", None, None)
    check("bytes=20000-30000", None, None)
    check("bytes=-0", None, None)
    rnd = random.Random(1)
    for _ in range(30):
        a = rnd.randrange(size)
        b = rnd.randrange(a, size)
        check(f"bytes={a}-{b}", a, b)

    # what is no range is ignored, and nothing here kills anybody
    for value in ("bytes=", "bytes=a-b", "bytes=5-4", "bytes=--5", "items=0-5", "bytes=-",
                  "bytes=99999999999999999999-", "bytes=0-99999999999999999999",
                  "bytes=18446744073709551615-", "bytes=-9223372036854775808",
                  "bytes=-9223372036854775807", "bytes=-18446744073709551616",
                  "bytes=0 - 5", "bytes=0-5x", "bytes 0-5", "=0-5"):
        r = c.get("/a", headers={"Range": value})
        ok(r.status in (200, 206, 416), f"{value}: {r.status}")
        if r.status == 200:
            is_(r.body == body, True, f"{value}: whole body")
        elif r.status == 206:
            ok(r.body in body and len(r.body) == int(r.get("Content-Length")), f"{value}: a slice")

    for value in ("bytes=0-9,20-29", "bytes=0-0,-1", "bytes=" + ",".join(f"{i}-{i}" for i in range(500))):
        r = c.get("/a", headers={"Range": value})
        ok(r.status in (200, 206) and r.complete, f"several ranges: {r.status}")
        at_most(len(r.body), size * 30, "several ranges: no amplification worth the name")

    for value, status in (('"r1"', 206), ('"other"', 200), ('W/"r1"', 200),
                          ("Tue, 15 Nov 2022 12:45:26 GMT", 206),
                          ("Tue, 15 Nov 2022 12:45:25 GMT", 200)):
        r = c.get("/a", headers={"Range": "bytes=1-2", "If-Range": value})
        is_(r.status, status, f"If-Range {value}")
    r = c.request("/a", "HEAD", headers={"Range": "bytes=0-9"})
    ok(r.status in (200, 206) and r.body == b"", "HEAD with a range")
    ng.fill("/empty")
    r = c.get("/empty", headers={"Range": "bytes=0-9"})
    ok(r.status in (200, 416) and r.complete, f"range of nothing ({r.status})")
    is_(origin.count("/a"), 1, "one fetch in all")
