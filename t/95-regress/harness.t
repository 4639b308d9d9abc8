#!/usr/bin/env python3
"""The harness: what it measures is right, and its final check sees what it must."""
import os, pathlib, sys
os.environ["STRATA_MODULE"] = "none"          # plain nginx
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import signal

with scenario() as t:
    origin = t.origin()
    gate = Gate()
    body = blob("a", 100_000)

    origin.reply("/cl", Reply(body, cc="max-age=1"))
    origin.reply("/chunked", Reply(body, chunked=True))
    origin.reply("/cut", Reply(body, cut=50_000))
    origin.reply("/cut-chunked", Reply(body, cut=50_000, chunked=True))
    origin.reply("/drip", Reply(body, drip=(10_000, 0.03)))

    @origin.route("/gate")
    def _(req):
        gate.wait()
        return Reply(b"through")

    @origin.route("/delay")
    def _(req):
        time.sleep(0.2)
        return Reply(b"late")

    ng = t.nginx(origin, h2=True, tls=True, location="proxy_buffering off;")

    for path in "/cl", "/chunked":
        r = ng.get(path)
        is_((r.status, r.complete, r.body == body), (200, True, True), f"{path} whole")
    for path in "/cut", "/cut-chunked":
        r = ng.get(path)
        is_((r.status, r.complete, len(r.body)), (200, False, 50_000), f"{path} broken")

    r = ng.get("/drip")
    ok(r.ms > 250 and r.first_ms < 100 and r.body == body, "drip: first byte early")

    with ng.conn() as c:
        is_([c.get("/cl").body == body for _ in range(5)], [True] * 5, "keep-alive")
        is_(c.request("/cl", "HEAD").body, b"", "HEAD on it")
        is_(c.get("/chunked").body, body, "and it goes on")

    rs = ng.swarm([Client("/delay") for _ in range(60)])
    ok(all(r.body == b"late" for r in rs), "60 clients at once")
    at_least(min(r.ms for r in rs), 195, "none too early")
    within(max(r.ms for r in rs), 400, "none late")

    a = in_thread(ng.get, "/gate")
    ok(gate.arrived(), "the gate has a visitor")
    gate.open()
    is_(a.join().body, b"through", "who gets through")

    rs = ng.swarm([Client("/drip", abort=20_000), Client("/drip", abort="header"),
                   Client("/cl", slow=(20_000, 0.02)), Client("/cl")])
    is_([r.error for r in rs], ["aborted", "aborted", None, None], "rude clients")
    is_([r.body == body for r in rs[2:]], [True, True], "slow and plain client")

    pids = ng.workers()
    is_(len(pids), 2, "two workers")
    for pid in pids:
        with ng.conn_to(pid) as c:
            is_(c.get("/cl").pid, pid, "a connection to the worker we want")

    is_(ng.curl("/cl", h2=True).body, body, "h2c")
    r = ng.curl("/cl", h2=True, tls=True)
    is_((r.body == body, r.reason), (True, "HTTP/2"), "h2 over TLS")
    is_(client.request(ng.tls_port, "/cl", tls=True).body, body, "TLS")

    origin.down()
    is_(ng.get("/cl").status, 502, "origin down")
    origin.up()
    is_(ng.get("/cl").status, 200, "and up")

    f = followers(ng.port, 300, "/delay")
    is_((f["complete"], f["broken"], f["statuses"]), (300, 0, {"200": 300}), "followers")
    is_(len(f["bodies"]), 1, "one body")
    is_(len(f["pids"]), 2, "both workers")
    f = followers(ng.port, 20, "/cut-chunked")
    is_(f["broken"], 20, "followers see cut bodies")
    f = followers(ng.port, 20, "/chunked")
    is_((f["complete"], len(f["bodies"])), (20, 1), "and chunked ones")

    ok(ng.reload(), "reload")
    ok(not set(pids) & set(ng.workers()), "new workers")

    ng.kill_worker(ng.workers()[0])
    ok(wait_until(lambda: len(ng.workers()) == 2), "a killed worker is replaced")
    is_(ng.problems(), [], "its death was ours")

    ng = Nginx(origin=origin)
    os.kill(ng.workers()[0], signal.SIGKILL)
    wait_until(lambda: ng.log("exited on signal"))
    like(str(ng.problems()), "exited on signal 9", "one that was not is seen")
    ng.remove()

    message = t.config_error(http="nonsense;")
    like(message, 'unknown directive "nonsense"', "messages of nginx -t")
    is_(t.config_error(), None, "and silence")
