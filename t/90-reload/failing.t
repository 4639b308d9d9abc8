#!/usr/bin/env python3
"""A reload that fails changes nothing: entries, answers, workers, also in mid-fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import socket

with scenario() as t:
    origin = t.origin()
    body = blob("rf", 50_000)

    @origin.route("/*")
    def _(req):
        return Reply(body, cc="max-age=60")

    origin.reply("/drip", Reply(body, cc="max-age=60", drip=(5_000, 0.1)))
    ng = t.nginx(origin)
    ng.allowed += [r"\[emerg\]"]
    for i in range(10):
        ng.fill(f"/{i}")
    before, pids = ng.status(), ng.workers()
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen(1)
    busy = taken.getsockname()[1]

    bad = {"syntax": dict(http="nonsense;"),
           "after the zone": dict(http="strata_cache no_such_zone;"),
           "a bad value": dict(location="strata_lock sometimes;"),
           "zone twice": dict(zone=["z 16m", "z 8m"]),
           "another size and a busy port": dict(zone="z 8m", servers=f"server {{ listen 127.0.0.1:{busy}; }}"),
           "a busy port": dict(servers=f"server {{ listen 127.0.0.1:{busy}; }}"),
           "a missing file": dict(main="include /nonexistent/file;")}
    good = dict(http="", location="", zone="z 16m", servers="", main="")
    drip = in_thread(ng.swarm, [Client("/drip") for _ in range(5)])
    for name, change in bad.items():
        ng.write(**change)
        seen = len(ng.log(r"\[emerg\]"))
        ng.reload(wait=False)
        ok(wait_until(lambda: len(ng.log(r"\[emerg\]")) > seen, 8), f"{name}: refused")
        ng.write(**good)
        is_(ng.workers(), pids, f"{name}: the same workers")
        is_({ng.get(f"/{i}").cache for i in range(10)}, {"HIT"}, f"{name}: all entries")
        is_(ng.get("/3").body == body, True, f"{name}: right bytes")
    is_({r.body == body for r in drip.join(60)}, {True}, "a fetch that ran meanwhile")
    after = ng.status()
    is_(after["entries"], before["entries"] + 1, "entries")
    is_(after["stores"], before["stores"] + 1, "stores: counters were not reset")
    ok(ng.reload(), "a good reload works afterwards")
    is_(ng.get("/3").cache, "HIT", "and keeps the entries")
    taken.close()
