#!/usr/bin/env python3
"""A purge by tag before, during and after each step of a fill: on the same worker, another one, another node."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog

with scenario(150) as t:
    origin = t.origin()
    n, gates = {}, {}
    BODY = 3000

    @origin.route("/*")
    def _(req):
        p = req.path
        n[p] = k = n.get(p, 0) + 1
        body = (f"{k} " * BODY)[:BODY].encode()
        g = gates.get((p, k))
        if not g:
            return Reply(body, cc="max-age=100", headers=[("Surrogate-Key", "k")])
        g["asked"].shut_and_wait() if "asked" in g else None
        chunked = p.endswith("c")
        head = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {BODY}"
        req.send(f"HTTP/1.1 200 OK\r\nCache-Control: max-age=100\r\nSurrogate-Key: k\r\n{head}\r\n\r\n")
        half = body[:BODY // 2], body[BODY // 2:]
        frame = (lambda d: b"%x\r\n%s\r\n" % (len(d), d)) if chunked else (lambda d: d)
        req.send(frame(half[0]))
        if "mid" in g:
            g["mid"].shut_and_wait()
        req.send(frame(half[1]) + (b"0\r\n\r\n" if chunked else b""))
        req.close()

    class Step:
        def __init__(self):
            self.here, self.go = threading.Event(), threading.Event()

        def shut_and_wait(self):
            self.here.set()
            self.go.wait(20)

    redis, a, b = invlog.pair(t, origin, "strata_l2 r; strata_l2_timeout 250ms;")

    def version(r):
        return int(r.body.split()[0]) if r.complete and r.body else None

    def purge(ng, pid):
        with ng.conn_to(pid) as c:
            r = c.request("/", "PURGE", headers={"Surrogate-Key": "k"})
            is_(r.status, 200, "acknowledged")

    case = 0
    for where in "same worker", "other worker", "other node":
        for step in "asked", "mid", "after":
            for length in "", "c":
                case += 1
                p = f"/{case}{length}"
                pids = a.workers()
                ng, pid = {"same worker": (a, pids[0]), "other worker": (a, pids[1]),
                           "other node": (b, b.workers()[0])}[where]
                note(f"{where}, {step}{', chunked' if length else ''}")
                s = Step()
                gates[p, 1] = {step: s} if step != "after" else {"asked": s}
                with a.conn_to(pids[0]) as c:
                    c.send(build(p))
                    s.here.wait(20)
                    if step == "mid":
                        time.sleep(0.05)
                    if step != "after":
                        purge(ng, pid)
                        # a request after the purge, while the old fetch still runs
                        with a.conn_to(pids[0]) as d, a.conn_to(pids[1]) as e:
                            d.send(build(p)), e.send(build(p))
                            time.sleep(0.1)
                            s.go.set()
                            got = version(d.read()), version(e.read())
                            ok(None not in got and min(got) >= 2, f"who asks after the purge: {got}")
                        r = c.read()
                        is_(version(r), 1, "who asked before")
                    else:
                        s.go.set()
                        is_(version(c.read()), 1, "the fill")
                        a.quiet()
                        purge(ng, pid)
                a.quiet(), b.quiet()
                for x in a, b:
                    for q in x.workers():
                        with x.conn_to(q) as c:
                            v = version(c.request(p))
                            ok(v >= 2, f"then {v}")
                    x.quiet()

    # the leader dies between the purge and the end of its fill
    s = Step()
    gates["/dead", 1] = {"asked": s}
    pids = a.workers()
    with a.conn_to(pids[0]) as c, a.conn_to(pids[1]) as d:
        c.send(build("/dead"))
        s.here.wait(20)
        purge(b, b.workers()[0])
        d.send(build("/dead"))
        time.sleep(0.1)
        a.kill_worker(pids[0])
        s.go.set()
        v = version(d.read())
        ok(v is not None and v >= 2, f"the leader died: {v}")

    # a node that starts judges what L2 has
    a.fill("/old"), a.fill("/new")
    wait_until(lambda: a.count("l2_queued") == 0, 5)
    tagged = a.purge("/", headers={"Surrogate-Key": "k"})
    a.fill("/new")
    wait_until(lambda: a.count("l2_queued") == 0, 5)
    c = invlog.leased(invlog.node(t, origin, redis.url, "strata_l2 r; strata_l2_timeout 250ms;"))
    r = c.get("/new")
    is_((r.get("X-Tier"), version(r)), ("l2", 2), "a new node uses what was fetched after a purge")
    r = c.get("/old")
    is_((r.get("X-Tier"), version(r)), ("origin", 2), "and nothing older")
