#!/usr/bin/env python3
# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Random SIGKILLs of workers under load.

    t/stress/kill_battery.py [--seconds N] [--seed N] [--zone "z 2m"] [--workers N]
                             [--both P] [--faults ROUNDS]

Every body says which key it is of and how long it is, so that every answer can be
checked byte by byte.  Clients see their connections die with the worker; that is
fine.  Not fine: a wrong byte, a short body that looks whole, a 5xx, a key that is not
served again within 250 ms + a fetch after a death, anything left in the gauges.  What
this process itself comes too late meanwhile, on a machine with more to do, is taken off.
"""

import argparse
import bisect
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *              # noqa: E402,F403

FETCH_MS = 20                     # what the origin takes before its header
KEYS = 60
CLIENTS = 24


def body_of(path):
    rnd = random.Random(path)
    size = rnd.choice((100, 1000, 4000, 20_000, 60_000))
    return blob(path, size)


class Stalls:
    """How much later than it wanted a thread of ours wakes up, over time."""

    EVERY = 0.005

    def __init__(self):
        self._at, self._late = [time.monotonic()], [0.0]
        self.stop = False
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while not self.stop:
            began = time.monotonic()
            time.sleep(self.EVERY)
            now = time.monotonic()
            self._late.append(self._late[-1] + now - began - self.EVERY)
            self._at.append(now)

    def ms(self, since, until):
        """Of what began before until, all: whoever asks may be the first to wake up."""
        while not self.stop and self._at[-1] < until:
            time.sleep(self.EVERY)
        n = len(self._at)
        lo = max(0, bisect.bisect_right(self._at, since, 0, n) - 1)
        hi = min(n - 1, bisect.bisect_left(self._at, until, 0, n))
        return (self._late[hi] - self._late[lo]) * 1000


class Load:
    """Threads of clients that check all they get."""

    def __init__(self, ng, seed):
        self.ng, self.seed = ng, seed
        self.stalls = Stalls()
        self.stop = False
        self.wrong, self.short, self.errors, self.late = [], [], [], []
        self.answers = self.cut = 0
        self.deaths = []                     # (time, pid)
        self.bodies = {}
        self.threads = [threading.Thread(target=self._client, args=(i,), daemon=True)
                        for i in range(CLIENTS)]

    def start(self):
        for th in self.threads:
            th.start()

    def join(self):
        self.stop = True
        for th in self.threads:
            th.join(15)
        self.stalls.stop = True

    def _body(self, path):
        if path not in self.bodies:
            self.bodies[path] = body_of(path)
        return self.bodies[path]

    def _client(self, i):
        rnd = random.Random(f"{self.seed}-{i}")
        conn = None
        while not self.stop:
            path = self._path(rnd)
            try:
                if conn is None:
                    conn = Conn(self.ng.port, timeout=5)
                began = time.monotonic()
                kind = rnd.random()
                if kind < 0.05:              # leaves in the middle
                    conn.send(build(path))
                    conn.sock.recv(rnd.randrange(1, 2000))
                    conn.reset()
                    conn = None
                    continue
                if kind < 0.15:
                    r = conn.get(path, headers={"Range": "bytes=10-49"})
                elif kind < 0.2:
                    r = conn.request(path, "HEAD")
                elif kind < 0.23:
                    conn.request(path, "PURGE")
                    continue
                else:
                    r = conn.get(path)
                self._check(path, r, began)
                if r.error or not r.keep:
                    conn.close()
                    conn = None
            except OSError:
                conn = None
        if conn:
            conn.close()

    @staticmethod
    def _path(rnd):
        n = int(KEYS * rnd.random() ** 2)
        kind = ("/cl", "/ch", "/drip", "/swr")[n % 4]
        return f"{kind}/{n}"

    def _whose(self, path, r):
        """A wrong answer, with a guess where its bytes are from."""
        want = self._body(path)
        same = next((i for i, (a, b) in enumerate(zip(r.body, want)) if a != b),
                    min(len(r.body), len(want)))
        at = r.body[same:same + 16]
        owner = [p for p, b in self.bodies.copy().items() if at and at in b]
        return (f"{path} {r.status} {r.cache} reason={r.why!r}: {len(r.body)} of {len(want)} bytes,"
                f" right up to {same}, then {at[:8].hex()} of {owner}, error {r.error},"
                f" {r.get('Content-Length')} {r.get('Transfer-Encoding')} pid {r.pid}")

    def _check(self, path, r, began):
        want = self._body(path)
        if r.error:
            self.cut += 1
            # a key that hangs, rather than a connection that died
            if r.error == "timeout":
                self.late.append((path, "timeout"))
            if r.status in (200, 206) and r.body not in want:
                self.wrong.append(self._whose(path, r))
            return
        self.answers += 1
        if r.status == 206:
            if r.body != want[10:50]:
                self.wrong.append(self._whose(path, r))
        elif r.status == 200:
            if r.body and r.body != want:
                (self.short if want.startswith(r.body) else self.wrong).append(self._whose(path, r))
        else:
            self.errors.append((path, r.status))
        took = (r.end_at - began) * 1000
        bar = (250 + 300 + 250) * SLOW       # death, drip, and some room
        if took > bar and took - self.stalls.ms(began, r.end_at) > bar:
            self.late.append((path, round(took)))


def start(t, zone, workers, **kw):
    origin = t.origin()
    bodies = {}

    @origin.route("/*")
    def _(req):
        body = bodies.get(req.path) or bodies.setdefault(req.path, body_of(req.path))
        time.sleep(FETCH_MS / 1000)
        kind = req.path.split("/")[1]
        if kind == "ch":
            return Reply(body, cc="max-age=1", chunked=True)
        if kind == "drip":
            return Reply(body, cc="max-age=60", drip=(max(1, len(body) // 5), 0.02))
        if kind == "swr":
            return Reply(body, cc="max-age=60", headers=[("ETag", '"e"')])
        return Reply(body, cc="max-age=60")

    return t.nginx(origin, "strata_purge 1; strata_valid_max 400ms; strata_grace 300ms;",
                   zone=zone, workers=workers, **kw)


def probe(ng, load, rnd):
    """One key, asked for until it is there: how long that took, and whether in time."""
    path = Load._path(rnd)
    began = time.monotonic()
    r = None
    while time.monotonic() < began + 2:
        r = ng.get(path, timeout=2)
        if r.complete and r.status == 200:
            break
    took = ms_since(began) - load.stalls.ms(began, time.monotonic())
    if took > (250 + 150 + 100) * SLOW:
        note(f"key {path}: {took:.0f} ms, {r}")
        return took, False
    return took, True


def verdict(ng, load, workers, kills, stuck, slowest):
    """The checks after the load has ended."""
    note(f"{kills} kills, {load.answers} answers checked, {load.cut} cut by a death, "
         f"slowest probe {slowest:.0f} ms")
    is_(load.wrong[:5], [], "no wrong byte")
    is_(load.short[:5], [], "no short body that looks whole")
    is_(load.errors[:5], [], "no error status")
    is_(load.late[:5], [], "no request hangs")
    is_(stuck, 0, "no key stuck beyond 250 ms + the new fetch")

    ok(wait_until(lambda: len(ng.workers()) == workers, 5), "the workers are back")
    is_(ng.quiet(10), {}, "no pin, flight, waiter, fetch or reader left")
    s = ng.status()
    ok(s.get("bytes_used", 1) <= s.get("bytes_total", 0), "bytes used within the zone")
    note({k: s.get(k) for k in ("heals", "repairs", "stores", "evictions", "lock_busy",
                                "entries", "bytes_used")})

    # purge all keys: what is still used then has leaked
    for n in range(KEYS):
        for kind in "cl", "ch", "drip", "swr":
            ng.purge(f"/{kind}/{n}")
    ng.quiet(5)
    ok(wait_until(lambda: ng.count("entries") == 0, 3), "no entry left after purging all")
    is_(ng.count("bytes_used"), 0, "no chunk leaked")
    for n in range(KEYS):
        path = f"/cl/{n}"
        if ng.get(path).body != body_of(path):
            ok(False, f"{path} after all")
            break
    else:
        ok(True, "every key works after all")


def run(t, seconds, zone="z 2m", seed=None, workers=2, both=0.1):
    """Workers die at random moments; all at once with probability both."""
    seed = seed if seed is not None else random.SystemRandom().randrange(1 << 30)
    note(f"seed {seed}")
    rnd = random.Random(seed)
    ng = start(t, zone, workers)
    load = Load(ng, seed)
    load.start()
    end = time.monotonic() + seconds
    kills = stuck = 0
    slowest = 0.0
    while time.monotonic() < end:
        time.sleep(rnd.uniform(0.02, 0.25))
        pids = ng.workers()
        if not pids:
            continue
        for pid in pids if rnd.random() < both else [rnd.choice(pids)]:
            try:
                ng.kill_worker(pid)
                kills += 1
            except OSError:
                pass
        if kills % 5 == 0:
            wait_until(lambda: len(ng.workers()) == workers, 3)
            took, good = probe(ng, load, rnd)
            slowest = max(slowest, took)
            stuck += not good
    load.join()
    at_least(load.answers, 50 * seconds / SLOW, "answers")
    verdict(ng, load, workers, kills, stuck, slowest)


def run_faults(t, faults, rounds=1, zone="z 1m", workers=2, seed=None):
    """A worker dies at each fault point in turn."""
    seed = seed if seed is not None else random.SystemRandom().randrange(1 << 30)
    note(f"seed {seed}")
    rnd = random.Random(seed)
    points = t.keep(faults.Faults())
    ng = start(t, zone, workers, **points.options())
    load = Load(ng, seed)
    load.start()
    kills = stuck = 0
    slowest = 0.0
    quiet_points = set()
    for name in faults.declared() * rounds:
        points.arm(name, rnd.choice((1, 1, 2, 5)))
        if not wait_until(points.fired, 0.4, 0.002):
            quiet_points.add(name)
            if name.startswith(("heal", "repair", "seat")):    # only passed after a death
                ng.kill_worker(rnd.choice(ng.workers()))
                kills += 1
                if wait_until(points.fired, 0.4, 0.002):
                    quiet_points.discard(name)
        pid = points.fired()
        points.disarm()
        if pid:
            ng.killed[pid] = 9
            kills += 1
            took, good = probe(ng, load, rnd)
            slowest = max(slowest, took)
            stuck += not good
            if not good:
                note(f"after a death at {name}")
        wait_until(lambda: len(ng.workers()) == workers, 3)
    load.join()
    note(f"points not passed while armed: {sorted(quiet_points)}")
    at_least(kills, 30, "deaths")
    verdict(ng, load, workers, kills, stuck, slowest)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--seconds", type=float, default=120)
    ap.add_argument("--seed", type=int)
    ap.add_argument("--zone", default="z 2m")
    ap.add_argument("--workers", type=int, default=2)
    ap.add_argument("--both", type=float, default=0.1, metavar="P",
                    help="how likely all workers die at once")
    ap.add_argument("--faults", type=int, metavar="ROUNDS",
                    help="die at each fault point, so many times")
    a = ap.parse_args()
    with scenario(a.seconds + 90 + 60 * (a.faults or 0)) as t:
        if a.faults:
            import faults
            if faults.built():
                skip_all(faults.built())
            run_faults(t, faults, a.faults, a.zone, a.workers, a.seed)
        else:
            run(t, a.seconds, a.zone, a.seed, a.workers, a.both)


if __name__ == "__main__":
    main()
