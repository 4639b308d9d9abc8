#!/usr/bin/env python3
"""The variables of FEATURES 3.4, on a hit, a miss and a pass."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/a", Reply(b"x", cc="max-age=100"))
    ng = t.nginx(origin, http="""
        add_header V-Key $strata_key always;
        add_header V-Age $strata_age always;
        add_header V-Ttl $strata_ttl always;
        add_header V-Lock $strata_lock_time always; add_header V-L1 $strata_l1_time always;
        log_format v '$status|$strata_status|$strata_tier|$strata_reason|$strata_store_status|$strata_key';""",
                 server="access_log %DIR%/access.log v;")
    r = ng.fill("/a?b=2&a=1")
    like(r.get("V-Key"), r"localhost.*\|?/a.*a=1&b=2", "key: readable, with sorted args")
    r = ng.get("/a?a=1&b=2", host="LOCALHOST")
    is_(r.cache, "HIT", "hit")
    like(r.get("V-Age"), r"^\d+", "age")
    like(r.get("V-L1"), r"^0\.\d{6}$", "time of the look-up")
    ok(90 <= float(r.get("V-Ttl")) <= 100, "ttl")
    r = ng.request("/a", "POST", body=b"")
    is_(r.cache, "PASS", "pass")
    is_(r.get("V-L1"), None, "no look-up, no time")

    def logged():
        return [x.strip().split("|", 5) for x in open(f"{ng.dir}/access.log")
                if "/-" not in x and "|PASS|" in x or "|HIT|" in x or "|MISS|" in x]

    wait_until(lambda: len(logged()) >= 3)
    lines = logged()
    is_([x[1] for x in lines[:3]], ["MISS", "HIT", "PASS"], "access log: status")
    is_([x[2] for x in lines[:2]], ["origin", "l1"], "access log: tier")
    is_(lines[0][4], "STORED", "access log: store status of the miss")
    is_(lines[2][3], "method", "access log: reason of the pass")
