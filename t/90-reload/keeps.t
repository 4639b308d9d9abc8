#!/usr/bin/env python3
"""reload keeps entries, flights that run, and readers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("rk", 200_000)

    @origin.route("/*")
    def _(req):
        return Reply(body, cc="max-age=60")

    origin.reply("/drip", Reply(body, cc="max-age=60", drip=(10_000, 0.05)))
    ng = t.nginx(origin)
    for i in range(20):
        ng.fill(f"/{i}")
    before = ng.status()
    ok(ng.reload(), "reload")
    origin.forget()
    is_({ng.get(f"/{i}").cache for i in range(20)}, {"HIT"}, "all entries are still there")
    is_(ng.get("/3").body == body, True, "with their bytes")
    after = ng.status()
    is_(after["entries"], before["entries"], "entries counted")
    is_(after["bytes_used"], before["bytes_used"], "bytes counted")
    at_least(after["stores"], before["stores"], "counters go on")
    is_(origin.count(), 0, "the origin was not asked")

    # a fetch that runs across a reload, with readers in old and new workers
    lead = in_thread(ng.get, "/drip")
    wait_until(lambda: origin.count("/drip"))
    follow = in_thread(ng.swarm, [Client("/drip") for _ in range(10)])
    time.sleep(0.2)
    ng.reload(wait=False)
    time.sleep(0.25)
    new = in_thread(ng.swarm, [Client("/drip") for _ in range(10)])
    is_(lead.join().body == body, True, "the leader in the old worker")
    is_({r.body == body for r in follow.join()}, {True}, "followers in the old workers")
    is_({r.body == body for r in new.join()}, {True}, "followers in the new workers")
    is_(origin.count("/drip"), 1, "one fetch")
    ok(wait_until(lambda: len(ng.children()) == 2, 10), "old workers leave")
