#!/usr/bin/env python3
"""strata_drop_headers: what of the request stays behind on the way to the origin."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for line, bad in (("a:b", "a:b"), ("-X-None", "-X-None"), ("-", "-"), ("X-A off", "off"), ("default X-A", "default"),
                      ("Host", "Host"), ("-host", "-host"), ("accept-encoding", "accept-encoding"), ("Range", "Range"),
                      ("X-A -X-A -X-A", "-X-A"), ("If_None_Match", "If_None_Match")):
        message = t.config_error(only=f"location / {{ strata_drop_headers {line}; }}") or "accepted"
        ok(f'"{bad}"' in message and "strata_drop_headers" in message, f"{line}: quoted ({message.strip()[-80:]})")
    ok(t.config_error(only="location / { strata_drop_headers off; strata_drop_headers X-A; }"), "twice: refused")

    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply("".join(f"{n.lower()}: {v}\n" for n, v in req.headers).encode(), cc="max-age=60")

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, http="strata_cache z; underscores_in_headers on;", only=f"""
        location /default/ {{ {proxy} }}
        location /more/ {{ strata_drop_headers X-Region -X-Forwarded-Proto; {proxy}
            location /more/same/ {{ {proxy} }}
            location /more/default/ {{ strata_drop_headers default; {proxy} }}
            location /more/other/ {{ strata_drop_headers X-Other; {proxy} }} }}
        location /off/ {{ strata_drop_headers off; {proxy} }}
        location /key/ {{ strata_key $uri "a${{http_x_forwarded_host}}b" $http_range; strata_drop_headers X-Region;
                          {proxy}
            location /key/none/ {{ strata_key $uri; {proxy} }} }}
        location /keyheaders/ {{ strata_key_headers X-Region; strata_drop_headers X-Region; {proxy} }}""")

    sent = {"X-Forwarded-Host": "h", "X-Forwarded-Proto": "p", "X-Region": "r", "X-Other": "o", "X_Scheme": "s",
            "Range": "bytes=0-1", "If-None-Match": '"x"'}
    short = {"x-forwarded-host": "host", "x-forwarded-proto": "proto", "x-region": "region", "x-other": "other",
             "x_scheme": "scheme", "range": "range", "if-none-match": "inm"}

    def got(path):
        ng.fill(path, headers=sent)
        return " ".join(short[n.lower()] for n, _ in origin.last(path).headers if n.lower() in short)

    for path, want in (("/default/a", "region other"), ("/more/a", "proto other"), ("/more/same/a", "proto other"),
                       ("/more/default/a", "region other"), ("/more/other/a", "region"),
                       ("/off/a", "host proto region other scheme"), ("/key/a", "host other"),
                       ("/key/none/a", "other"), ("/keyheaders/a", "region other")):
        is_(got(path), want, f"{path}: what goes out")
    # what one client wants of caches is no business of the others
    for path, want in (("/default/cc", []), ("/off/cc", ["no-store, only-if-cached", "no-cache"])):
        ng.fill(path, headers={"Cache-Control": "no-store, only-if-cached", "Pragma": "no-cache"})
        last = origin.last(path)
        is_(last.all("Cache-Control") + last.all("Pragma"), want, f"{path}: Cache-Control, Pragma")
    ng.get("/default/cc2", method="POST", body=b"", headers={"Cache-Control": "max-age=0"})
    is_(origin.last("/default/cc2").get("Cache-Control"), "max-age=0", "what passes keeps its own")

    is_(ng.get("/key/a", headers=sent | {"X-Forwarded-Host": "h2"}).cache, "MISS", "as it is in the key")
    is_(ng.get("/more/a", headers={"X-Region": "other"}).cache, "HIT", "as it is not")
