#!/usr/bin/env python3
"""T-05: servers that share a zone and an origin do not share entries; locations of one URL do."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

SERVER = """server { listen 127.0.0.1:%PORT%; server_name NAME; location / { strata_cache z; BODY
    proxy_pass http://%ORIGIN%; } }"""

with scenario() as t:
    origin = t.origin()
    count = 0

    @origin.route("/*")
    def _(req):
        global count
        count += 1
        return Reply((req.get("Host") or "").encode(), cc="max-age=60", headers=[("X-Count", count)])

    names = ("a.test", "b.test", "c.test")
    for how, body in (("Host of the client", "proxy_set_header Host $host;"), ("as shipped", "")):
        ng = t.nginx(origin, body, servers="\n".join(SERVER.replace("NAME", n).replace("BODY", body) for n in names))
        count = 0
        seen = {}
        for i in range(3):
            for name in names + ("localhost", "unknown.test", "A.TEST", "a.test:8080"):
                r = ng.fill("/x", host=name)
                owner = name.lower()
                case(seen.setdefault(owner, r.get("X-Count")) == r.get("X-Count"), f"{how}: {name} {i}: its own entry")
                if body:
                    is_(r.body, owner.partition(":")[0].encode(), f"{how}: {name} {i}: its own body")
        case(len(set(seen.values())) == len(seen) == count, f"{how}: one fetch for each of {len(seen)}")
