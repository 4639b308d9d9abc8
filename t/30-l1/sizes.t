#!/usr/bin/env python3
"""Bodies of every size around chunk borders, by length and chunked, come back byte for byte."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    sizes = sorted({max(0, b + d) for b in (0, 1, 1024, 2048, 4096, 16_384, 65_536, 131_072, 262_144)
                    for d in (-1, 0, 1)} | {10, 800, 900, 950, 1000, 300_000, 700_000, 999_000})

    @origin.route("/*")
    def _(req):
        _, kind, n = req.path.split("/")
        return Reply(blob(n, int(n)), cc="max-age=60", chunked=kind == "ch",
                     headers=[("X-Pad", "p" * (int(n) % 700))])

    ng = t.nginx(origin, zone="z 64m")
    with ng.conn() as c:
        for kind in "cl", "ch":
            for n in sizes:
                want = blob(n, n)
                a = ng.fill(f"/{kind}/{n}")
                b = c.get(f"/{kind}/{n}")
                is_((a.body == want, b.body == want, b.cache), (True, True, "HIT"), f"{kind} {n}")
                if n > 2:
                    r = c.get(f"/{kind}/{n}", headers={"Range": f"bytes={n // 2}-{n - 2}"})
                    is_(r.body, want[n // 2:n - 1], f"{kind} {n}: the upper half")
