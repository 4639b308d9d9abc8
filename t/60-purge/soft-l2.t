#!/usr/bin/env python3
"""What a soft purge made stale comes from L2 as stale, also for who waits while another one looks."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import invlog, l2

with scenario(60) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), headers=[("Surrogate-Key", "k")],
                     cc="max-age=100" + (", stale-while-revalidate=60" if req.path == "/window" else ""))

    redis = l2.server(t)
    proxy = t.keep(FaultProxy(redis.port))
    a, b = [invlog.leased(invlog.node(t, origin, redis.url, "strata_l2 m; strata_l2_timeout 3s;",
                                      http=f"strata_redis m {url} timeout=3s;"))
            for url in (redis.url, proxy.url)]
    for path in "/none", "/window":
        a.fill(path)
        wait_until(lambda: a.count("l2_queued") == 0, 5)
        is_(a.purge("/", headers={"Surrogate-Key": "k", "X-Purge": "invalidate"}).status, 200, f"{path}: soft purge")
        pid = b.workers()[0]
        conns = b.conns(4, pid)
        for c in conns:
            is_(c.get("/-pid").body, str(pid).encode(), "one worker")
        proxy.down(delay=300)
        for c in conns:
            c.send(build(path))
        got = read_all(conns)
        proxy.heal()
        for r in got:
            note(f"{path}: {r.body} {r.cache} {r.get('X-Tier')} {r.get('X-Reason')}")
            ok(r.body == b"2" or path == "/window" and r.cache in ("STALE", "UPDATING")
               and r.get("X-Reason") == "soft-purge", f"{path}: new, or said to be stale")
        b.quiet()
        is_(b.get(path).body, b"2", f"{path}: then the new one")
