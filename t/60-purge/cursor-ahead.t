#!/usr/bin/env python3
"""F-18: a node has read further than the log is long: it does not wait for what never comes."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

LEASE_MS = int(1000 * SLOW)
LATE_MS = 250                      # a lease is asked for so often

with scenario(60) as t:
    origin = t.origin()
    version = [1]
    origin.route("/*")(lambda req: Reply(b"%d" % version[0], cc="max-age=600",
                                         headers=[("Surrogate-Key", "k")]))
    redis, a, b = invlog.pair(t, origin, lease=f"{LEASE_MS}ms")
    for ng in a, b:
        ng.allowed += ["strata log", "strata redis"]

    def purge(ng, tag="k"):
        r = ng.purge("/", headers={"Surrogate-Key": tag})
        return r.status, json.loads(r.body), r.ms

    def state(ng):
        return ng.status()["log"]

    def fill():
        for ng in a, b:
            wait_until(lambda: ng.get("/x").body == b"%d" % version[0], 5)
            ng.quiet()
            is_(ng.get("/x").cache, "HIT", "each has it")

    def lost(name, fault):
        """A log that is shorter than what both have read, then a purge of what they have."""
        for _ in range(5):
            purge(a, "z")
        fill()
        was, began = state(b), time.monotonic()
        flushes = [ng.count("gap_flushes") for ng in (a, b)]
        fault()
        version[0] += 1
        answers = []
        wait_until(lambda: answers.append(purge(a)) or answers[-1][0] != 503, 5, every=0.02)
        status, said, took = answers[-1]
        is_(status, 200, f"{name}: a purge: {said}")
        at_most(took, LEASE_MS * 1.1 + 1000, f"{name}: its answer within lease + 10 %, ms")
        is_(b.get("/x").body, b"%d" % version[0], f"{name}: nothing older elsewhere after it")
        ok(wait_until(lambda: all(state(ng)["lease_ms"] > 0
                                  and state(ng)["incarnation"] != was["incarnation"]
                                  for ng in (a, b)), 10),
           f"{name}: both have left the log that was")
        note(f"{name}: both in the new log after {ms_since(began):.0f} ms")
        is_([ng.count("gap_flushes") - n for ng, n in zip((a, b), flushes)], [1, 1],
            f"{name}: each started over once")
        ok(state(b)["sequence"] > was["sequence"], f"{name}: sequences only rise")

        # and from now on they hear of each other at once, not when a lease is over
        wait_until(lambda: purge(a, "z")[1].get("acked") == 2, 5 * LEASE_MS / 1000)
        fill()
        version[0] += 1
        status, said, took = purge(b)
        is_((status, said.get("acked"), said.get("expired")), (200, 2, 0),
            f"{name}: a purge is heard by both")
        at_most(took, LEASE_MS / 2, f"{name}: at once, ms")
        is_(a.get("/x").body, b"%d" % version[0], f"{name}: and acted upon")

    def cleared_and_back():
        """FLUSHALL, and the clock an hour back: ids made of time would begin below."""
        redis.kill()
        redis.start({"LD_PRELOAD": compiled("clock.c", "-shared", "-fPIC"),
                     "CLOCK_OFFSET_S": "-3600"})
        at_most(int(redis("TIME")[0]), time.time() - 3000, "the clock has gone back")
        redis("FLUSHALL")

    def shorter():
        """The same run and name, less in it."""
        redis("EVAL", "redis.call('HSET', KEYS[2], 'seq', 1) return redis.call('DEL', KEYS[1])",
              2, "log", "{log}:h")

    def another():
        """Somebody else's stream, with lower ids."""
        redis("EVAL", "redis.call('DEL', KEYS[1], KEYS[2]) "
              "return redis.call('XADD', KEYS[1], '1-0', 'q', '1', 'i', 'x', 'e', 'y')",
              2, "log", "{log}:h")

    lost("cleared, clock back", cleared_and_back)
    lost("shorter", shorter)
    lost("another stream", another)

    # nothing is heard within a lease: isolated, and not for ever
    fill()
    redis.stop()
    began = time.monotonic()
    ok(wait_until(lambda: b.get("/x").get("X-Reason") == "isolated", 5, every=0.02),
       "no word: isolated")
    within(ms_since(began), LEASE_MS + LATE_MS, "no word: when the lease is over")
    redis.go_on()
    began = time.monotonic()
    ok(wait_until(lambda: state(b)["lease_ms"] > 0, 5, every=0.02), "a word: not isolated")
    within(ms_since(began), 2000, "a word: soon")
