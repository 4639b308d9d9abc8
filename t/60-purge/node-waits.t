#!/usr/bin/env python3
"""Many who wait for this node only: answered together, and nobody else waits for them."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

import time

N = 150

with scenario(60) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="max-age=100")

    redis, a, b = invlog.pair(t, origin)

    def purges(wait):
        """N at once; how long until all are answered, and with what."""
        conns = [a.conn() for _ in range(N)]
        began = time.monotonic()
        for i, c in enumerate(conns):
            c.send(f"PURGE /{i} HTTP/1.1\r\nHost: localhost\r\nX-Purge-Wait: {wait[i % len(wait)]}\r\n\r\n".encode())
        failed = {json.loads(c.read().body).get("failed") for c in conns}
        took = time.monotonic() - began
        for c in conns:
            c.close()
        return took, failed

    a.purge("/warm")
    cluster, failed = purges(["cluster"])
    is_(failed, {None}, "nobody is refused")
    # one in 25 ms would be 3.75 s
    node, failed = purges(["node"])
    is_(failed, {None}, "nobody is refused")
    ok(node < 1.2 + 1.5 * cluster, f"as quick as the cluster: {node:.2f} s and {cluster:.2f} s")
    both, failed = purges(["node", "cluster"])
    is_(failed, {None}, "nor if they are mixed")
    ok(both < 1.2 + 1.5 * cluster, f"and no slower: {both:.2f} s")
