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
cold, and a tenth goes to the origin directly, to say what it takes at that moment.
Before the first fault and after each one comes a quiet stretch; one in which a call of
L2 was late was not quiet, and is tried again. The bars are those of issue 4, with the
default of strata_l2_timeout, 20 ms:

    answers      all are 200, and bytes of their own URL
    hits of L1   their p99 is what it is in the quiet stretches: at most twice that, or
                 1 ms more (I6 of RELIABILITY.md would let 20 ms pass)
    misses       no one takes longer than the origin, strata_l2_timeout and 20 ms
    recovery     L2 is in use again within 2 s, in every worker

What is judged is what the gateway takes: of each request's time comes off how long
nginx, origin and clients were ready to run meanwhile and others had the processors
(/proc/PID/schedstat, each millisecond), of a recovery also how long Redis was, but no
more than half; of a miss what the origin itself took at that moment.
"""

import bisect
import contextlib
import glob
import os
import subprocess
import time

import strata
import tap
from nginx import CACHE, PROXY, _die_with_parent

TIMEOUT_MS = int(20 * tap.SLOW)    # the default; a sanitizer has less to do, and longer
SLACK_MS = 20
BACK_MS = 2000
HIT_MS = 1.0
BETWEEN = 0.4                      # s of quiet after each fault
AGAIN = 10
FAULT, QUIET, NOISE = "fault", "quiet", "noise"
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


def descendants(pid):
    """All processes below one."""
    found = []
    for path in glob.glob(f"/proc/{pid}/task/*/children"):
        with contextlib.suppress(OSError), open(path) as f:
            for child in map(int, f.read().split()):
                found += [child, *descendants(child)]
    return found


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
        ours = self.ng.workers() + self.origin.nginx.workers()
        others = [p for p in descendants(os.getpid()) if p not in ours]
        self._load = subprocess.Popen(
            [strata.compiled("load.c"), "/".join(",".join(map(str, x)) for x in (ours, others)), *(
                f"{name}:{port}:{conns}:{int(ms * 1000 * tap.SLOW)}:/{name}/:{keys}"
                for name, port, conns, ms, keys in (
                    ("hit", self.ng.port, 4, 4, KEYS), ("l2", self.ng.port, 4, 10, KEYS),
                    ("cold", self.ng.port, 4, 10, 0), ("origin", self.origin.port, 2, 10, 0)))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=_die_with_parent)
        time.sleep(0.4)
        self.rest(self._quiet)
        return self

    def rest(self, seconds):
        for _ in range(AGAIN):
            f = Phase(self, "quiet", kind=QUIET)
            late = self.ng.count("l2_errors")
            f.hold(seconds)
            f.end()
            if not self._warm or self.ng.count("l2_errors") == late:
                return
            f.kind = NOISE
        f.kind = QUIET

    def __exit__(self, kind, *_):
        try:
            out, _ = self._load.communicate(timeout=10)
        finally:
            if self._load.poll() is None:
                self._load.kill()
                self._load.wait()
        if kind is None:
            lines = [x.split() for x in out.splitlines()]
            busy = [list(map(int, x[1:])) for x in lines if x[0] == "busy"]
            self._at = [x[0] for x in busy]
            self._waited = [x[1] / 1000 for x in busy]
            self._waited_all = [sum(x[1:]) / 1000 for x in busy]
            self._judge([Seen(x) for x in lines if x[0] != "busy"])

    def others_ms(self, since_us, until_us, waited=None):
        """How long processes of ours waited for a processor at that time, or its share."""
        waited = waited or self._waited
        lo = max(0, bisect.bisect_right(self._at, since_us) - 1)
        hi = min(len(self._at) - 1, bisect.bisect_left(self._at, until_us))
        span = max(1, self._at[hi] - self._at[lo])
        return (waited[hi] - waited[lo]) * min(1, (until_us - since_us) / span)

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
        quiet = self._together(QUIET)
        base = percentile([s.ms for s in quiet.of("hit")], 0.99)
        tap.note(f"quiet: p99 of {len(quiet.of('hit'))} hits of L1 {base:.2f} ms, with what "
                 f"others took {percentile([s.took for s in quiet.of('hit')], 0.99):.2f} ms")
        self._answers(quiet)
        if self._warm:
            tap.at_least(quiet.share("l2"), 0.95, "quiet: from L2")
        noise = self._together(NOISE)
        if noise.seen:
            tap.note(f"{noise.ended:.1f} s were to be quiet, and were not")
            self._answers(noise)
        for f in self.phases:
            if f.kind == FAULT:
                self._answers(f)
                self._recovery(f)
                tap.within(percentile([s.ms for s in f.of("hit")], 0.99),
                           max(2 * base, base + HIT_MS), f"{f.name}: p99 of L1 hits",
                           slack_ms=HIT_MS)
                self._misses(f)

    def _together(self, kind):
        """All phases of a kind as one."""
        parts = [f for f in self.phases if f.kind == kind]
        whole = Phase.__new__(Phase)
        whole.name, whole.began = kind, 0
        whole.ended = sum(f.ended - f.began for f in parts)
        whole.seen = [s for f in parts for s in f.seen]
        return whole

    def _recovery(self, f):
        if f.back is not None:
            over = f.over * 1e6
            took = self.others_ms(over, over + f.back * 1000, self._waited_all)
            tap.within(f.back - min(took, f.back / 2), f.back_ms, f"{f.name}: recovery")

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
    def __init__(self, load, name, *, recovers=True, timeout_ms=TIMEOUT_MS, back_ms=BACK_MS,
                 kind=FAULT):
        self.load, self.name, self.recovers, self.kind = load, name, recovers, kind
        self.back = None
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
        self.over = time.monotonic()
        if self.recovers:
            used = tap.wait_until(self.load.in_use, 10, 0.01)
            self.back = strata.ms_since(self.over)
            tap.ok(used, f"{self.name}: L2 is in use again, in all workers")
            time.sleep(0.1)
        self.end()
        if self.recovers:
            self.load.rest(BETWEEN)

    def of(self, name):
        return [s for s in self.seen if s.name == name]

    def share(self, name, tier="l2"):
        """Which part of a class came from a tier."""
        part = self.of(name)
        return round(sum(s.tier == tier for s in part) / max(1, len(part)), 3)


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0
