#!/usr/bin/env python3
"""The leader leaves at any point: followers in both workers are answered within origin time + 50 ms, by one fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("la", 200_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.3)
        return Reply(body, cc="max-age=60", drip=(50_000, 0.05))

    ng = t.nginx(origin)
    pids = ng.workers()
    points = [("sent", 0.0), ("sent", 0.15), ("header", 0.0), (50_000, 0.0), (150_000, 0.0)]
    for i, (point, stay) in enumerate(points):
        for pid in pids:
            path = f"/p{i}-{pid}"
            conns = [ng.conn_to(pid)] + [ng.conn_to(pids[k % 2]) for k in range(20)]
            rs = ng.swarm([Client(path, conn=conns[0], abort=point, abort_after=stay)]
                          + [Client(path, conn=c, start=0.02) for c in conns[1:]])
            name = f"leaves at {point} + {stay}"
            is_(rs[0].error, "aborted", f"{name}: it did")
            is_({(r.status, r.complete, r.body == body) for r in rs[1:]}, {(200, True, True)},
                f"{name}: followers whole")
            within(max(r.ms for r in rs[1:]), 500 + 50, f"{name}: the last follower", slack_ms=50)
            is_(origin.count(path), 1, f"{name}: one fetch")
            for c in conns:
                c.close()

    # with nobody else there the fetch ends well too, and its result may be used
    for i, (point, stay) in enumerate(points):
        ng.swarm([Client(f"/alone{i}", abort=point, abort_after=stay)])
    ng.quiet()
    rs = [ng.get(f"/alone{i}") for i in range(len(points))]
    is_({r.body == body for r in rs}, {True}, "alone: the next client gets the whole")
