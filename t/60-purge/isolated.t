#!/usr/bin/env python3
"""A node that is cut off, stopped, or loses its tail: what it serves, and when a purge is answered."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

LEASE = 1.0 * SLOW

with scenario(120) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100", headers=[("Surrogate-Key", "k")])

    redis = l2.server(t)
    wire = t.keep(invlog.Wire(redis.port))
    lease = f"{int(LEASE * 1000)}ms"
    a = invlog.node(t, origin, redis.url, lease=lease)
    b = invlog.node(t, origin, wire.url, """location /stale/ { strata_coherence stale; strata_coherence_max 2s;
                                                               proxy_pass http://%ORIGIN%; }
                                            location /bypass/ { strata_coherence bypass;
                                                                proxy_pass http://%ORIGIN%; }""", lease=lease)
    for ng in a, b:
        ng.allowed += ["strata log", "strata redis", "strata l2"]
        invlog.leased(ng)

    def fill(path):
        for ng in a, b:
            ng.get(path)
            ng.quiet()
            is_(ng.get(path).cache, "HIT", f"{path}: each has it")

    def purge(ng, tag="k"):
        start = time.monotonic()
        r = ng.purge("/", headers={"Surrogate-Key": tag})
        return r.status, json.loads(r.body), time.monotonic() - start

    for p in "/x", "/stale/x", "/bypass/x":
        fill(p)

    # cut off
    wire.cut()
    status, said, took = purge(a)
    is_(status, 200, f"a purge while the other node is cut off: {said}")
    is_((said["acked"], said["expired"]), (1, 1), "one is past it, one has run out")
    ok(took < LEASE * 1.1 + 0.5 * SLOW, f"after {took:.2f} s")
    is_(a.get("/x").body, b"3", "the first node asks the origin")
    r = b.get("/x")
    is_((r.body, r.get("X-Reason")), (b"4", "isolated"), "so does the other, though it knows of no purge")
    r = b.get("/x")
    is_((r.body, r.cache), (b"5", "EXPIRED"), "each time")
    r = b.get("/stale/x")
    is_((r.body, r.cache, r.get("X-Reason")), (b"2", "STALE", "isolated"), "strata_coherence stale: marked so")
    wait_until(lambda: b.get("/stale/x").body != b"2", 6 * SLOW)
    ok(True, "until strata_coherence_max")
    r = b.get("/bypass/x")
    is_((r.cache, r.get("X-Reason")), ("PASS", "isolated"), "strata_coherence bypass")
    r = b.purge("/", headers={"Surrogate-Key": "k"})
    is_((r.status, "failed" in json.loads(r.body)), (503, True), f"a purge there: {r.body}")
    ok(b.count("isolated") >= 4, "counted")
    wire.mend()
    invlog.leased(b)
    is_(b.count("gap_flushes"), 0, "it reads on where it was")
    r = b.get("/bypass/x")
    is_(r.cache, "MISS", "what was purged is gone")
    b.quiet()
    is_(b.get("/bypass/x").cache, "HIT", "and hits again")

    # stopped: nginx's time stands still, too
    fill("/stop")
    pids = b.workers()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    status, said, took = purge(a)
    is_((status, said["expired"]), (200, 1), f"a purge while it is stopped, after {took:.2f} s")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    is_(b.get("/stop").body != b"2", True, "not a hit before it knows")
    invlog.leased(b)

    # its tail dies
    fill("/tail")
    for i in range(3):
        tail = b.status()["log"]["tail"]
        b.kill_worker(tail)
        status, said, took = purge(a)
        is_((status, said["acked"], said["expired"]), (200, 2, 0), f"a purge after its tail died, in {took:.2f} s")
        ok(took < 0.8 * SLOW, "another one took over")
        is_(b.status()["log"]["tail"] not in (0, tail), True, "as it says")
        is_(b.get("/tail").cache != "HIT", True, "purged")
        b.quiet()
        is_(b.get("/tail").cache, "HIT", "and stored again")
