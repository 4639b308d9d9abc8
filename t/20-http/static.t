#!/usr/bin/env python3
"""Static files through the cache: any content handler will do."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    ng = t.nginx(only="""location / { strata_cache z; strata_cache_status on; strata_valid 200 1h;
            strata_valid 404 1h; root %DIR%/html; etag on; }
        location /send/ { strata_cache z; strata_valid 1h; sendfile on; root %DIR%/html; }
        location /empty { strata_cache z; strata_valid 1h; empty_gif; }""", start=False)
    small, big = b"one\n", blob("static", 700_000)
    ng.file("html/small", small), ng.file("html/big", big)
    ng.file("html/send/big", big), ng.file("html/nothing", b"")
    ng.start()
    for path, body in ("/small", small), ("/big", big), ("/send/big", big), ("/nothing", b""):
        r = ng.fill(path)
        is_((r.status, r.body == body), (200, True), f"{path}: miss")
    ng.file("html/small", "changed"), ng.file("html/big", "changed"), ng.file("html/send/big", "changed")
    for path, body in ("/small", small), ("/big", big), ("/send/big", big), ("/nothing", b""):
        r = ng.get(path)
        is_((r.status, r.body == body, r.cache), (200, True, "HIT"), f"{path}: hit, as it was")
    r = ng.get("/big", headers={"Range": "bytes=100000-299999"})
    is_((r.status, r.body == big[100_000:300_000]), (206, True), "range")
    r = ng.get("/small", headers={"If-None-Match": ng.get("/small").get("ETag")})
    is_(r.status, 304, "conditional")
    ng.fill("/absent")
    r = ng.get("/absent")
    is_((r.status, r.cache), (404, "NEGATIVE"), "a 404 of nginx itself")
    ng.fill("/empty")
    is_(ng.get("/empty").status, 200, "empty_gif")
