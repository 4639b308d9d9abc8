#!/usr/bin/env python3
"""60 clients on a private response, 200 ms origin: the slowest within 450 ms, no body given to two."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    lock = threading.Lock()
    serial = 0

    @origin.route("/*")
    def _(req):
        global serial
        with lock:
            serial += 1
            mine = serial
        time.sleep(0.2)
        return Reply(b"body %d" % mine, cc="private")

    ng = t.nginx(origin)
    for i in range(3):
        for bar, name in (450, "the slowest"), (300, "remembered, nobody waits: the slowest"):
            f = followers(ng.port, 60, f"/p{i}")
            is_((f["complete"], f["statuses"]), (60, {"200": 60}), f"{i}: all answered")
            is_(len(f["bodies"]), 60, f"{i}: 60 different bodies")
            is_(len(f["pids"]), 2, f"{i}: both workers")
            took = max(((r.ended_at or r.at) - r.at) * 1000 for r in origin.seen(f"/p{i}")) - 200
            within(f["end_ms"]["max"], bar + 2 * took, f"{i}: {name}; the origin took {took:.0f} ms more")
            note(f"caches {f['caches']}")
