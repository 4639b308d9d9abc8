#!/usr/bin/env python3
"""A leader that reads 1 byte a second holds nobody up: followers within origin time + 50 ms, one fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import socket

with scenario(alone=True) as t:
    origin = t.origin()
    body = blob("ls", 300_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.3)
        return Reply(body, cc="max-age=60")

    ng = t.nginx(origin, socket="sndbuf=16k")
    late = []
    for i in range(4):
        path = f"/{i}"
        slow = ng.conn(rcvbuf=2048)
        leader = in_thread(ng.swarm, [Client(path, conn=slow, slow=(1, 1.0))], 2.5)
        wait_until(lambda: origin.count(path))
        asked = origin.last(path)
        f = followers(ng.port, 30, path)
        is_((f["complete"], len(f["bodies"])), (30, 1), f"{i}: 30 followers whole")
        took = (asked.ended_at - asked.at) * 1000
        late.append(f["end_ms"]["max"] + (f["started"] - asked.at) * 1000 - took)
        is_(origin.count(path), 1, f"{i}: one fetch")
        r = ng.get(path)
        is_((r.cache, r.body == body), ("HIT", True), f"{i}: stored, while the leader still reads")
        is_(leader.join()[0].error, "deadline", f"{i}: the leader does")
        slow.close()

    # with so small a send buffer TCP waits for a late ACK now and then, 40 ms
    within(sorted(late)[1], 50, f"the last follower after the origin, second of {[round(ms) for ms in sorted(late)]} ms")
