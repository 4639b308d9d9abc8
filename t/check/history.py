# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause

"""
Judges a history of traffic.c: a pure function of its lines.

    result = judge(lines, grace_s=1.0)
    result.violations      [(kind, what)]
    result.reads, .acked   how much was verified

Besides the lines of traffic.c there are, of the driver,

    f FROM TO NODE NAME    a fault that may cost a node's clients their connections
                           or answers; NODE -1: all of them

Versions are known and ordered, so nothing is searched for: a purge binds all reads
that begin after it was answered, a read shows one version.

    stale       a version from before a hard purge that was acknowledged
    marked      ... served as stale or isolated, which may be late, but this late?
    soft        a version from before a soft purge, and not said to be stale
    lost        ... when all nodes are past the last event
    future      a version that did not exist yet
    back        a hit that is older than one before it
    integrity   another key, another variant, a torn or short body
    error       a 5xx that is not the origin's, or a status nobody asked for
    cut         a transfer that ended early, and neither the origin nor a fault did it
    late        no answer at all
    refused     a purge that was answered with an odd status, or not at all
"""

import bisect
import collections
import dataclasses

MARKED = ("STALE", "UPDATING")
STORED = ("HIT", "STALE", "UPDATING", "NEGATIVE")
ACKED = (200, 202, 404)
TELL_US = 1_000_000            # until another node hears of the origin's error


@dataclasses.dataclass
class Result:
    violations: list
    reads: int = 0
    bound: int = 0             # of them those that a purge bound
    acked: int = 0
    refused: int = 0
    unknown: int = 0
    isolated: int = 0
    excused: int = 0           # cut by the origin or a fault
    stored: int = 0
    fetches: int = 0
    statuses: collections.Counter = dataclasses.field(
        default_factory=collections.Counter)


class Bounds:
    """The highest version that is due at an instant: of hard, or of all, purges."""

    def __init__(self):
        self._events, self._at, self._most = [], [], []

    def add(self, at, version):
        self._events.append((at, version))

    def close(self):
        most = 0
        for at, version in sorted(self._events):
            most = max(most, version)
            self._at.append(at)
            self._most.append(most)

    def before(self, instant):
        i = bisect.bisect_left(self._at, instant)
        return self._most[i - 1] if i else 0


class Windows:
    """Spans of time by name."""

    def __init__(self):
        self._spans = collections.defaultdict(list)

    def add(self, name, start, end):
        self._spans[name].append((start, end))

    def meets(self, name, start, end):
        return any(s <= end and start <= e for s, e in self._spans[name])


def _purges(rows):
    """[(node or None, from when, {key: version}, soft, to)] of those that were acknowledged."""
    cluster = sorted((p.start, p.end) for p in rows if p.wait == "c" and p.http in (200, 404))
    starts = [s for s, _ in cluster]
    ends = [e for _, e in cluster]                   # and from there on the least
    for i in range(len(ends) - 2, -1, -1):
        ends[i] = min(ends[i], ends[i + 1])

    for p in rows:
        if p.http not in ACKED:
            continue
        if p.wait == "c" and p.http != 202:
            yield None, p.end, p
            continue
        if p.wait == "n" and p.http != 202:
            yield p.node, p.end, p
        # the log is in order: where a later event is, this one is, too
        i = bisect.bisect_left(starts, p.end)
        if i < len(starts):
            yield None, ends[i], p


@dataclasses.dataclass(slots=True)
class Purge:
    id: str
    node: int
    start: int
    end: int
    http: int
    wait: str
    soft: bool
    reason: str
    covers: dict


def _read_purge(w):
    covers = {} if w[9] == "-" else {int(k): int(v) for k, v in
                                     (x.split(":") for x in w[9].split(","))}
    return Purge(w[1], int(w[2]), int(w[3]), int(w[4]), int(w[5]), w[6], w[7] == "s",
                 w[8], covers)


class _Judge:
    def __init__(self, grace_us):
        self.grace_us = grace_us
        self.out = Result([])
        self.faults, self.cuts, self.errors = Windows(), Windows(), Windows()
        self.bumps = collections.defaultdict(Bounds)
        self.hard = collections.defaultdict(Bounds)      # by (node, key)
        self.soft = collections.defaultdict(Bounds)
        self.settled = {}                                # key: (hard, soft) at the end
        self.settled_at = None
        self.shown = collections.defaultdict(list)       # by (node, key, lang)

    def bad(self, kind, what):
        self.out.violations.append((kind, what))

    def prepare(self, rows, purges):
        nodes = set()
        for w in rows:
            if w[0] == "v":
                self.bumps[int(w[1])].add(int(w[3]), int(w[2]))
            elif w[0] == "o":
                self.out.fetches += 1
                if w[6] in "ce":
                    (self.cuts if w[6] == "c" else self.errors).add(
                        int(w[1]), int(w[3]), int(w[4]))
            elif w[0] == "r":
                nodes.add(int(w[1]))
            elif w[0] == "s":
                self.settled_at = int(w[1])
            elif w[0] == "f":
                self.faults.add(int(w[3]), int(w[1]), int(w[2]))
        for p in purges:
            self.purge(p)
        for node, at, p in _purges(purges):
            for n in nodes if node is None else (node,):
                for key, version in p.covers.items():
                    self.soft[n, key].add(at, version)
                    if not p.soft:
                        self.hard[n, key].add(at, version)
        for group in (self.bumps, self.hard, self.soft):
            for b in group.values():
                b.close()

    def purge(self, p):
        what = f"purge {p.id} at node {p.node}, {p.start}..{p.end}: {p.http}"
        if p.http in ACKED:
            self.out.acked += 1
            if p.http == 202 and p.wait != "l":
                self.bad("refused", f"{what}, but it was to wait")
            for key, version in p.covers.items():
                hard, soft = self.settled.get(key, (0, 0))
                self.settled[key] = (hard if p.soft else max(hard, version), max(soft, version))
        elif p.http == 503:
            self.out.refused += 1
        elif p.http == 0 and self.disturbed(p.node, p.start, p.end):
            self.out.unknown += 1
        else:
            self.bad("refused", f"{what} {p.reason}")

    def disturbed(self, node, start, end):
        return self.faults.meets(node, start, end) or self.faults.meets(-1, start, end)

    def read(self, w):
        node, key, lang = int(w[1]), int(w[3]), int(w[4])
        start, end, http, version = int(w[5]), int(w[6]), int(w[7]), int(w[8])
        status, reason, outcome = w[9], w[10], w[12]
        where = (f"key {key} lang {lang} at node {node}, worker {w[2]}, {start}..{end}: "
                 f"{http} version {version} {status} {reason} {w[11]} {outcome}")

        if outcome in ("cut", "gone", "late"):
            if self.disturbed(node, start, end) or \
                    (outcome == "cut" and self.cuts.meets(key, start, end)):
                self.out.excused += 1
            else:
                self.bad("late" if outcome == "late" else "cut", where)
            return
        if http == 502 and self.cuts.meets(key, start, end) \
                or http == 503 and reason == "origin-error" \
                and self.errors.meets(key, start - TELL_US, end):
            self.out.excused += 1
            return
        if outcome == "strange" and http >= 500 \
                or http not in (200, 206, 304, 416, 503):
            if self.disturbed(node, start, end):
                self.out.excused += 1
            else:
                self.bad("error", where)
            return
        self.out.reads += 1
        self.out.statuses[status] += 1
        if outcome != "ok":
            self.bad("integrity", where)
            return
        if http == 416 or http == 503:
            return

        if version > max(1, self.bumps[key].before(end + 1)):
            self.bad("future", where)

        hard, soft = self.hard[node, key].before(start), self.soft[node, key].before(start)
        self.out.bound += soft > 0
        isolated = reason == "isolated" and status == "STALE"
        if isolated:
            self.out.isolated += 1
            late = self.hard[node, key].before(start - self.grace_us)
            if version < late:
                self.bad("marked", f"{where}, {late} is due")
            return
        if version < hard:
            self.bad("stale", f"{where}, {hard} is due")
        elif version < soft and status not in MARKED:
            self.bad("soft", f"{where}, {soft} is due")
        if self.settled_at and start >= self.settled_at:
            hard, soft = self.settled.get(key, (0, 0))
            if version < (hard if status in MARKED else soft):
                self.bad("lost", f"{where}, {hard} {soft} is due")
        if status in STORED:
            self.out.stored += 1
        if status == "HIT":
            self.shown[node, key, lang].append((start, end, version, where))

    def back(self):
        for shown in self.shown.values():
            shown.sort()
            ends = sorted((e, v) for _, e, v, _ in shown)
            i = most = 0
            for start, _, version, where in shown:
                while i < len(ends) and ends[i][0] < start:
                    most = max(most, ends[i][1])
                    i += 1
                if version < most:
                    self.bad("back", f"{where}, {most} was shown")


def judge(lines, grace_s=1.2, one_way=True):
    """
    grace_s: strata_coherence_max, and what clocks and scheduling may add.
    one_way: nodes have no second tier, from which an older response that nobody purged
    could come back.
    """
    j = _Judge(int(grace_s * 1e6))
    rows = [line.split() for line in lines]
    purges = [_read_purge(w) for w in rows if w[0] == "p"]
    j.prepare(rows, purges)
    for w in rows:
        if w[0] == "r":
            j.read(w)
    if one_way:
        j.back()
    return j.out
