#!/usr/bin/env python3
"""F-12: NOAUTH and NOPERM in the middle of it: no L2, a line in the log, no password there, retries each 5 s."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from steady import Steady
import l2

USER = ("ACL", "SETUSER", "strata")
RIGHTS = next(x.split("~")[1] for x in (ROOT / "docs/redis.md").read_text().split("```")
              if x.lstrip().startswith("user strata")).split()[2:]

with scenario(90, alone=True) as t:
    redis = l2.server(t)
    # as docs/redis.md says
    redis(*USER, "reset", "on", ">s3cret", "~strata:*", "&strata:*", *RIGHTS)
    with Steady(t, f"redis://strata:s3cret@{redis.address}", location="strata_purge on;") as load:
        ng = load.ng
        ng.allowed.append("purge failed")

        with load.fault("NOPERM for scripts") as f:
            redis(*USER, "-evalsha")
            time.sleep(0.3)
            stores = ng.count("l2_stores")
            f.hold(1)
            is_(ng.count("l2_stores"), stores, "NOPERM: nothing is stored")
            r = ng.purge("/cold/0")
            is_((r.status, r.get("X-Reason")), (503, "l2-error"), "NOPERM: a purge is refused")
            redis(*USER, "+evalsha")
        at_least(len(ng.log("NOPERM")), 1, "NOPERM: the log has the word")

        with load.fault("NOPERM for all") as f:
            redis(*USER, "-@all")
            f.hold(1)
            redis(*USER, *RIGHTS)

        with load.fault("another prefix") as f:
            redis(*USER, "resetkeys", "~other:*")
            f.hold(1)
            redis(*USER, "~strata:*")

        # F-12 has a bar of its own: who is refused the log-in tries again each 5 s
        with load.fault("the user is gone", back_ms=5000) as f:
            attempts = int(redis.info()["total_connections_received"])
            redis("ACL", "DELUSER", "strata")
            f.hold(2.5)
            at_most(int(redis.info()["total_connections_received"]) - attempts, 8,
                    "the user is gone: attempts of four connections in 2.5 s")
            redis(*USER, "on", ">s3cret", "~strata:*", "&strata:*", *RIGHTS)

        unlike(ng.log(), "s3cret", "no password in the log")
        at_most(len(ng.log(r"is down, .*WRONGPASS")), 2, "a line of each worker")
    shares = {f.name: f.share("l2") for f in load.phases}
    at_least(shares["NOPERM for scripts"], 0.95, "NOPERM for scripts: what is there is read")
    for name in "NOPERM for all", "another prefix", "the user is gone":
        at_most(shares[name], 0.6, f"{name}: L2 was away")
