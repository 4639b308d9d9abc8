#!/usr/bin/env python3
"""Two gateways, one Redis: what one fetched is a hit on the other, without the origin."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

BIG = blob("big", 4 * 1024 * 1024)
HOP = [("Proxy-Connection", "keep-alive"), ("TE", "trailers"), ("Trailer", "X-T"),
       ("Upgrade", "h2c"), ("Proxy-Authenticate", "Basic"),
       ("Proxy-Authentication-Info", "x")]

with scenario() as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        if req.path == "/404":
            return Reply(b"no", status=404, cc="max-age=60")
        if req.path == "/hidden":
            return Reply(b"hidden", cc="max-age=1",
                         headers=[("Surrogate-Control", "max-age=100")])
        if req.path == "/empty":
            return Reply(b"", cc="max-age=60")
        return Reply(b"hello" if req.path != "/big" else BIG, cc="max-age=100",
                     type="text/plain; charset=utf-8",
                     headers=[("Age", "10"), ("ETag", '"e1"'), ("X-Own", "yes"),
                              ("Last-Modified", "Fri, 01 Jan 2021 00:00:00 GMT"),
                              ("Set-Cookie2", "x"), ("Keep-Alive", "timeout=5"),
                              ("Connection", "X-Hop"), ("X-Hop", "no"), *HOP,
                              ("Cache-Status", "upstream; hit")])

    redis, a, b = l2.pair(t, origin, "strata_jitter off; strata_max_object 8m;",
                          zone="z 64m")
    l2.ready(a), l2.ready(b)

    r = a.fill("/a")
    is_((r.cache, r.get("X-Tier")), ("MISS", "origin"), "the first gateway asks the origin")
    ok(l2.stored(redis), "and stores in Redis")
    time.sleep(1.2)

    r = b.get("/a")
    is_((r.status, r.body), (200, b"hello"), "the second one answers")
    is_((r.cache, r.get("X-Tier"), r.get("X-Reason")), ("HIT", "l2", "l2"), "from L2")
    is_(n["/a"], 1, "without the origin")
    is_(r.get("Age"), "11", "Age goes on")
    like(",".join(v for k, v in r.headers if k.lower() == "cache-status"),
         r"upstream; hit.*Strata; hit; ttl=8[89]; detail=l2", "Cache-Status, remaining life")
    is_(r.get("Content-Type"), "text/plain; charset=utf-8", "type and charset")
    is_((r.get("ETag"), r.get("X-Own"), r.get("Last-Modified")),
        ('"e1"', "yes", "Fri, 01 Jan 2021 00:00:00 GMT"), "its own fields")
    hop = ["X-Hop", "Keep-Alive", *(k for k, _ in HOP)]
    is_([x for x in hop if r.get(x)], [], "nothing hop-by-hop")
    record = redis("GET", l2.keys(redis)[""][0]).lower()
    ok(b"x-own" in record, "the record has fields")
    is_([x for x in hop + ["trailers"] if x != "TE" and x.lower().encode() in record], [],
        "nor is it in Redis")

    r = b.get("/a")
    is_((r.cache, r.get("X-Tier")), ("HIT", "l1"), "then it is in L1")
    is_(r.get("Age"), "11", "with the same age")
    is_((b.count("l2_hits"), a.count("l2_stores")), (1, 1), "counted")

    a.fill("/c"), l2.stored(redis, 2)
    r = b.get("/c", method="HEAD")
    is_((r.status, r.get("X-Tier"), r.get("Content-Length"), r.body), (200, "l2", "5", b""),
        "HEAD from L2")
    a.fill("/d"), l2.stored(redis, 3)
    r = b.get("/d", headers=[("Range", "bytes=1-2")])
    is_((r.status, r.get("X-Tier"), r.body), (206, "l2", b"el"), "a range")
    a.fill("/e"), l2.stored(redis, 4)
    r = b.get("/e", headers=[("If-None-Match", '"e1"')])
    is_((r.status, r.get("X-Tier")), (304, "l2"), "a condition")
    a.fill("/404"), l2.stored(redis, 5)
    r = b.get("/404")
    is_((r.status, r.cache, r.get("X-Tier"), r.body), (404, "NEGATIVE", "l2", b"no"),
        "a negative one")
    a.fill("/empty"), l2.stored(redis, 6)
    r = b.get("/empty")
    is_((r.status, r.get("X-Tier"), r.body), (200, "l2", b""), "an empty one")

    r = a.fill("/big")
    ok(r.body == BIG, "4 MB through the first")
    ok(l2.stored(redis, 7), "stored")
    is_(len(l2.keys(redis)[":p"]), 16, "in parts")
    r = b.get("/big")
    ok(r.body == BIG, "4 MB, identical, from the second")
    is_((r.cache, r.get("X-Tier"), n["/big"]), ("HIT", "l2", 1), "from L2")
    ok(b.get("/big").get("X-Tier") == "l1", "then from L1")

    a.fill("/hidden"), l2.stored(redis, 8)
    time.sleep(1.1)
    r = b.get("/hidden")
    is_((r.get("X-Tier"), r.get("Surrogate-Control")), ("l2", None),
        "what rules here and is for no client went along, unseen")

    c, = l2.gateways(t, origin, redis, """add_header X-Time $strata_l2_time always;
                                          add_header X-Tier $strata_tier always;""", n=1)
    l2.ready(c)
    r = c.get("/a")
    is_(r.get("X-Tier"), "l2", "a third node")
    like(r.get("X-Time"), r"^0\.\d{6}$", "$strata_l2_time")
    is_(c.get("/a").get("X-Time"), None, "none, if L1 has it")
    c.fill("/new")
    times = c.status()["times_us"]
    is_((sum(times["l2"].values()), sum(times["origin"].values())), (2, 1), "times are counted")

    is_([k for k in redis("KEYS", "*") if redis("PTTL", k) < 0], [],
        "every key has a lifetime")
    ok(all(50000 < redis("PTTL", k) <= 800000 for k in redis("KEYS", "*")),
       "as long as it is of use")
