#!/usr/bin/env python3
"""rewrite, try_files, named locations, index: the key is of the location that answers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.target}".encode(), cc="max-age=60")

    ng = t.nginx(origin, locations="""
        location /old/ { rewrite ^/old/(.*)$ /new/$1 last; }
        location /try/ { root %DIR%/html; try_files $uri @app; }
        location @app { strata_cache z; proxy_pass http://%ORIGIN%; }
        location /both/ { strata_cache z; root %DIR%/html; try_files $uri @app; }
        location /dir/ { root %DIR%/html; index nothing.html /new/index; }
        location /err/ { error_page 418 = @app; return 418; }
        location /if/ { strata_cache z; if ($arg_x) { set $y 1; } proxy_pass http://%ORIGIN%; }
        location /return/ { strata_cache z; return 200 "returned $arg_x"; }""")
    ng.file("html/try/file", "a file")
    ng.file("html/dir/.keep", "")
    for i in range(3):
        is_(ng.fill("/old/a").body, b"/new/a", f"{i}: rewrite last")
        is_(ng.fill("/new/a").body, b"/new/a", f"{i}: its target")
        is_(ng.fill("/try/file").body, b"a file", f"{i}: try_files: a file")
        is_(ng.fill("/try/none").body, b"/try/none", f"{i}: try_files: a named location")
        is_(ng.fill("/both/none").body, b"/both/none", f"{i}: cache on both sides")
        is_(ng.fill("/dir/").body, b"/new/index", f"{i}: index")
        is_(ng.fill("/err/a").body, b"/err/a", f"{i}: error_page to a named location")
        is_(ng.fill("/if/a?x=1").body, b"/if/a?x=1", f"{i}: if")
        is_(ng.fill(f"/return/a?x={i}").body, f"returned {i}".encode(), f"{i}: return")
    is_(ng.get("/old/a").cache, "HIT", "rewrite: a hit")
    is_(ng.get("/try/none").cache, "HIT", "named location: a hit")
    is_(origin.count("/new/a"), 1, "one fetch for both names")
    is_(origin.count("/try/none"), 1, "one fetch through @app")
