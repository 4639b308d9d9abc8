#!/usr/bin/env python3
"""F-20: replies never cross: calls of many kinds, cancelled and late ones among them, while connections are cut."""
import os, pathlib, random, sys, threading
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from probe import Probe
from redis_server import Server

CALLS = int(os.environ.get("STRATA_CALLS") or 60_000)      # make storm: 1,000,000

with scenario(60 + CALLS // 1000) as t:
    random.seed(rnd().random())
    server = t.keep(Server())
    p = Probe(t, f"{server.url} pool=3 reconnect=5ms,20ms", workers=2)
    p.up(3)
    total = {}
    end = threading.Event()

    def nemesis():
        """Cuts connections, and lets the server sleep, at any moment."""
        while not end.is_set():
            time.sleep(random.random() * 0.1)
            try:
                ids = [x.split()[0][3:] for x in server("CLIENT", "LIST").decode().splitlines()
                       if "name=strata" in x]
                if ids and random.random() < 0.8:
                    server("CLIENT", "KILL", "ID", random.choice(ids))
                elif random.random() < 0.3:
                    server("CLIENT", "PAUSE", 20)
            except (OSError, RuntimeError):
                pass

    thread = in_thread(nemesis)
    left = CALLS
    while left > 0:
        n = min(left, 20_000)
        left -= n
        for box in [in_thread(lambda: p.get(storm=n // 4, wide=random.choice([1, 7, 64, 300]))
                              .body.decode().split()) for _ in range(4)]:
            words = box.join(120)
            for name, value in zip(words[::2], words[1::2]):
                total[name] = total.get(name, 0) + int(value)
    end.set()
    thread.join(5)
    note(total)
    is_(total["crossed"], 0, f"no reply to somebody else in {CALLS} calls")
    is_(sum(total.values()), CALLS // 4 * 4, "each call ended once")
    at_least(total["ok"], CALLS // 4, "most were answered")
    for kind in ("error", "timeout", "cancelled"):
        at_least(total[kind], 1, f"some ended otherwise: {kind}")
    ok(wait_until(lambda: p("PING").rc == "ok"), "and it goes on")
