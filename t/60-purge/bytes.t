#!/usr/bin/env python3
"""The log in Redis has a bound in bytes: a flood of writes with long URLs, in any mix with short ones, does not fill Redis."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

import json

TOKEN = "test-token-0123456789"
AUTH = [("Authorization", f"Bearer {TOKEN}"), ("Content-Type", "application/json")]
BOUND = 8 << 20
LONG = "y" * 7000

with scenario(60) as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=600"))
    tokens = pathlib.Path(f"/tmp/strata-tokens-bytes-{os.getpid()}")
    tokens.write_text(TOKEN)
    redis, a, b = invlog.pair(t, origin, events="maxsize=8m", locations=f"""
        location /twice/ {{ strata_cache z; strata_double_delete 1h; proxy_pass http://127.0.0.1:{origin.port}; }}
        location /api/ {{ strata_api write=on; strata_api_token {tokens}; }}""")

    def memory(key):
        return redis("MEMORY", "USAGE", key, "SAMPLES", 0) or 0

    def read():
        last = int(redis("HGET", "{log}:h", "seq"))
        return all(invlog.caught_up(ng, last, 10 * SLOW) for ng in (a, b))

    def write(path, n):
        """n writes, at a rate that nodes can follow; the most bytes that the stream had."""
        before, most = int(redis("HGET", "{log}:h", "seq") or 0), 0

        def some(i):
            with a.conn() as c:
                for k in range(50):
                    c.request(f"{path}{i}-{k}", "POST", body=b"x")

        for i in range(0, n, 200):
            for th in [in_thread(some, i + 50 * j) for j in range(4)]:
                th.join()
            if not read():
                ok(False, f"not read: {a.status()['log']}, {b.status()['log']}")
            most = max(most, memory("log"))
        at_least(int(redis("HGET", "{log}:h", "seq")) - before, n, f"{n} writes are {n} events")
        return most

    b.fill("/often")
    a.purge("/none")
    gaps = [ng.status()["gap_flushes"] for ng in (a, b)]

    tiny = write("/s", 1000) / redis("XLEN", "log")
    note(f"{tiny:.0f} bytes of Redis for a short event")
    at_least(redis("XLEN", "log"), 1000, "short events are all there")
    most = write(f"/{LONG}", 2800)
    n = redis("XLEN", "log")
    ok(most <= 1.5 * BOUND, f"2800 long ones, 20 MB: at most {most} bytes")
    at_least(memory("log"), BOUND / 2, f"and no less than what there is room for: {n} events")
    ok(int(redis("HGET", "{log}:h", "seq")) - n > 1000, "the oldest have gone")
    most = write("/s", 1000)
    ok(most <= 1.5 * BOUND, f"then short ones: at most {most} bytes")
    is_([ng.status()["gap_flushes"] for ng in (a, b)], gaps, "no node had a gap")
    is_(b.get("/often").cache, "HIT", "nor lost an entry")

    # events to come
    sent = 0
    while a.status()["log_full"] == 0 and sent < 2000:
        write(f"/twice/{LONG}", 200)
        sent += 200
    half = memory("{log}:d")
    ok(0 < half <= BOUND, f"repeats of {sent} long writes: {half} bytes")

    def later(i):
        r = a.request("/api/purge", "POST", headers=AUTH,
                      body=json.dumps({"keys": [f"{LONG}{i}"], "delay": "1h"}).encode())
        return r.status, json.loads(r.body)

    jobs = []
    while len(jobs) < 2000:
        status, said = later(len(jobs))
        if status != 202:
            break
        jobs.append(said["job"])
    is_((status, said.get("reason")), (503, "delay-full"), f"{len(jobs)} more, and then no room: {said}")
    full = memory("{log}:d")
    ok(half < full <= 1.5 * BOUND, f"it is full at {full} bytes")
    for job in jobs[:3]:
        a.request(f"/api/jobs/{job}", "DELETE", headers=AUTH)
    is_(later(2000)[0], 202, "there is room for what was called off")
    redis("DEL", "{log}:d")
    is_(later(2001)[0], 202, "and for what somebody deleted")
    tokens.unlink()
