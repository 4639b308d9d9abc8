#!/usr/bin/env python3
"""What a kept zone follows at a reload, and the one WARN for what it can't."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

WARN = r"\[warn\].*strata zone"

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(text(req.target, int(req.target[1:])), cc="max-age=600")

    ng = t.nginx(origin, zone=["z 4m max_entries=100", "y 1m"])
    ng.fill("/1000")
    total = ng.count("entries_total")

    ng.write(zone=["z 4m max_entries=100 max_object=20k negative=5% inactive=1h", "y 1m"])
    ng.reload()
    is_(ng.log(WARN), [], "options it follows: no warning")
    is_(ng.get("/1000").cache, "HIT", "the zone is kept")
    is_([ng.fill("/30000").why for _ in range(3)], ["size", "hit-for-miss", "hit-for-miss"], "max_object lowered")
    ng.write(zone=["z 4m max_entries=100 max_object=200k", "y 1m"])
    ng.reload()
    is_([ng.fill("/30000").cache for _ in range(3)], ["PASS", "MISS", "HIT"], "and raised")

    ng.write(zone=["z 4m max_entries=50", "y 1m"])
    ng.reload()
    is_(len(ng.log(WARN)), 1, "max_entries: one line")
    like(ng.log(WARN)[0], r'zone "z" is kept, the new "max_entries" is ignored until a restart',
         "which says what is ignored")
    is_(ng.count("entries_total"), total, "and it is")
    is_(ng.get("/1000").cache, "HIT", "the zone is kept all the same")

    ng.write(zone=["z 4m evict=lru", "y 1m evict=lru"])
    ng.reload()
    lines = ng.log(WARN)[1:]
    is_(len(lines), 2, "a line for each zone")
    like(lines[0], r'zone "z".*"max_entries" and "evict" are ignored', "both at once in one")
    like(lines[1], r'zone "y".*"evict" is ignored', "the other zone")

    ng.write(zone=["z 4m max_entries=100", "y 1m"])
    ng.reload()
    is_(len(ng.log(WARN)), 3, "as it was: nothing to say")
