#!/usr/bin/env python3
"""Records that are not what was written: a miss, counted, said once a second, removed."""
import pathlib, sys
from random import Random
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{req.path} {n[req.path]}".encode() * 50, cc="max-age=100")

    redis, a = l2.pair(t, origin, n=1)
    l2.ready(a)

    a.fill("/a"), l2.stored(redis)
    key = l2.keys(redis)[""][0]
    good = redis("GET", key)
    def put(value, px=100000):
        redis("SET", key, value, "PX", px)

    random = Random(7)
    cases = [good[:i] for i in random.sample(range(len(good)), 20)]
    for i in random.sample(range(len(good)), 40):
        flipped = bytearray(good)
        flipped[i] ^= 1 << random.randrange(8)
        cases.append(bytes(flipped))
    cases += [b"", b"x", b"$-1\r\n", good + b"x", b"\0" * 1000]

    def answer():
        return b"/a %d" % n["/a"] * 50

    # strata_l1 off, so that each request looks
    c, = l2.gateways(t, origin, redis, "strata_l1 off; strata_l2_write off;", n=1, workers=1)
    l2.ready(c)
    put(good)
    is_(c.get("/a").get("X-Tier"), "l2", "the good one is a hit")
    wrong = []
    for i, value in enumerate(cases):
        put(value)
        before = n["/a"]
        r = c.get("/a")
        if r.status != 200 or r.get("X-Tier") != "origin" or n["/a"] != before + 1 \
                or r.body != answer():
            wrong.append((i, r.status, r.get("X-Tier"), r.body[:20]))
    is_(wrong, [], f"{len(cases)} damaged records: each a miss")
    is_(c.count("l2_damaged"), len(cases), "counted")
    ok(c.count("l2_misses") >= len(cases), "as misses")
    at_most(len(c.log("damaged record")), 5, "said once a second")
    at_least(len(c.log("damaged record")), 1, "said")
    is_(c.reasons().get("l2-damaged"), len(cases), "the reason")

    put(good)
    redis("PERSIST", key)
    is_(c.get("/a").get("X-Tier"), "origin", "one without a lifetime: nobody knows its age")
    redis("DEL", key)
    redis("RPUSH", key, "x")
    r = c.get("/a")
    is_((r.status, r.get("X-Tier"), r.get("X-Reason")), (200, "origin", "l2-error"),
        "another type")
    redis("DEL", key)
    time.sleep(1.1)
    put(b"junk")
    c.get("/a")
    ok(tap.wait_until(lambda: not redis("EXISTS", key)), "it is removed")

    a.fill("/b"), tap.wait_until(lambda: len(l2.keys(redis).get("", [])) == 1)
    other = l2.keys(redis)[""][0]
    put(redis("GET", other))
    r = c.get("/a")
    is_((r.get("X-Tier"), r.body == answer()), ("origin", True),
        "the record of another URL is not this one's")
