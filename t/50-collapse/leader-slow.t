#!/usr/bin/env python3
"""A leader that reads 1 byte a second holds nobody up."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("ls", 900_000)

    @origin.route("/*")
    def _(req):
        time.sleep(0.2)
        return Reply(body, cc="max-age=60")

    ng = t.nginx(origin)
    pids = ng.workers()
    for pid in pids:
        path = f"/{pid}"
        slow = ng.conn_to(pid)
        slow.sock.setsockopt(client.socket.SOL_SOCKET, client.socket.SO_RCVBUF, 2048)
        conns = [ng.conn_to(pids[k % 2]) for k in range(30)]
        leader = in_thread(ng.swarm, [Client(path, conn=slow, slow=(1, 1.0))], 2.5)
        wait_until(lambda: origin.count(path))
        rs = ng.swarm([Client(path, conn=c) for c in conns])
        is_({(r.status, r.complete, r.body == body) for r in rs}, {(200, True, True)}, "followers whole")
        at_most(max(r.ms for r in rs), (200 + 50 + 30 * 3) * SLOW,
                "30 followers of 900 KB: origin time + 50 ms, 3 ms each for this client to read")
        is_(origin.count(path), 1, "one fetch")
        r = ng.get(path)
        is_((r.cache, r.body == body), ("HIT", True), "stored, while the leader still reads")
        r = leader.join()[0]
        is_(r.error, "deadline", "the leader does")
        for c in conns + [slow]:
            c.close()
