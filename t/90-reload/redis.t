#!/usr/bin/env python3
"""F-50: reloads and stops with connections to Redis open and calls under way: no socket is left."""
import pathlib, signal, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_server import Server

with scenario(120) as t:
    server = t.keep(Server())
    # what blocks has its own connections, as deadlines missed behind it close them
    p = Probe(t, server.url, workers=2, http=f"strata_redis many {server.url};",
              location="location = /many { strata_probe many; }")
    for i in range(10):
        boxes = [in_thread(lambda: p("BLPOP", "nothing", 0.3, timeout=2000)) for _ in range(4)]
        boxes += [in_thread(lambda: p.get("/many", storm=500).body.decode()) for _ in range(4)]
        wait_until(lambda: b"cmd=blpop" in server("CLIENT", "LIST"))
        if not ok(p.ng.reload(), f"reload {i}"):
            break
        got = [b.join() for b in boxes]
        is_({a.text for a in got[:4]}, {"ok 1\nnil\n"}, "what was under way is answered")
        ok(all("crossed 0" in x for x in got[4:]), "and so are many")
    ok(p.up(2), "the last workers are connected")
    ok(wait_until(lambda: server("CLIENT", "LIST").count(b"name=strata") == 8), "nobody else is")

    box = in_thread(lambda: p("BLPOP", "nothing", 0.5, timeout=2000))
    wait_until(lambda: b"cmd=blpop" in server("CLIENT", "LIST"))
    ok(p.ng.stop(), "a graceful stop")
    is_(box.join().text, "ok 1\nnil\n", "waits for who waits for Redis")

    hung = t.keep(Server())
    p2 = Probe(t, hung.url, env="worker_shutdown_timeout 500ms;")
    p2.up(2)
    box = in_thread(lambda: p2("BLPOP", "nothing", 0, timeout=20000))
    wait_until(lambda: b"cmd=blpop" in hung("CLIENT", "LIST"))
    start = time.monotonic()
    ok(p2.ng.stop(), "worker_shutdown_timeout")
    within(ms_since(start), 1500, "ends calls as well")
    box.join()

    p3 = Probe(t, hung.url)
    p3.up(2)
    hung.stop()
    box = in_thread(lambda: p3("GET", "k", timeout=20000))
    time.sleep(0.1)
    p3.ng.stopped = True
    start = time.monotonic()
    p3.ng.send_signal(signal.SIGTERM)
    ok(wait_until(lambda: not p3.ng.running(), 5), "SIGTERM while Redis hangs")
    within(ms_since(start), 1000, "is fast")
    hung.go_on()
    box.join()
