#!/usr/bin/env python3
"""Redis loses the log, or will not take an event: never a silent loss."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

LEASE = 1.0 * SLOW

with scenario(150) as t:
    origin = t.origin()
    n = {}

    @origin.route("/*")
    def _(req):
        n[req.path] = n.get(req.path, 0) + 1
        return Reply(f"{n[req.path]}".encode(), cc="max-age=100", headers=[("Surrogate-Key", "k")])

    redis, a, b = invlog.pair(t, origin, lease=f"{int(LEASE * 1000)}ms")
    for ng in a, b:
        ng.allowed += ["strata log", "strata redis"]

    def fill(path):
        for ng in a, b:
            ng.get(path)
            ng.quiet()
            is_(ng.get(path).cache, "HIT", f"{path}: each has it")

    def purge(ng, tag="k"):
        start = time.monotonic()
        r = ng.purge("/", headers={"Surrogate-Key": tag})
        return r.status, json.loads(r.body), time.monotonic() - start

    def incarnation():
        return redis("HGET", "{log}:h", "inc").decode()

    def settled(inc, what):
        """Both nodes have started over under another name."""
        wait_until(lambda: all(ng.status()["log"]["incarnation"] not in (inc, "") and
                               ng.status()["log"]["lease_ms"] > 0 for ng in (a, b)), 10 * SLOW)
        is_(incarnation() != inc, True, f"{what}: another incarnation")

    # empty
    fill("/empty")
    purge(a, "z")
    was, sequence = incarnation(), a.status()["log"]["sequence"]
    redis("FLUSHALL")
    status, said, took = purge(a)
    is_(status, 200, f"a purge right after FLUSHALL: {said}")
    ok(took > LEASE * 0.9, f"waits for a lease: {took:.2f} s")
    is_(b.get("/empty").body != b"2", True, "nothing older on the other node")
    settled(was, "FLUSHALL")
    ok(a.status()["log"]["sequence"] > sequence, "sequences go on")
    is_((a.count("gap_flushes"), b.count("gap_flushes")), (1, 1), "each started over once")

    # an old dump: less than was seen, under the same name
    fill("/old")
    for i in range(5):
        purge(a, "z")
    was = incarnation()
    redis("HINCRBY", "{log}:h", "seq", "-3")
    redis("XTRIM", "log", "MAXLEN", "0")
    settled(was, "a sequence that went back")
    is_(b.get("/old").cache, "MISS", "what was there counts no more")
    is_(purge(a)[0], 200, "and the log goes on")

    # trimmed beyond a node that was stopped
    fill("/trim")
    was = b.count("gap_flushes")
    pids = b.workers()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    is_(purge(a)[0], 200, "a purge")
    redis("XTRIM", "log", "MAXLEN", "0")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    is_(b.get("/trim").body != b"2", True, "nothing older")
    wait_until(lambda: b.count("gap_flushes") == was + 1, 5 * SLOW)
    invlog.leased(b)
    is_(b.count("gap_flushes"), was + 1, "a gap, noticed")

    # a field of the stream that can't be read
    fill("/junk")
    was = b.count("gap_flushes")
    q = int(redis("HINCRBY", "{log}:h", "seq", "1"))
    redis("XADD", "log", f"{q}-0", "q", q, "i", incarnation(), "e", "junk")
    wait_until(lambda: b.count("gap_flushes") == was + 1, 5 * SLOW)
    is_(b.get("/junk").cache, "MISS", "an event nobody can read: start over")
    invlog.leased(a), invlog.leased(b)

    # refused
    for name, option, value, undo, reason in (
            ("full", "maxmemory", "1", "0", "oom"),
            ("evicting", "maxmemory-policy", "allkeys-lru", "noeviction", "evicts")):
        path = f"/{name}"
        fill(path)
        redis("CONFIG", "SET", option, value)
        status, said, took = purge(a)
        is_((status, said.get("failed")), (503, reason), f"{name}: {said}")
        is_(a.get(path).body != b"1", True, "purged on the node that was asked")
        if reason == "evicts":
            ok(wait_until(lambda: a.log("maxmemory-policy"), 5 * SLOW), "it says what to change")
        redis("CONFIG", "SET", option, undo)
        invlog.leased(a), invlog.leased(b)
        is_(purge(a)[0], 200, "and later taken")

    # gone, and back with nothing
    fill("/gone")
    redis.kill()
    wait_until(lambda: purge(a)[0] == 503, 5)
    wait_until(lambda: b.get("/gone").get("X-Reason") == "isolated", 5 * SLOW)
    ok(True, "isolated without it")
    is_(b.get("/gone").status, 200, "no error")
    redis.start()
    invlog.leased(a, 15), invlog.leased(b, 15)
    wait_until(lambda: purge(a)[0] == 200, 10)
    ok(True, "it goes on with an empty one")

    # who waits for his node, which does not know yet that there is another log
    fill("/node")
    tail = a.status()["log"]["tail"]
    other = next(pid for pid in a.workers() if pid != tail)
    with a.conn_to(other) as c, a.conn_to(other) as d:
        was = d.get("/node").body
        os.kill(tail, signal.SIGSTOP)
        redis("FLUSHALL")
        c.send(build("/", method="PURGE", headers={"Surrogate-Key": "k", "X-Purge-Wait": "node"}))
        box = in_thread(c.read)
        time.sleep(0.3)
        ok(box.is_alive(), "a purge with wait=node is not answered")
        os.kill(tail, signal.SIGCONT)
        is_(box.join().status, 200, "until it does")
        is_(d.get("/node").body != was, True, "and then nothing older is there")
