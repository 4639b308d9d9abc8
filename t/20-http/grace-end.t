#!/usr/bin/env python3
"""After the grace window, and without one, the client waits for a new response."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    n = 0

    @origin.route("/*")
    def _(req):
        global n
        n += 1
        return Reply(f"v{n}".encode())

    ng = t.nginx(origin, "strata_valid 100ms; strata_grace 200ms;", locations="""
        location /none/ { strata_cache z; strata_valid 100ms; proxy_pass http://%ORIGIN%; }
        location /off/ { strata_cache z; strata_valid 100ms; strata_grace 1h; strata_use_stale off;
                         proxy_pass http://%ORIGIN%; }""")
    for path, pause in ("/a", 0.45), ("/none/a", 0.15), ("/off/a", 0.15):
        first = ng.fill(path).body
        time.sleep(pause)
        r = ng.get(path)
        is_(r.cache, "EXPIRED", f"{path}: EXPIRED")
        isnt(r.body, first, f"{path}: a new body")
        is_(ng.get(path).body, r.body, f"{path}: which is stored")
    is_(ng.count("stale"), 0, "nothing stale was served")
    at_least(ng.count("expired"), 3, "counted: expired")
