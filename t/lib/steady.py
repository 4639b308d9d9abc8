# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
What RELIABILITY.md 3.3 promises of every fault of Redis, under steady load.

    with Steady(t, redis.url) as load:           a gateway, an origin, 2000 requests/s
        with load.fault("hung") as f:            then comes the fault
            redis.stop()
            f.hold(2)
            redis.go_on()

Half of the requests are hits of L1, a fifth asks for what only L2 has, a fifth is
cold, and a tenth goes to the origin directly, to say what it takes at that moment. When
the fault is over, L2 has to be in use again within 2 s, in every worker. At the end of
the load every phase is judged: all answers are 200 and bytes of their own URL, the p99
of L1 hits is what it was in the quiet phase (at most twice that and 3 ms), and no miss
took longer than the origin, strata_l2_timeout and 20 ms. The time that nginx, origin and
clients wanted to run and other processes had the processors is taken off.
"""

import bisect
import subprocess
import time

import strata
import tap
from nginx import CACHE, PROXY, _die_with_parent

TIMEOUT_MS = int(50 * tap.SLOW)    # a sanitizer's nginx has less to do, and longer
SLACK_MS = 20
BACK_MS = 2000
KEYS = 40
NEAR_US = 25_000                   # the origin is compared within so much

ORIGIN = r"""location / {
            add_header Cache-Control max-age=600;
            return 200 "%s";
        }""" % (r"$uri\n" * 20)


def places(more):
    """The three kinds of cached requests."""
    return "".join(f"""
        location /{name}/ {{
            {CACHE}
            {PROXY}
            strata_l2 r;
            strata_l2_timeout {TIMEOUT_MS}ms;
            strata_l1 {'off' if name == 'l2' else 'on'};
            {more}
        }}""" for name in ("hit", "cold", "l2"))


class Seen:
    def __init__(self, words):
        name, at, latency, status, good, self.tier = words
        self.name, self.at, self.took = name, int(at), int(latency) / 1000
        self.status, self.good = int(status), good == "1"

    def __repr__(self):
        return f"{self.name} {self.status} {self.tier} {self.took:.1f} ms"


class Origin:
    """An nginx: threads of this process would be what is measured."""

    def __init__(self, t):
        self.nginx = t.nginx(only=ORIGIN, zone=(), show=False, status=False, workers=1)
        self.port = self.nginx.port
        self.address = f"127.0.0.1:{self.port}"


class Steady:
    def __init__(self, t, redis, *, location="", http="", quiet=1.5, warm=True, **kw):
        """
        redis      what follows the name in strata_redis
        location   more for the cached locations
        warm       L2 is there at the start
        """
        self.origin = Origin(t)
        kw.setdefault("zone", "z 64m")
        self.ng = t.nginx(self.origin, http=f"strata_redis r {redis}; {http}",
                          only=places(location), **kw)
        self.ng.allowed.append("strata")
        self.phases, self._quiet, self._warm = [], quiet, warm
        self._conns = [self.ng.conn_to(pid) for pid in self.ng.workers()]

    def __enter__(self):
        for i in range(KEYS):
            self.ng.get(f"/hit/{i}")
        self.ng.quiet()
        if self._warm:
            tap.wait_until(lambda: self.in_use() and not self.ng.count("l2_queued"), 5)
        self._load = subprocess.Popen(
            [strata.compiled("load.c"), ",".join(map(str, self.ng.workers()
                                                     + self.origin.nginx.workers())), *(
                f"{name}:{port}:{conns}:{int(ms * 1000 * tap.SLOW)}:/{name}/:{keys}"
                for name, port, conns, ms, keys in (
                    ("hit", self.ng.port, 4, 4, KEYS), ("l2", self.ng.port, 4, 10, KEYS),
                    ("cold", self.ng.port, 4, 10, 0), ("origin", self.origin.port, 2, 10, 0)))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=_die_with_parent)
        time.sleep(0.4)
        f = Phase(self, "quiet")
        f.hold(self._quiet)
        f.end()
        return self

    def __exit__(self, kind, *_):
        try:
            out, _ = self._load.communicate(timeout=10)
        finally:
            if self._load.poll() is None:
                self._load.kill()
                self._load.wait()
        if kind is None:
            lines = [x.split() for x in out.splitlines()]
            busy = [(int(x[1]), int(x[2]) / 1000) for x in lines if x[0] == "busy"]
            self._at, self._waited = zip(*busy)
            self._judge([Seen(x) for x in lines if x[0] != "busy"])

    def others_ms(self, since_us, until_us):
        """How long processes of ours waited for a processor at that time."""
        lo = max(0, bisect.bisect_right(self._at, since_us) - 1)
        hi = min(len(self._at) - 1, bisect.bisect_left(self._at, until_us))
        return self._waited[hi] - self._waited[lo]

    def in_use(self):
        """Does every worker answer from L2, whatever the key?"""
        return all(c.get(f"/l2/{i}").tier == "l2" for i in range(8) for c in self._conns)

    def fault(self, name, **kw):
        return Phase(self, name, **kw)

    # the judgement

    def _judge(self, seen):
        for f in self.phases:
            f.seen = [s for s in seen if f.began <= s.at / 1e6 < f.ended]
            for s in f.seen:
                s.ms = max(0.1, s.took - self.others_ms(s.at, s.at + s.took * 1000))
        quiet = self.phases[0]
        for f in self.phases:
            self._answers(f)
            p99 = percentile([s.ms for s in f.of("hit")], 0.99)
            if f is quiet:
                base = p99
                if self._warm:
                    tap.at_least(f.share("l2"), 0.95, "quiet: from L2")
                tap.note("quiet: p99 of L1 hits, with all that others took: "
                         f"{percentile([s.took for s in f.of('hit')], 0.99):.2f} ms")
            else:
                tap.within(p99, 2 * base + 3, f"{f.name}: p99 of L1 hits, {base:.2f} when quiet")
                self._misses(f)

    @staticmethod
    def _answers(f):
        bad = [s for s in f.seen if s.status != 200 or not s.good]
        tap.at_least(len(f.seen) / (f.ended - f.began), 800 / tap.SLOW,
                     f"{f.name}: answers a second")
        if not tap.ok(not bad, f"{f.name}: {len(f.seen)} answers, all 200 and of their URL"):
            tap.note(f"{len(bad)}: {bad[:5]}")
        others = {s.tier for s in f.of("hit")} - {"l1"}
        tap.is_(others, set(), f"{f.name}: hits of L1 are hits")

    @staticmethod
    def _misses(f):
        """Over what the origin itself took meanwhile, directly."""
        direct = sorted(f.of("origin"), key=lambda s: s.at)
        starts = [s.at for s in direct]
        worst, whose = -1.0, None
        for s in f.seen:
            if s.name in ("l2", "cold"):
                lo = bisect.bisect_left(starts, s.at - NEAR_US)
                hi = bisect.bisect_right(starts, s.at + s.took * 1000)
                over = s.ms - max((d.ms for d in direct[lo:hi]), default=0.0)
                if over > worst:
                    worst, whose = over, s
        if not tap.within(worst, f.timeout_ms + SLACK_MS,
                          f"{f.name}: a miss over the origin", slack_ms=SLACK_MS):
            tap.note(repr(whose))


class Phase:
    def __init__(self, load, name, *, recovers=True, timeout_ms=TIMEOUT_MS, back_ms=BACK_MS):
        self.load, self.name, self.recovers = load, name, recovers
        self.timeout_ms, self.back_ms = timeout_ms, back_ms
        self.seen, self.began = [], time.monotonic()
        load.phases.append(self)

    def hold(self, seconds):
        time.sleep(seconds)
        self.held = time.monotonic()

    def end(self):
        self.ended = time.monotonic()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        over = time.monotonic()
        if self.recovers:
            back = tap.wait_until(self.load.in_use, 10, 0.01)
            ms = strata.ms_since(over)
            tap.ok(back, f"{self.name}: L2 is in use again, in all workers")
            tap.within(ms, self.back_ms, f"{self.name}: recovery")
            time.sleep(0.1)
        self.end()

    def of(self, name):
        return [s for s in self.seen if s.name == name]

    def share(self, name, tier="l2"):
        """Which part of a class came from a tier."""
        part = self.of(name)
        return round(sum(s.tier == tier for s in part) / max(1, len(part)), 3)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0
