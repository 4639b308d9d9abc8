#!/usr/bin/env python3
"""Too much is on its way to a Redis that stands still: look-ups are refused at once, purges are not."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import l2

SHOW = "add_header X-Reason $strata_reason always; add_header X-Status $strata_status always;"
SIZE = 209_000                                     # five of them, and a little more, are 1 MB

with scenario(alone=True) as t:
    origin = t.origin()
    gate = Gate()

    @origin.route("/*")
    def _(req):
        if req.path.startswith("/big"):
            gate.wait()
            return Reply(blob(req.path, SIZE), cc="max-age=60")
        return Reply(b"x", cc="max-age=60")

    redis = l2.server(t)
    ng, = l2.gateways(t, origin, f"{redis.url} pool=1 timeout=20s", n=1, workers=1,
                      http="strata_cache z; strata_cache_status on; strata_l2 r; strata_l2_timeout 20s;"
                           "strata_max_object 8m;", only=f"""
        location / {{ strata_purge 1; {PROXY} {SHOW} }}
        location /error/ {{ strata_l2_fail error; {PROXY} {SHOW} }}""")
    l2.ready(ng)
    ng.fill("/there")
    l2.stored(redis)

    # writes that have all they need but an answer
    conns = [t.keep(ng.conn()) for _ in range(8)]
    for i, c in enumerate(conns):
        c.send(build(f"/big{i}"))
    gate.arrived(8)
    redis.stop()
    gate.open()
    is_({r.status for r in read_all(conns)}, {200}, "clients do not wait for writes")
    tap.wait_until(lambda: l2.instance(ng)["in_flight"] >= 5, 5)

    # the little room that is left goes to some look-ups; the others do without L2
    looks = [t.keep(ng.conn()) for _ in range(100)]
    for i, c in enumerate(looks):
        c.send(build(f"/cold{i}"))
    tap.wait_until(lambda: ng.reasons().get("l2-busy", 0) > 0, 5)
    before = ng.reasons()["l2-busy"]
    start = time.monotonic()
    r = ng.get("/cold")
    is_((r.status, r.body, r.why), (200, b"x", "l2-busy"), "the origin is asked")
    like(r.get("Cache-Status"), "fwd=uri-miss; .*detail=l2-busy", "and it is said why")
    at_most(ms_since(start), 1000 * SLOW, "at once")
    is_(ng.reasons()["l2-busy"] - before, 1, "counted once")
    is_(ng.get("/cold").cache, "HIT", "what came is in L1")
    r = ng.get("/error/cold")
    is_((r.status, r.why), (503, "l2-busy"), "strata_l2_fail error: or not even that")

    # a purge is never refused
    c = t.keep(ng.conn())
    c.send(build("/there", method="PURGE"))
    time.sleep(0.2)
    redis.go_on()
    is_(c.read().status, 200, "a purge")
    got = read_all(looks)
    is_({(r.status, r.body) for r in got}, {(200, b"x")}, "all were answered")
    ok({r.why for r in got} == {"l2-busy", "miss"}, f"in both ways ({ {r.why for r in got} })")
    ok(tap.wait_until(lambda: ng.count("l2_queued") == 0, 5), "no write is left behind")
    is_(ng.quiet(), {}, "nothing is left behind")
