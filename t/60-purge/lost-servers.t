#!/usr/bin/env python3
"""
The Redis of log and L2 comes back with an old dump, or a replica that missed the last purges takes over: what
those purges took away is nowhere again, though L2 of the other server still has it.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from fault_proxy import FaultProxy
import invlog, l2

LEASE = 1.0 * SLOW

with scenario(90) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100", headers=[("Surrogate-Key", req.path[1:])])

    first, second = l2.server(t), l2.server(t)
    proxy = t.keep(FaultProxy(first.port))            # of both nodes
    copying = t.keep(FaultProxy(first.port))          # of the replica
    a, b = [invlog.node(t, origin, proxy.url, f"strata_l2 r; strata_l2_timeout {int(500 * SLOW)}ms;",
                        lease=f"{int(LEASE * 1000)}ms") for _ in range(2)]
    for ng in a, b:
        ng.allowed += ["strata log", "strata redis", "strata l2"]
        invlog.leased(ng)

    def fill(path, redis):
        had = len(l2.keys(redis).get("", []))
        a.get(path)
        ok(l2.stored(redis, had + 1), f"{path}: in L2")
        is_((a.get(path).cache, b.get(path).body), ("HIT", b"1"), "and in both nodes")
        b.quiet()

    def purge(path, by):
        """By tag, which L2 is not told, or the URL, which it is."""
        return a.purge("/", headers={"Surrogate-Key": path[1:]}) if by == "tag" else a.purge(path)

    def settled(inc):
        """Both know of another incarnation, and have a lease of it."""
        return wait_until(lambda: all(ng.status()["log"]["incarnation"] not in ("", inc) and
                                      ng.status()["log"]["lease_ms"] > 0 for ng in (a, b)), 15 * SLOW)

    def nothing_older(path, what):
        for ng in b, a:
            r = ng.get(path)
            is_((r.status, r.body != b"1"), (200, True), f"{path}, {what}: nothing older ({r.body})")

    # an old dump
    for path in "/tag-dump", "/url-dump":
        fill(path, first)
    first("SAVE")
    for path in "/tag-dump", "/url-dump":
        r = purge(path, path[1:4])
        is_((r.status, json.loads(r.body)["acked"]), (200, 2), f"purged: {r.body}")
    was = a.status()["log"]
    first.kill()
    for path in "/tag-dump", "/url-dump":
        nothing_older(path, "without Redis")
    first.start()
    ok(len(l2.keys(first).get("", [])) >= 2, "the old dump has both records")
    ok(int(first("HGET", "{log}:h", "seq")) < was["sequence"], "and knows of less")
    for path in "/tag-dump", "/url-dump":
        nothing_older(path, "at once")
    ok(settled(was["incarnation"]), "another incarnation")
    ok(a.status()["log"]["sequence"] >= was["sequence"], "sequences go on")
    for path in "/tag-dump", "/url-dump":
        nothing_older(path, "with a lease")
    r = a.purge("/", headers={"Surrogate-Key": "x"})
    is_((r.status, json.loads(r.body)["acked"]), (200, 2), "and the log goes on")

    # a replica that was cut off takes over
    second("REPLICAOF", "127.0.0.1", copying.port)
    ok(wait_until(lambda: second.info().get("master_link_status") == "up", 15), "a replica")
    for path in "/tag-copy", "/url-copy":
        fill(path, first)
    ok(wait_until(lambda: len(l2.keys(second).get("", [])) == len(l2.keys(first)[""]), 10), "it has the records")
    copying.both(drop=1)
    for path in "/tag-copy", "/url-copy":
        is_(purge(path, path[1:4]).status, 200, "a purge it does not hear of")
    was = a.status()["log"]
    first.kill()
    second("REPLICAOF", "NO", "ONE")
    proxy.target(second.port)
    ok(len(l2.keys(second)[""]) >= 2, "it has what was purged")
    for path in "/tag-copy", "/url-copy":
        nothing_older(path, "at once")
    ok(settled(was["incarnation"]), "another incarnation")
    for path in "/tag-copy", "/url-copy":
        nothing_older(path, "with a lease")
    since = time.monotonic()
    r = b.purge("/", headers={"Surrogate-Key": "x"})
    is_((r.status, json.loads(r.body)["acked"]), (200, 2), f"and the log goes on, after {ms_since(since):.0f} ms")
    is_((a.count("gap_flushes"), b.count("gap_flushes")), (2, 2), "each started over twice")
