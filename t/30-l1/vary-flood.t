#!/usr/bin/env python3
"""T-12: 100000 user agents on a URL that varies on them: bytes stay bounded, the others keep their hits."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import random

N, BATCH = int(100_000 / SLOW), 500

with scenario(seconds=300) as t:
    # the origin is nginx as well, for speed; the flood comes pipelined
    ng = t.nginx(only="""
        location / { strata_cache z; strata_jitter off; proxy_pass http://back;
                     proxy_http_version 1.1; proxy_set_header Connection ""; }""",
                 http="upstream back { server 127.0.0.1:%BACK%; keepalive 32; }",
                 servers="""
        server {
            listen 127.0.0.1:%BACK%;
            location / { add_header Cache-Control max-age=600; return 200 "$uri 0123456789"; }
            location /agents { add_header Cache-Control max-age=600; add_header Vary User-Agent;
                               return 200 "<$http_user_agent>"; }
        }""", zone="z 4m")
    hot = [f"/hot{i}" for i in range(300)]
    with ng.conn() as c:
        for p in hot * 2:
            c.get(p)
        is_(sum(c.get(p).cache == "HIT" for p in hot), len(hot), "the others are there")
        used = ng.status()["bytes_used"]
        most = wrong = hits = asked = 0
        rnd = random.Random(1)
        for i in range(0, N, BATCH):
            agents = [f"agent-{rnd.getrandbits(64):x}" for _ in range(BATCH)]
            c.send(b"".join(build("/agents", headers={"User-Agent": a}) for a in agents))
            wrong += sum(c.read().body != f"<{a}>".encode() for a in agents)
            p = rnd.choice(hot)
            asked += 1
            hits += c.get(p).cache == "HIT"
            most = max(most, ng.status()["bytes_used"])
    is_(wrong, 0, f"{N} user agents: each its own answer")
    at_most(most - used, 20 * 2048, "bytes used more, at any time")
    is_(hits, asked, "hits of the others on the way")
    at_least(ng.count("vary_evictions"), N - 40, "the oldest go")
    is_(ng.count("evictions"), 0, "nothing else has to")
    with ng.conn() as c:
        is_(sum(c.get(p).cache == "HIT" for p in hot), len(hot), "the others still are there")
