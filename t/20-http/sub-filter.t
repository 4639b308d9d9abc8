#!/usr/bin/env python3
"""sub_filter runs on the way out and never touches what is stored."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    page = b"<html>Hello COLOR, COLOR!</html>" + text("sub", 5000) + b"COLOR end"
    origin.reply("/a", Reply(page, cc="max-age=60", type="text/html"))
    origin.reply("/private", Reply(page, cc="private", type="text/html"))
    origin.reply("/drip", Reply(page, cc="max-age=60", type="text/html", drip=(700, 0.01)))
    ng = t.nginx(origin, "sub_filter COLOR $http_x_color; sub_filter_once off;", locations="""
        location /plain/ { strata_cache z; strata_key shared $uri; proxy_pass http://%ORIGIN%/; }""")
    for path in "/a", "/private", "/drip":
        for color in "red", "blue", "green", "ultramarine", "":
            r = ng.fill(path, headers={"X-Color": color} if color else {})
            is_((r.status, r.body == page.replace(b"COLOR", color.encode())), (200, True),
                f"{path}: {color or 'nothing'} ({r.cache})")
    is_(origin.count("/a"), 1, "one fetch")
    is_(origin.count("/drip"), 1, "one fetch of the dripped one")
    for color in "red", "blue":
        r = ng.get("/a", headers={"X-Color": color, "Range": "bytes=0-5"})
        ok(r.status in (200, 206), "a range")
