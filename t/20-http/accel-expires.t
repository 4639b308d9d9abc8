#!/usr/bin/env python3
"""X-Accel-Expires comes before Cache-Control before Expires; seconds, @time, 0."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import email.utils

with scenario() as t:
    origin = t.origin()
    later = email.utils.formatdate(time.time() + 600, usegmt=True)
    X = "X-Accel-Expires"
    cases = {
        "/x60": (Reply(b"x", headers=[(X, "60")]), True),
        "/x60-nostore": (Reply(b"x", cc="max-age=0", headers=[(X, "60")]), True),
        "/x0": (Reply(b"x", cc="max-age=60", headers=[(X, "0")]), False),
        "/xoff": (Reply(b"x", headers=[(X, "off")]), False),
        "/xat": (Reply(b"x", headers=[(X, f"@{int(time.time()) + 600}")]), True),
        "/xpast": (Reply(b"x", headers=[(X, "@1000")]), False),
        "/cc-over-expires": (Reply(b"x", cc="max-age=60", headers=[("Expires", "0")]), True),
        "/expires": (Reply(b"x", headers=[("Expires", later)]), True),
        "/smax": (Reply(b"x", cc="max-age=0, s-maxage=60"), True),
        "/two": (Reply(b"x", headers=[("Cache-Control", "public"), ("Cache-Control", "max-age=60")]), True),
        "/quoted": (Reply(b"x", cc='max-age="60"'), None),
        "/huge": (Reply(b"x", cc="max-age=99999999999999999999"), True),
        "/float": (Reply(b"x", cc="max-age=60.5"), None),
        "/neg": (Reply(b"x", cc="max-age=-60"), False),
        "/empty": (Reply(b"x", cc="max-age="), False),
        "/conflict": (Reply(b"x", cc="max-age=60, max-age=0"), None),
    }
    ng = t.nginx(origin)
    for path, (reply, stored) in cases.items():
        origin.reply(path, reply)
        ng.fill(path)
        r = ng.fill(path)
        is_((r.status, r.body), (200, b"x"), f"{path}: answered")
        if stored is not None:
            is_(r.cache == "HIT", stored, f"{path}: {'stored' if stored else 'not stored'}")
        is_(r.get(X), None, f"{path}: {X} is not for clients")
