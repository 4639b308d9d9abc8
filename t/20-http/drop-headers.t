#!/usr/bin/env python3
"""T-01: headers that are not in the key cannot speak to the origin on a cacheable route."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

DROPPED = """X-Forwarded-Host X-Forwarded-Scheme X-Forwarded-Proto X-Forwarded-Port X-Forwarded-Prefix
X-Forwarded-Server Forwarded X-Host X-Original-URL X-Original-Host X-Rewrite-URL X-HTTP-Host-Override
X-HTTP-Method-Override X-HTTP-Method X-Method-Override""".split()

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply("".join(f"{n}: {v}\n" for n, v in req.headers).encode(), cc="max-age=60")

    ng = t.nginx(origin, locations="""
        location /set/ { strata_cache z; proxy_set_header X-Forwarded-Host gateway; proxy_pass http://%ORIGIN%; }
        location /keyed/ { strata_cache z; strata_key $http_x_forwarded_host $uri; proxy_pass http://%ORIGIN%; }""")
    for i, name in enumerate(DROPPED):
        for form in name, name.lower(), name.upper():
            path = f"/{i}-{form}"
            ng.fill(path, headers={form: "evil.example"})
            r = ng.get(path)
            ok(b"evil" not in r.body, f"{form}: the victim's body is clean")
            if b"evil" in r.body:
                break
    ng.fill("/set/a", headers={"X-Forwarded-Host": "evil.example"})
    like(ng.get("/set/a").body.decode(), "(?i)x-forwarded-host: gateway", "what proxy_set_header sets goes out")
    r = ng.request("/post", "POST", body=b"x", headers={"X-Forwarded-Host": "kept"})
    like(r.body.decode(), "(?i)x-forwarded-host: kept", "a request that passes is untouched")
