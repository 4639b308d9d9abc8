#!/usr/bin/env python3
"""GET and DELETE of jobs: a purge for later waits, is called off, or comes, whoever dies; one in the log is done."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

import json, os, signal

TOKEN, OTHER, SHOP, NEWS, READ = (f"{x}-token-0123456789" for x in ("all", "other", "shop", "news", "read"))
API = "strata_cache z; strata_api write=on; strata_api_token"

with scenario(120) as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=600", headers=[("Surrogate-Key", req.path[1:].replace("/", " "))]))

    def tokens(ng):
        ng.file("tokens", f"{TOKEN}\n{OTHER}\n{SHOP} tag=shop*\n{NEWS} tag=news* tag=shop2\n{READ} read\n")

    def call(ng, path, what=None, method=None, token=TOKEN, at="/api/"):
        r = ng.request(at + path, method or ("POST" if what else "GET"), body=json.dumps(what).encode() if what else None,
                       headers=[("Authorization", f"Bearer {token}")])
        return r.status, json.loads(r.body)

    def later(ng, what, delay="1h", token=TOKEN, **kw):
        status, j = call(ng, "purge", dict(what, delay=delay, **kw), token=token)
        is_((status, j.get("job", "")[:5]), (202, "wait-"), f"{what} in {delay}: {j}")
        return j["job"]

    def state(ng, job, **kw):
        return call(ng, "jobs/" + job, **kw)[1].get("state")

    def off(ng, job, **kw):
        status, j = call(ng, "jobs/" + job, method="DELETE", **kw)
        return status, j.get("state") or j.get("error")

    def jobs(ng, other):
        """What is the same with and without Redis; other is another node of the cluster, or this one."""
        job = later(ng, {"tags": ["shop1"]})
        status, j = call(other, "jobs/" + job)
        is_((status, j["state"], j["events"], j["job"]), (200, "waiting", 1, job), f"waits: {j}")
        ok(3.5e6 < j["due_ms"] <= 3.6e6, "for an hour")
        is_(off(other, job, token=READ), (403, "forbidden"), "who may only read")
        is_(call(other, "jobs/" + job, token=READ)[1]["state"], "waiting", "reads")
        is_(off(other, job), (200, "cancelled"), "called off")
        is_((state(ng, job), off(ng, job)), ("over", (409, "conflict")), "which is that")

        ng.fill("/shop3"), other.fill("/shop3")
        job = later(ng, {"tags": ["shop3"]}, "700ms")
        kept = later(ng, {"tags": ["shop4"]}, "700ms")
        ng.fill("/shop4")
        is_(off(other, job), (200, "cancelled"), "one of two that are due together")
        ok(wait_until(lambda: ng.get("/shop4").cache != "HIT", 10), "the other happens")
        is_((state(ng, job), state(other, kept)), ("over", "over"), "both are over")
        is_([n.get("/shop3").cache for n in (ng, other)], ["HIT", "HIT"], "what was called off is not purged")

        job = later(ng, {"keys": [f"key{i}" for i in range(300)]})
        is_(call(other, "jobs/" + job)[1]["events"], 300 if ng is other else 3, "one of several events")
        is_(off(other, job), (200, "cancelled"), "called off as a whole")
        is_(state(ng, job), "over", "nothing of it is left")

        note("whose it is")
        job, free = later(ng, {"tags": ["shop2"]}, token=SHOP), later(ng, {"tags": ["shop2"]})
        for token, name, status in ((SHOP, job, 200), (TOKEN, job, 200), (OTHER, job, 200), (NEWS, job, 404), (SHOP, free, 404),
                                    (READ, job, 200)):
            is_(call(ng, "jobs/" + name, token=token)[0], status, f"{token} asks for {name[:12]}")
        is_(off(ng, job, token=NEWS), (404, "not_found"), "that of another is not there to call off")
        is_(call(ng, "jobs/" + free, at="/narrow/")[0], 200, "by a location with a scope: his own")
        is_(call(ng, "jobs/" + free, at="/narrow/", token=OTHER)[0], 404, "no other")
        parts = job.split("-")
        wrong = ["", "x", "wait-", "log-", "wait--", job[:-1], job + "0", job[1:], job.upper(), "log-" + job[5:],
                 job + "/x", "wait-" + "0" * 16 + "-1-" + "0" * 16, "wait-" + "0" * 16 + "--" + "0" * 16,
                 "-".join([*parts[:2], str(int(parts[2]) + 1), parts[3]]), "-".join([*parts[:2], "9" * 30, parts[3]]),
                 "-".join([parts[0], parts[1][::-1], *parts[2:]]), "-".join([*parts[:2], "-" + parts[2], parts[3]]),
                 "%2500", "wait-" + "g" * 16 + "-1-" + "0" * 16]
        for i in range(len(job)):
            wrong.append(job[:i] + ("1" if job[i] != "1" else "2") + job[i + 1:])
        answers = {call(ng, "jobs/" + w)[0] for w in wrong} | {off(ng, w)[0] for w in wrong if w}
        is_(answers, {404}, f"{len(wrong)} names that nobody was given")
        is_((state(ng, job), state(ng, free)), ("waiting", "waiting"), "both still wait")
        is_(call(ng, "jobs/" + job + "?zone=other")[0], 404, "of another zone")
        is_(call(ng, "jobs/" + job + "?zone=none")[0], 400, "of none")
        is_(call(ng, "jobs", method="GET")[0], 404, "there is no list")
        is_(call(ng, "jobs/" + job, {"a": 1}, "POST")[0], 405, "no other method")
        is_([off(ng, job, token=SHOP), off(ng, free)], [(200, "cancelled")] * 2, "called off")

    LOCATIONS = f"""
        location /api/ {{ {API} %DIR%/tokens; }}
        location /twice/ {{ {API} %DIR%/tokens; strata_double_delete 500ms; }}
        location /narrow/ {{ {API} %DIR%/tokens; strata_api_scope tag=shop*; }}"""

    note("a zone that is alone")
    alone = t.nginx(origin, zone=["z 16m", "other 1m"], locations=LOCATIONS, start=False)
    tokens(alone)
    alone.start()
    jobs(alone, alone)

    note("which outlives workers and a reload")
    alone.fill("/a"), alone.fill("/b")
    job = later(alone, {"tags": ["a"]}, f"{2 * SLOW}s")
    gone = later(alone, {"tags": ["b"]}, f"{2 * SLOW}s")
    for pid in alone.workers():
        alone.kill_worker(pid)
    is_(state(alone, job), "waiting", "its workers were killed")
    alone.reload()
    is_(state(alone, job), "waiting", "there was a reload")
    is_(off(alone, gone), (200, "cancelled"), "it can be called off")
    ok(wait_until(lambda: alone.get("/a").cache != "HIT", 10), "or comes")
    is_((state(alone, job), alone.get("/b").cache), ("over", "HIT"), "as it was asked for")

    alone.fill("/c")
    is_(call(alone, "purge", {"tags": ["c"]}, at="/twice/")[0], 200, "strata_double_delete holds for the API")
    alone.fill("/c")
    ok(wait_until(lambda: alone.get("/c").cache != "HIT", 10), "once more")
    alone.fill("/c")
    status, j = call(alone, "purge", {"tags": ["c"], "wait": "log"})
    is_((status, "job" in j), (200, False), "without a log nothing goes on after the answer")
    jobs_of = [later(alone, {"keys": [f"{i}-{j}" for j in range(120)]}) for i in range(4)]
    status, j = call(alone, "purge", {"keys": [f"5-{j}" for j in range(120)], "delay": "1h"})
    is_((status, j["error"], j["reason"], "job" in j), (503, "unavailable", "delay-full", False), "no room for another")
    is_({off(alone, j) for j in jobs_of}, {(200, "cancelled")}, "until some are called off")
    later(alone, {"keys": [f"5-{j}" for j in range(120)]})

    note("a cluster")
    file = alone.dir + "/tokens"
    redis, a, b = invlog.pair(t, origin, zone=["z 16m", "other 1m"], locations=LOCATIONS.replace("%DIR%/tokens", file))
    jobs(a, b)
    is_(redis("ZCARD", "{log}:d"), 0, "Redis has nothing left of them")
    a.fill("/d"), b.fill("/d")
    job = later(a, {"tags": ["d"]}, f"{2 * SLOW}s")
    is_(redis("ZCARD", "{log}:d"), 1, "kept in Redis")

    status, j = call(a, "purge", {"tags": ["e"], "wait": "log"})
    is_((status, j["job"][:4]), (202, "log-"), f"in the log: {j}")
    ok(wait_until(lambda: state(b, j["job"]) == "done", 10), "and soon done")
    is_(call(b, "jobs/" + j["job"])[1]["acked"], 2, "on both nodes")
    is_(off(a, j["job"]), (409, "conflict"), "it can't be taken back")
    number = j["job"].split("-")
    is_(call(a, "jobs/" + "-".join([*number[:2], str(int(number[2]) + 1), number[3]]))[0], 404, "another was not given out")

    # a node dies: the other does what it promised
    workers = a.workers()
    a.stopped = True
    a.process.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    a.process.wait()
    status, j = call(b, "purge", {"tags": ["e"], "wait": "log"})
    is_((status, state(b, j["job"])), (202, "running"), "a node is dead, and had a lease")
    ok(wait_until(lambda: state(b, j["job"]) == "done", 10), "done when that ran out")
    j = call(b, "jobs/" + j["job"])[1]
    is_((j["acked"], j["expired"]), (1, 1), "past one node, without the other")
    ok(wait_until(lambda: b.get("/d").cache != "HIT", 10), "the purge that the dead one was asked for")
    is_(state(b, job), "over", "is over")

    b.allowed += ["strata"]
    redis.kill()
    status, j = call(b, "jobs/" + job)
    is_((status, j["error"]), (503, "unavailable"), f"nobody to ask: {j}")
