#!/usr/bin/env python3
"""
SIGKILL of the worker that fetches, in the middle of the body: readers elsewhere see a cut,
nobody a wrong byte, and the next client is served within 250 ms + the new fetch.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario(alone=True) as t:
    origin = t.origin()
    n = {}
    body = blob("kf", 100_000)

    @origin.route("/*")
    def _(req):
        n[req.path] = k = n.get(req.path, 0) + 1
        return Reply(body, cc="max-age=60", drip=(5_000, 0.05) if k == 1 else (50_000, 0.05),
                     chunked=req.path.startswith("/ch"))

    ng = t.nginx(origin)
    for i, kind in enumerate(("cl", "ch") * 3):
        path = f"/{kind}{i}"
        a, b = ng.workers()
        lead = ng.conn_to(a)
        lead.send(build(path))
        wait_until(lambda: path in n)
        conns = [ng.conn_to(b) for _ in range(10)]
        box = in_thread(ng.swarm, [Client(path, conn=c) for c in conns])
        time.sleep(0.3)
        killed = time.monotonic()
        ng.kill_worker(a)
        with ng.conn_to(b) as c:
            start = time.monotonic()
            r = c.get(path)
            if r.error:                    # it joined what was being cut
                with ng.conn_to(b) as c2:
                    r = c2.get(path)
            within((r.end_at - killed) * 1000, 250 + 100 + 100, f"{path}: a new client", slack_ms=350)
            is_((r.status, r.complete, r.body == body), (200, True, True), f"{path}: whole")
        rs = box.join()
        ok(all(body.startswith(r.body) for r in rs), f"{path}: readers: no wrong byte")
        ok(all(r.body == body for r in rs if r.complete), f"{path}: none takes a part for the whole")
        within((max(r.end_at for r in rs) - killed) * 1000, 250 + 100 + 150, f"{path}: readers end", slack_ms=400)
        ok(wait_until(lambda: len(ng.workers()) == 2, 3), f"{path}: a new worker")
        ng.quiet()
        r = ng.get(path)
        is_((r.cache, r.body == body), ("HIT", True), f"{path}: stored")
        at_most(n[path], 3, f"{path}: fetches")
        lead.close()
        for c in conns:
            c.close()
