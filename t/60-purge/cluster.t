#!/usr/bin/env python3
"""Two nodes and a log: a purge on one is answered when the other is past it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

with scenario(90) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100",
                     headers=[("Surrogate-Key", "all " + req.path[1:].replace("/", " "))])

    redis, a, b = invlog.pair(t, origin)

    def fill(path):
        for ng in a, b:
            ng.get(path)
            ng.quiet()
            is_(ng.get(path).cache, "HIT", f"{path}: each has it")

    # tags
    fill("/t1")
    r = a.purge("/", headers={"Surrogate-Key": "t1"})
    is_(r.status, 200, f"purged: {r.body}")
    is_(json.loads(r.body)["acked"], 2, "both have acknowledged")
    is_(json.loads(r.body)["expired"], 0, "nobody was gone")
    is_(b.get("/t1").cache, "MISS", "the other has it no more")
    is_(a.get("/t1").cache, "MISS", "nor has the first")

    # a URL, with all that depends on it
    fill("/u1?a=1")
    r = b.purge("/u1?a=1")
    is_((r.status, json.loads(r.body)["purged"], json.loads(r.body)["acked"]), (200, 1, 2), "a URL")
    is_(a.get("/u1?a=1").cache, "MISS", "gone on the other node")
    is_(b.purge("/nothing").status, 404, "one that nobody has")

    # soft, namespace of nothing, wait
    fill("/s1")
    r = a.purge("/", headers={"Surrogate-Key": "s1", "X-Purge": "invalidate"})
    is_(r.status, 200, "soft")
    is_(b.get("/s1").cache, "EXPIRED", "stale on the other node")
    r = a.purge("/", headers={"Surrogate-Key": "w", "X-Purge-Wait": "node"})
    is_((r.status, "acked" in json.loads(r.body)), (200, False), "X-Purge-Wait: node")
    r = a.purge("/", headers={"Surrogate-Key": "w", "X-Purge-Wait": "log"})
    is_((r.status, "acked" in json.loads(r.body)), (202, False), "X-Purge-Wait: log")

    # a write
    @origin.route("/w1")
    def _(req):
        n["/w1"] = n.get("/w1", 0) + 1
        return Reply(f"{n['/w1']}".encode(), cc="max-age=100")

    fill("/w1")
    is_(a.request("/w1", "POST", body=b"x").status, 200, "a write on one node")
    wait_until(lambda: b.get("/w1").cache != "HIT", 5)
    note(f"{b.get('/w1').body}")

    # sequences are equal, positions of the zones follow
    wait_until(lambda: a.status()["log"]["sequence"] == b.status()["log"]["sequence"], 5)
    la, lb = a.status()["log"], b.status()["log"]
    is_(la["sequence"], int(redis("HGET", "{log}:h", "seq")), "where the log is")
    is_(la["incarnation"], lb["incarnation"], "of one incarnation")
    ok(0 < la["lease_ms"] <= 2000, f"with a lease of {la['lease_ms']} ms")
    is_(la["tail"] in a.workers(), True, "one worker reads it")
    is_(len(redis("XRANGE", "log", "-", "+")), la["sequence"], "all of it is in the stream")

    # many, without what gateways, Redis and this process waited for a processor
    pids = [*a.workers(), *b.workers(), redis.pid, os.getpid()]

    def waited():
        return sum(int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[1]) for pid in pids) / 1e6

    times = []
    for i in range(300):
        s, w = time.monotonic(), waited()
        r = (a, b)[i % 2].purge("/", headers={"Cache-Tag": f"many{i}"})
        times.append(max(0, ms_since(s) - (waited() - w)))
        if r.status != 200 or json.loads(r.body)["acked"] != 2:
            ok(False, f"{r.status} {r.body}")
    times.sort()
    within(times[150], 5, "acknowledged: half of them")
    within(times[296], 50, "99 of 100")
    is_(a.count("gap_flushes") + b.count("gap_flushes"), 0, "no gap")
