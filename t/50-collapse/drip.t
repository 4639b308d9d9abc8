#!/usr/bin/env python3
"""
Origin drips 100 KB over 2 s with Content-Length: followers in both workers stream along.
Their first byte within 50 ms of the leader's, all bytes right.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("drip", 100_000)
    origin.reply("/d", Reply(body, cc="max-age=60", drip=(2_500, 0.05)))
    ng = t.nginx(origin)
    pids = ng.workers()
    conns = [ng.conn_to(pids[i % 2]) for i in range(21)]
    # the leader first, then 20 followers, 10 in each worker
    rs = ng.swarm([Client("/d", conn=conns[0])]
                  + [Client("/d", conn=c, start=0.03) for c in conns[1:]]
                  + [Client("/d", start=1.0 + i * 0.01) for i in range(10)])
    is_([r.body == body and r.complete for r in rs], [True] * 31, "all bytes right")
    is_(origin.count("/d"), 1, "one fetch")
    is_({r.pid for r in rs}, set(pids), "both workers took part")
    lead = rs[0]
    within(lead.body_ms, 100, "the leader's first byte")
    for name, members in (("first", lambda r: r.first_at), ("body", lambda r: r.body_at)):
        late = [(max(members(r), r.sent_at) - max(members(lead), r.sent_at)) * 1000 for r in rs[1:21]]
        within(max(late), 50, f"followers' {name} byte after the leader's")
    late = [r.body_ms for r in rs[21:]]
    within(max(late), 50, "who comes in the middle gets what is there at once")
    ends = [(r.end_at - lead.end_at) * 1000 for r in rs[1:]]
    within(max(ends), 50, "nobody ends long after the leader")
    ok(lead.ms > 1800, "the origin took 2 s")
    for c in conns:
        c.close()
