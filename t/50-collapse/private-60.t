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
        rs = ng.swarm([Client(f"/p{i}") for _ in range(60)])
        is_([r.status for r in rs], [200] * 60, f"{i}: all answered")
        is_(len({r.body for r in rs}), 60, f"{i}: 60 different bodies")
        within(max(r.ms for r in rs), 450, f"{i}: the slowest")
        is_(len({r.pid for r in rs}), 2, f"{i}: both workers")
        rs = ng.swarm([Client(f"/p{i}") for _ in range(60)])
        within(max(r.ms for r in rs), 320, f"{i}: remembered, nobody waits")
        is_(len({r.body for r in rs}), 60, f"{i}: and 60 different bodies again")
