#!/usr/bin/env python3
"""A range of an entry that is still filling is answered as soon as its bytes are there."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    body = blob("rif", 100_000)
    origin.reply("/a", Reply(body, cc="max-age=60", drip=(10_000, 0.1)))
    ng = t.nginx(origin)
    leader = in_thread(ng.get, "/a")
    ok(wait_until(lambda: origin.count("/a")), "the fetch runs")
    time.sleep(0.15)
    first = ng.get("/a", headers={"Range": "bytes=0-999"})
    last = ng.get("/a", headers={"Range": "bytes=-1000"})
    is_((first.status, first.body == body[:1000]), (206, True), "the first 1000 bytes")
    within(first.ms, 300, "answered before the end")
    is_((last.status, last.body == body[-1000:]), (206, True), "the last 1000 bytes")
    is_(leader.join().body == body, True, "the leader's body")
    is_(origin.count("/a"), 1, "one fetch")
    is_(origin.last("/a").get("Range"), None, "for the whole")
