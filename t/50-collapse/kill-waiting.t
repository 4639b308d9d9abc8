#!/usr/bin/env python3
"""SIGKILL of the worker that fetches, before the header: waiters elsewhere within 250 ms + the new fetch."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

FETCH = 150

with scenario(alone=True) as t:
    origin = t.origin()
    gates = {}
    n = {}
    body = blob("kw", 50_000)

    @origin.route("/*")
    def _(req):
        n[req.path] = k = n.get(req.path, 0) + 1
        if k == 1:
            gates[req.path].wait(10)
        else:
            time.sleep(FETCH / 1000)
        return Reply(body, cc="max-age=60")

    ng = t.nginx(origin)
    for i in range(6):
        path = f"/k{i}"
        gates[path] = Gate()
        a, b = ng.workers()
        if i % 2:
            a, b = b, a
        lead = ng.conn_to(a)
        lead.send(build(path))
        ok(gates[path].arrived(), f"{i}: the fetch runs")
        conns = [ng.conn_to(b) for _ in range(10)]
        box = in_thread(ng.swarm, [Client(path, conn=c) for c in conns])
        time.sleep(0.1)
        killed = time.monotonic()
        ng.kill_worker(a)
        rs = box.join()
        is_({(r.status, r.complete, r.body == body) for r in rs}, {(200, True, True)}, f"{i}: waiters answered")
        within((max(r.end_at for r in rs) - killed) * 1000, 250 + FETCH, f"{i}: after the death", slack_ms=250)
        is_(n[path], 2, f"{i}: one new fetch")
        gates[path].open()
        ok(wait_until(lambda: len(ng.workers()) == 2, 3), f"{i}: a new worker")
        ng.quiet()
        is_(ng.get(path).cache, "HIT", f"{i}: stored")
        lead.close()
        for c in conns:
            c.close()
    at_least(ng.count("heals"), 1, "counted: heals")
