#!/usr/bin/env python3
"""What turns out not storable streams to the one client that caused it: at once, whole, bounded."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    big = blob("ps", 5_000_000)
    origin.reply("/drip", Reply(big[:100_000], cc="private", drip=(10_000, 0.1)))
    origin.reply("/big", Reply(big, cc="private"))
    origin.reply("/big-chunked", Reply(big, cc="private", chunked=True))
    origin.reply("/eof", Reply(big[:300_000], cc="private", eof=True))
    origin.reply("/cut", Reply(big[:300_000], cc="private", cut=150_000))
    ng = t.nginx(origin, "strata_pass_ttl 0; proxy_buffering off;")

    r = ng.get("/drip")
    is_((r.cache in ("MISS", "PASS"), r.why), (True, "private"), "the word")
    is_(r.body == big[:100_000], True, "drip: whole")
    within(r.body_ms, 150, "drip: starts at once")
    ok(r.ms > 800, "drip: as slow as the origin")
    for path, want in (("/big", big), ("/big-chunked", big), ("/eof", big[:300_000])):
        r = ng.get(path)
        is_((r.complete, r.body == want), (True, True), f"{path}: whole")
    r = ng.get("/cut")
    is_((r.complete, r.body), (False, big[:150_000]), "cut: seen as cut")
    r = ng.request("/big", "HEAD")
    is_((r.status, r.body), (200, b""), "HEAD")

    # a slow client holds the origin back, not the memory
    before = ng.rss()
    origin.reply("/huge", Reply(big * 8, cc="private"))
    rs = in_thread(ng.swarm, [Client("/huge", slow=(65536, 0.05)) for _ in range(3)], 2.0)
    time.sleep(1.2)
    grown = (ng.rss() - before) / 1e6
    rs.join()
    at_most(grown, 12 * SLOW, "MB grown for three slow readers of 40 MB")
    is_(ng.get("/big").body == big, True, "goes on")
