#!/usr/bin/env python3
"""strata_control_headers: whose word on storing counts, in which order (RFC 9213)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for line, bad in (("Cache-Controll", "Cache-Controll"), ("Cache-Control X-Foo", "X-Foo"),
                      ("Cache-Control cache-control", "cache-control"), ("off", "off"),
                      ("default Expires", "default"), ("-Cache-Control", "-Cache-Control")):
        message = t.config_error(only=f"location / {{ strata_control_headers {line}; }}") or "accepted"
        ok(f'"{bad}"' in message and "strata_control_headers" in message, f"{line}: quoted ({message.strip()[-80:]})")
    many = " ".join(f"A{i}-Cache-Control" for i in range(9))
    like(t.config_error(only=f"location / {{ strata_control_headers {many}; }}") or "", '"A8-Cache-Control"', "nine")
    ok(t.config_error(only="location / { strata_control_headers Expires; strata_control_headers Expires; }"), "twice")
    for good in ("default", "Acme-Cache-Control CDN-Cache-Control Cache-Control Expires", "X-ACCEL-EXPIRES"):
        is_(t.config_error(only=f"location / {{ strata_control_headers {good}; }}"), None, good)

    origin = t.origin()
    said = {
        "accel": [("X-Accel-Expires", "50"), ("Cache-Control", "max-age=20")],
        "cdn": [("CDN-Cache-Control", "max-age=40"), ("Surrogate-Control", "max-age=30"),
                ("Cache-Control", "max-age=20")],
        "surrogate": [("Surrogate-Control", "max-age=30"), ("Cache-Control", "max-age=20")],
        "acme": [("Acme-Cache-Control", "max-age=60"), ("CDN-Cache-Control", "max-age=40"),
                 ("Cache-Control", "no-store")],
        "acmebad": [("Acme-Cache-Control", "max-age=60;;"), ("Cache-Control", "max-age=20")],
        "acmeno": [("Acme-Cache-Control", "no-store"), ("Cache-Control", "max-age=20")],
        "expires": [("Expires", "Fri, 31 Dec 2049 23:59:59 GMT"), ("Cache-Control", "max-age=20")],
        "private": [("Surrogate-Control", "max-age=30"), ("Cache-Control", "private")],
        "pass": [("Surrogate-Control", "no-store"), ("Cache-Control", "max-age=20")],
        "keep": [("Surrogate-Control", "max-age=1, stale-while-revalidate=0"), ("ETag", '"e"'),
                 ("Cache-Control", "no-store")],
    }

    @origin.route("/*")
    def _(req):
        headers = said[req.path.split("/")[-1]]
        if req.get("If-None-Match"):
            return Reply(b"", 304, headers=[("ETag", '"e"')])
        return Reply(b"x", headers=headers)

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, http="strata_cache z; strata_jitter off; add_header X-Ttl $strata_ttl always;", only=f"""
        location / {{ {proxy} }}
        location /acme/ {{ strata_control_headers Acme-Cache-Control Cache-Control; {proxy}
            location /acme/default/ {{ strata_control_headers default; {proxy} }}
            location /acme/same/ {{ {proxy} }} }}
        location /plain/ {{ strata_control_headers Cache-Control; {proxy} }}
        location /exp/ {{ strata_control_headers Expires Cache-Control; {proxy} }}
        location /hidden/ {{ proxy_hide_header Cache-Control; strata_keep 1m; {proxy} }}
        location /shown/ {{ strata_pass_header Surrogate-Control; {proxy} }}""")

    def ttl(path):
        ng.fill(path)
        r = ng.get(path)
        return int(r.get("X-Ttl")) + 1 if r.cache == "HIT" else r.why

    for path, want in (("/accel", 50), ("/cdn", 40), ("/surrogate", 30), ("/private", 30),
                       ("/acme/acme", 60), ("/acme/same/acme", 60), ("/acme/default/acme", 40), ("/acme/acmebad", 20),
                       ("/acme/acmeno", "hit-for-miss"), ("/plain/accel", 20), ("/plain/cdn", 20),
                       ("/plain/surrogate", 20), ("/plain/acmeno", 20), ("/plain/expires", 20)):
        got = ttl(path)
        ok(got == want or got == want + 1 if isinstance(want, int) and isinstance(got, int) else got == want,
           f"{path}: {got}, expected {want}")
    at_least(ttl("/exp/expires"), 1_000_000, "/exp/expires: Expires before Cache-Control")

    # what is for us is not passed on; targeted fields are (RFC 9213, 3.1)
    for path in "/surrogate", "/pass", "/private":
        for _ in range(2):
            is_(ng.get(path).get("Surrogate-Control"), None, f"{path}: Surrogate-Control was for us")
    is_(ng.get("/pass").cache, "PASS", "on the ordinary path too")
    is_(ng.get("/plain/surrogate").get("Surrogate-Control"), "max-age=30", "not if it is not in the list")
    is_(ng.get("/shown/surrogate").get("Surrogate-Control"), "max-age=30", "nor if strata_pass_header says so")
    is_(ng.get("/shown/surrogate").get("Surrogate-Control"), "max-age=30", "stored")
    is_(ng.get("/accel").get("X-Accel-Expires"), None, "X-Accel-Expires is nginx's own to hide")
    is_(ng.get("/cdn").get("CDN-Cache-Control"), "max-age=40", "CDN-Cache-Control goes on")
    is_(ng.get("/acme/acme").get("Acme-Cache-Control"), "max-age=60", "so does an own one")

    # a 304 that does not repeat them changes nothing
    ng.fill("/hidden/keep")
    is_(ng.get("/hidden/keep").cache, "HIT", "fresh for a second")
    for i in range(2):
        time.sleep(1.1)
        r = ng.fill("/hidden/keep")
        is_((r.cache, r.get("Surrogate-Control"), r.get("Cache-Control"), r.get("ETag")),
            ("REVALIDATED", None, None, '"e"'), "confirmed, nothing shown")
        is_(ng.get("/hidden/keep").cache, "HIT", f"304 number {i + 1}: what was said still counts")
