#!/usr/bin/env python3
"""When a refresh fails, what is stored may be served within its window; not beyond, not if forbidden."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    bad = None

    @origin.route("/*")
    def _(req):
        if bad == "500":
            return Reply(b"oops", 500)
        if bad == "503":
            return Reply(b"busy", 503)
        if bad == "reset":
            req.reset()
        if bad == "garbage":
            req.send("HTTP/1.1 200 OK\r\nX-A: a\0b\r\n\r\n")
            req.close()
        cc = {"/sie": "max-age=60, stale-if-error=60",
              "/must": "max-age=60, stale-if-error=60, must-revalidate"}.get(req.path)
        return Reply(b"good", cc=cc)

    def loc(name, more):
        return (f"location /{name}/ {{ strata_cache z; strata_valid 100ms; strata_valid_max 100ms; {more} "
                "proxy_pass http://%ORIGIN%; proxy_read_timeout 300ms; }\n")

    ng = t.nginx(origin, "strata_valid_max 100ms;", locations=
                 loc("err", "strata_grace 1h; strata_background_update off; strata_use_stale error timeout;")
                 + loc("all", "strata_grace 1h; strata_background_update off; strata_use_stale error "
                              "timeout invalid_header http_500 http_503;")
                 + loc("off", "strata_grace 1h; strata_background_update off; strata_use_stale off;")
                 + loc("short", "strata_grace 50ms; strata_background_update off; "
                                "strata_use_stale error;"))

    def after(path, how):
        global bad
        bad = None
        ng.purge(path)
        ng.fill(path)
        time.sleep(0.25)
        bad = how
        r = ng.fill(path)
        bad = None
        return r

    for path, how, stale, status in (
            ("/sie", "500", True, 200), ("/sie", "reset", True, 200),
            ("/must", "500", False, 500), ("/must", "reset", False, 502),
            ("/err/a", "reset", True, 200), ("/err/b", "500", False, 500),
            ("/all/a", "500", True, 200), ("/all/b", "503", True, 200),
            ("/all/c", "reset", True, 200),
            ("/off/a", "reset", False, 502), ("/off/b", "500", False, 500),
            ("/short/a", "reset", False, 502)):
        r = after(path, how)
        is_(r.status, status, f"{path} {how}: status")
        is_(r.body == b"good", stale, f"{path} {how}: {'stale' if stale else 'not stale'}")
        if stale:
            is_(r.cache, "STALE", f"{path} {how}: says so")
    is_(after("/all/d", "garbage").body, b"good", "invalid_header")

    # an error never replaces what is stored
    bad = None
    is_(ng.get("/sie").body, b"good", "recovers at once")
