#!/usr/bin/env python3
"""Age counts from the origin's own Age; Date is the origin's."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import email.utils

with scenario() as t:
    origin = t.origin()
    date = email.utils.formatdate(time.time() - 5, usegmt=True)
    origin.reply("/plain", Reply(b"x", cc="max-age=60"))
    origin.reply("/aged", Reply(b"x", cc="max-age=1000", headers=[("Age", "100")]))
    origin.reply("/dated", Reply(b"x", cc="max-age=1000", headers=[("Date", date)]))
    origin.reply("/over", Reply(b"x", cc="max-age=60", headers=[("Age", "61")]))
    ng = t.nginx(origin, locations="""
        location /noage { strata_cache z; strata_age off; strata_valid 10s;
            proxy_pass http://%ORIGIN%/plain; }""")

    for path in "/plain", "/aged", "/dated":
        ng.fill(path)
    r = ng.get("/plain")
    is_((r.cache, r.get("Age")), ("HIT", "0"), "a new entry")
    r = ng.get("/aged")
    is_(r.cache, "HIT", "with an Age of the origin")
    ok(100 <= int(r.get("Age")) <= 102, "Age goes on from it")
    is_(len(r.all("Age")), 1, "one Age field")
    r = ng.get("/dated")
    is_(r.cache, "HIT", "with an older Date")
    is_(r.all("Date"), [date], "Date is kept, once")
    ok(5 <= int(r.get("Age")) <= 8, "Age counts from Date")

    start = time.monotonic()
    wait_until(lambda: int(ng.get("/plain").get("Age")) >= 1, 3, 0.05)
    ok(0.4 < time.monotonic() - start < 1.6 * SLOW, "Age moves by the second")

    r = ng.fill("/over")
    is_(r.get("Age") is None or int(r.get("Age")) >= 61, True, "older than its lifetime: passed on")
    ng.fill("/over")
    is_(origin.count("/over"), 2, "and not kept as fresh")

    ng.fill("/noage")
    r = ng.get("/noage")
    is_((r.cache, r.get("Age")), ("HIT", None), "strata_age off")
