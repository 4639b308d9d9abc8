#!/usr/bin/env python3
"""The status page: JSON, per zone, every counter and gauge, for whoever the location lets in."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, re

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x" * 1000, cc="max-age=60"))
    ng = t.nginx(origin, zone=["z 4m", "other 1m"], locations="""
        location = /closed { deny all; strata_status json; }
        location = /plain { strata_status; }""")
    r = ng.get("/-status")
    is_(r.status, 200, "200")
    like(r.get("Content-Type"), "application/json", "JSON")
    page = json.loads(r.body)
    is_(sorted(page["zones"]), ["other", "z"], "both zones")
    names = re.findall(r"^STRATA_METRIC\((\w+)", (ROOT / "src/base/strata_metric.def").read_text(), re.M)
    z = page["zones"]["z"]
    at_least(len(names), 20, "metrics declared")
    for name in names + ["flights", "entries", "bytes_used", "bytes_total", "hit_ratio", "reasons"]:
        ok(name in z, f"has {name}")
    is_([z[n] for n in names if n in z], [0] * len(names), "all 0 at first")
    ok(0 < z["bytes_total"] <= 4 << 20, "bytes_total")

    ng.fill("/a")
    for _ in range(3):
        ng.get("/a")
    z = ng.status()
    is_((z["hits"], z["misses"], z["stores"], z["entries"]), (3, 1, 1, 1), "counts")
    ok(abs(z["hit_ratio"] - 0.75) < 0.01, f"hit_ratio {z['hit_ratio']}")
    ok(1000 <= z["bytes_used"] <= 4096, f"bytes_used {z['bytes_used']}")
    is_(z["bytes_served"] >= 3000, True, "bytes_served")
    is_(ng.get("/closed").status, 403, "access rules hold")
    is_(json.loads(ng.get("/plain").body)["zones"]["z"]["hits"], 3, "json is the default")
    r = ng.request("/-status", "HEAD")
    is_((r.status, r.body), (200, b""), "HEAD")
    is_(ng.request("/-status", "POST", body=b"x").status, 405, "POST: 405")
    unlike(json.dumps(ng.status()), "localhost|/a", "no key in it")
    rs = ng.swarm([Client("/-status") for _ in range(100)])
    is_({r.status for r in rs}, {200}, "100 at once")
    is_(len({r.pid for r in rs}), 2, "from both workers")
    is_(len({json.loads(r.body)["zones"]["z"]["hits"] for r in rs}), 1, "which agree")
