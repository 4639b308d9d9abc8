#!/usr/bin/env python3
"""10,000 followers of one key: one fetch, all answered; memory per waiter reported."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import resource

with scenario(90, alone=True) as t:
    n = 10_000
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < 2 * n // 2 + 2000:
        skip_all("RLIMIT_NOFILE is too low for 10,000 clients")
    origin = t.origin()
    gate = Gate()
    body = blob("10k", 10_000)

    @origin.route("/a")
    def _(req):
        gate.wait(60)
        return Reply(body, cc="max-age=60")

    ng = t.nginx(origin, "strata_lock_timeout 60s;", connections=20_000, level="warn")
    idle = []

    def prime():
        time.sleep(0.5)
        idle.append(ng.rss())

    def release():
        gate.arrived(1, 20)
        wait_until(lambda: (ng.count("waiters") or 0) >= n - 1, 20, 0.05)
        idle.append(ng.rss())
        idle.append(ng.count("waiters"))
        idle.append(time.monotonic())
        gate.open()

    helper = in_thread(release)
    f = followers(ng.port, n, "/a", prime=prime, seconds=60, workers=ng.workers())
    helper.join()
    is_((f["complete"], f["broken"], f["statuses"]), (n, 0, {"200": n}), "all answered")
    is_(len(f["bodies"]), 1, "one body")
    is_(origin.count("/a"), 1, "one fetch")
    is_(len(f["pids"]), 2, "both workers")
    at_least(idle[2], n - 1, "waiters at the gate")
    after = f["end_ms"]["max"] - (idle[3] - f["started"]) * 1000
    within(after - f["waited_ms"], 1000, f"the last one after the origin's answer, less {f['waited_ms']:.0f} ms in line")
    per = (idle[1] - idle[0]) / n
    note(f"memory per waiter: {per:.0f} bytes (request included; both workers: "
         f"{(idle[1] - idle[0]) / 1e6:.1f} MB)")
    at_most(per, 16_384 * SLOW, "bytes per waiting request")
