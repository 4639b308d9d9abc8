#!/usr/bin/env python3
"""rewrite, try_files, named locations, index: the key is of the location that answers."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        said = req.get("X-Uri") or req.get("X-Line")
        return Reply(f"{req.target}{said and ' ' + said or ''}".encode(), cc="max-age=60")

    ng = t.nginx(origin, locations="""
        location /old/ { rewrite ^/old/(.*)$ /new/$1 last; }
        location /try/ { root %DIR%/html; try_files $uri @app; }
        location @app { strata_cache z; proxy_pass http://%ORIGIN%; }
        location /both/ { strata_cache z; root %DIR%/html; try_files $uri @app; }
        location /dir/ { root %DIR%/html; index nothing.html /new/index; }
        location /err/ { error_page 418 = @app; return 418; }
        location /if/ { strata_cache z; if ($arg_x) { set $y 1; } proxy_pass http://%ORIGIN%; }
        location /fc/ { root %DIR%/html; try_files $uri /index.php?$args; }
        location = /index.php { strata_cache z; strata_purge 1; proxy_set_header X-Uri $request_uri; proxy_pass http://%ORIGIN%; }
        location /fc2/ { root %DIR%/html; try_files $uri /keyed.php?$args; }
        location = /keyed.php { strata_cache z; strata_key $host $request_uri; proxy_set_header X-Uri $request_uri;
                                proxy_pass http://%ORIGIN%; }
        location /line/ { strata_cache z; rewrite ^ /one break; proxy_set_header X-Line $request;
                          proxy_pass http://%ORIGIN%; }
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

    # a front controller that is told the client's own URI answers to that one
    for i in range(2):
        for path in "/fc/a", "/fc/b", "/fc/c":
            args = path.partition("?")[2]
            r = ng.fill(path)
            is_(r.body.decode(), f"/index.php{args and '?' + args} {path}", f"{i}: {path}: its own page")
            is_(r.why, "hit-for-miss" if i or path != "/fc/a" else "request-uri", f"{i}: {path}: not stored")
        for path in "/fc2/a", "/fc2/b", "/fc2/a?x=1":
            r = ng.fill(path)
            is_((r.body.decode().split()[1], r.cache), (path, "HIT" if i else "MISS"), f"{i}: {path}: with a key of its own")
        is_(ng.fill(f"/line/{i}").body.decode(), f"/one GET /line/{i} HTTP/1.1", f"{i}: $request tells it too")
    is_(ng.purge("/index.php?e").status in (200, 404), True, "purged, so no longer remembered")
    gate = Gate()

    @origin.route("/index.php")
    def _(req):
        gate.wait()
        return Reply(req.get("X-Uri").encode(), 500)

    rs = [in_thread(lambda n=n: ng.get(f"/fc/e{n}?e")) for n in range(4)]
    ok(gate.arrived(), "one asks")
    ok(wait_until(lambda: ng.status()["waiters"] == 3), "three wait")
    gate.open()
    is_([r.join().body for r in rs], [b"/fc/e%d?e" % n for n in range(4)], "errors are not shared either")
