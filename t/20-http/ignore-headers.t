#!/usr/bin/env python3
"""strata_ignore_headers: the named fields of the origin do not count, and are still passed on."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/cc", Reply(b"x", cc="no-store"))
    origin.reply("/private", Reply(b"x", cc="private"))
    origin.reply("/expires", Reply(b"x", headers=[("Expires", "0")]))
    origin.reply("/cookie", Reply(b"x", cc="max-age=60", headers=[("Set-Cookie", "a=1")]))
    origin.reply("/vary", Reply(b"x", cc="max-age=60", headers=[("Vary", "*")]))
    origin.reply("/accel", Reply(b"x", cc="max-age=60", headers=[("X-Accel-Expires", "0")]))
    names = {"cc": "Cache-Control", "private": "Cache-Control", "expires": "Expires",
             "cookie": "Set-Cookie", "vary": "Vary", "accel": "X-Accel-Expires"}
    locations = ""
    for path, name in names.items():
        locations += (f"location /i/{path} {{ strata_cache z; strata_valid 30s; "
                      f"strata_ignore_headers {name}; proxy_pass http://%ORIGIN%/{path}; }}\n"
                      f"location /o/{path} {{ strata_cache z; strata_valid 30s; "
                      f"proxy_pass http://%ORIGIN%/{path}; }}\n")
    ng = t.nginx(origin, locations=locations)
    for path, name in names.items():
        ng.fill(f"/o/{path}")
        isnt(ng.fill(f"/o/{path}").cache, "HIT", f"{name} ({path}) counts")
        ng.fill(f"/i/{path}")
        r = ng.get(f"/i/{path}")
        is_(r.cache, "HIT", f"{name} ({path}) ignored: stored")
        if path in ("cc", "private", "vary"):
            ok(r.get(name), f"{name} still goes to the client")
