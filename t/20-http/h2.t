#!/usr/bin/env python3
"""HTTP/2: hits, misses, HEAD, ranges, PURGE, many streams at once."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import subprocess

with scenario() as t:
    origin = t.origin()
    body = blob("h2", 100_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.1)
        return Reply(body, cc="max-age=60", headers=[("ETag", '"h"')])

    origin.reply("/private", Reply(body, cc="private"))
    origin.reply("/drip", Reply(body, cc="max-age=60", drip=(20_000, 0.05)))
    origin.reply("/cut", Reply(body, cc="max-age=60", cut=50_000))
    ng = t.nginx(origin, "strata_purge 1;", h2=True)

    r = ng.curl("/a", h2=True)
    is_((r.reason, r.status, r.body == body, r.cache), ("HTTP/2", 200, True, "MISS"), "miss")
    ng.quiet()
    r = ng.curl("/a", h2=True)
    is_((r.body == body, r.cache), (True, "HIT"), "hit")
    is_(ng.get("/a").cache, "HIT", "the same entry over HTTP/1.1")
    r = ng.curl("/a", "-I", h2=True)
    is_((r.status, r.get("content-length"), r.body), (200, "100000", b""), "HEAD")
    r = ng.curl("/a", "-r", "100-199", h2=True)
    is_((r.status, r.body == body[100:200]), (206, True), "range")
    r = ng.curl("/a", "-H", 'If-None-Match: "h"', h2=True)
    is_((r.status, r.body), (304, b""), "conditional")
    r = ng.curl("/a", "-H", "Host: LocalHost", h2=True)
    is_(r.status, 200, "an authority in other case")
    for i in 1, 2:
        r = ng.curl("/private", h2=True)
        is_((r.status, r.body == body), (200, True), f"private {i}")
    is_(ng.curl("/drip", h2=True).body == body, True, "drip")
    r = ng.curl("/cut", h2=True)
    ok(not r.complete, f"a cut body is an error ({r.error})")
    r = ng.curl("/a", "-X", "PURGE", h2=True)
    is_(r.status, 200, "PURGE")

    # 40 streams of one connection, two keys: two fetches
    origin.forget()
    urls = []
    for i in range(40):
        urls += ["-o", f"{ng.dir}/out{i}", f"http://127.0.0.1:{ng.h2_port}/s{i % 2}"]
    p = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-Z", "--parallel-max", "40",
                        "-m", "20", *urls], capture_output=True, timeout=30)
    is_(p.returncode, 0, "40 streams at once")
    good = sum(pathlib.Path(f"{ng.dir}/out{i}").read_bytes() == body for i in range(40))
    is_(good, 40, "all bodies right")
    is_((origin.count("/s0"), origin.count("/s1")), (1, 1), "one fetch per key")
