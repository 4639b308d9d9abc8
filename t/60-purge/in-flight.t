#!/usr/bin/env python3
"""A PURGE during a fetch: what was under way is not what later requests get."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    gate, n, body = {}, {}, {}

    @origin.route("/*")
    def _(req):
        p = req.path
        n[p] = k = n.get(p, 0) + 1
        answer = f"version {k} of {p} ".encode() * 500
        if k == 1 and p in gate:
            if p.startswith("/mid"):
                req.send(f"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: {len(answer)}\r\n\r\n")
                req.send(answer[:5000])
                gate[p].wait()
                req.send(answer[5000:])
                req.close()
            gate[p].wait()
        return Reply(answer, cc="max-age=60")

    ng = t.nginx(origin, "strata_purge 1;")
    pids = ng.workers()
    for kind in "/before", "/mid":
        for same in True, False:
            for mode in "delete", "invalidate":
                p = f"{kind}{same}{mode}"
                gate[p] = Gate()
                with ng.conn_to(pids[0]) as c, ng.conn_to(pids[0 if same else 1]) as d:
                    c.send(build(p))
                    gate[p].arrived()
                    time.sleep(0.05)
                    r = d.request(p, "PURGE", headers={"X-Purge": mode})
                    ok(r.status in (200, 404), f"{p}: PURGE answers ({r.status})")
                    gate[p].open()
                    r = c.read()
                    ok(r.complete and b"version 1" in r.body, f"{p}: the client under way gets the old one")
                ng.quiet()
                want = f"version 2 of {p} ".encode() * 500
                if mode == "invalidate":
                    wait_until(lambda: ng.get(p).body == want, 2, 0.02)
                r = ng.get(p)
                is_(r.body == want, True, f"{p}: later requests get the new one ({r.cache})")
