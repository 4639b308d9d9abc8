#!/usr/bin/env python3
"""T-27: two users, the same private URL, at once and over and over: nobody sees the other's."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        time.sleep(0.002)
        return Reply(f"of {req.get('X-User')}".encode(), cc="private")

    ng = t.nginx(origin, "strata_pass_ttl 20ms;")
    wrong = total = 0
    end = time.monotonic() + 2
    rounds = 0
    while time.monotonic() < end:
        rounds += 1
        users = [f"u{rounds}-{i}" for i in range(20)]
        rs = ng.swarm([Client(f"/p{rounds % 7}", headers={"X-User": u}) for u in users])
        total += len(rs)
        wrong += sum(r.body != f"of {u}".encode() for u, r in zip(users, rs))
    note(f"{total} requests")
    is_(wrong, 0, "every user got his own")
    is_(ng.count("stores"), 0, "nothing stored")
