#!/usr/bin/env python3
"""Workers die while they carry out a purge of the API: no answer is false, and the next purge is carried out."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import faults
import invlog

import json, time

TOKEN = "test-token-0123456789"
ROUNDS = 30

reason = faults.built()
if reason:
    skip_all(reason)

with scenario(120) as t:
    origin = t.origin()
    version = {}
    origin.route("/*")(lambda req: Reply(b"%d" % version.get(req.path, 0), cc="max-age=600", headers=[
        ("Surrogate-Key", "all " + req.path[1:])]))
    API = "location /api/ { strata_cache z; strata_api write=on; strata_api_token %DIR%/tokens; }"
    random = rnd()

    def message(what):
        body = json.dumps(what).encode()
        return b"POST /api/purge HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n" % (
            TOKEN.encode(), len(body)) + body

    def answer(c):
        """Its status; None: the connection was closed without one. Half an answer is none."""
        try:
            r = c.read()
        except OSError:
            return None, {}
        if not r.complete:
            return None, {}
        return r.status, json.loads(r.body)

    def back(ng, n=2):
        ok(wait_until(lambda: len(ng.workers()) == n, 10), "its place is taken") if len(ng.workers()) != n else None

    note("at a fault point, a zone that is alone")
    deaths = t.keep(faults.Faults())
    alone = t.nginx(origin, locations=API, start=False, **deaths.options())
    alone.file("tokens", TOKEN)
    alone.start()
    alone.get("/warm")
    tags = ["p"]
    subjects = [{"tags": tags}, {"prefix": "http|localhost|/p"}, {"match": "*/p|*"}, {"tags_all": ["p", "all"]}, {"all": True},
                {"keys": ["http|localhost|/p|"], "mode": "invalidate"}]
    died = set()
    for point in ("log_lock", "log_begin", "tag_take", "tag_put", "tag_put_hash", "tag_again", "pattern_text", "pattern_put",
                  "log_position", "log_end", "log_unlock"):
        for what in subjects:
            version["/p"] = version.get("/p", 0) + 1
            tags[:] = [f"new{version['/p']}", "p", "q"]
            alone.fill("/p")
            version["/p"] += 1
            deaths.arm(point)
            with alone.conn() as c:
                c.send(message(what))
                status, j = answer(c)
            deaths.disarm()
            if deaths.fired():
                died.add(point)
                alone.killed[deaths.fired()] = 9
                back(alone)
            if status == 200 and alone.get("/p").body != b"%d" % version["/p"]:
                ok(False, f"{point} {what}: acknowledged, and {alone.get('/p').body} of {version['/p']} served")
            if status not in (200, 503, None):
                ok(False, f"{point} {what}: {status} {j}")
            with alone.conn() as c:
                c.send(message(what))
                status, j = answer(c)
            if (status, alone.get("/p").body) != (200, b"%d" % version["/p"]):
                ok(False, f"after {point}, {what}: {status} {j}")
    at_least(len(died), 10, f"points of death: {sorted(died)}")
    for point in "later_put", "later_run":
        alone.fill("/p")
        version["/p"] += 1
        deaths.arm(point)
        with alone.conn() as c:
            c.send(message({"tags": ["p"], "delay": "100ms"}))
            status, j = answer(c)
        ok(wait_until(deaths.fired, 10), f"{point}: dead")
        alone.killed[deaths.fired()] = 9
        deaths.disarm()
        is_(status, None if point == "later_put" else 202, "answered only if it was kept")
        back(alone)
        if status == 202:
            ok(wait_until(lambda: alone.get("/p").body == b"%d" % version["/p"], 10), "what was promised comes")

    note("at any moment, in a cluster")
    redis, a, b = invlog.pair(t, origin, locations=API.replace("%DIR%", alone.dir))
    told = {}
    for i in range(ROUNDS):
        path = f"/{i % 5}"
        for ng in a, b:
            ng.fill(path)
        version[path] = version.get(path, 0) + 1
        pid = random.choice(a.workers())
        c = a.conn_to(pid)
        c.send(message({"tags": [path[1:]] + [f"x{n}" for n in range(random.choice((1, 100, 500)))]}))
        time.sleep(random.choice((0, 0.001, 0.003, 0.01, 0.05)) * random.random())
        a.kill_worker(pid)
        status, j = answer(c)
        c.close()
        told[status] = told.get(status, 0) + 1
        if status == 200:
            found = [ng.get(path).body for ng in (b, a)]
            if found != [b"%d" % version[path]] * 2 or j["acked"] + j["expired"] < 1:
                ok(False, f"{path}: {j}, and {found} of version {version[path]}")
        elif status is not None:
            ok(False, f"{path}: {status} {j}")
        if not wait_until(lambda: len(a.workers()) == 2, 10):
            ok(False, "its place is not taken")
        # whatever became of it: who asks again is told the truth
        if status is None:
            r = a.request("/api/purge", "POST", body=json.dumps({"tags": [path[1:]]}).encode(),
                          headers=[("Authorization", f"Bearer {TOKEN}")])
            is_((r.status, [ng.get(path).body for ng in (a, b)]), (200, [b"%d" % version[path]] * 2), f"{path}: asked again")
    ok(told.get(None, 0) > 0, f"answers: {told}")
