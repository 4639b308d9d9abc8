#!/usr/bin/env python3
"""auth_request is asked before every answer: a hit never skips it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"secret page", cc="max-age=60"))

    @origin.route("/auth")
    def _(req):
        if req.get("X-Token") == "good":
            return Reply(b"", 204, headers=[("X-User", "alice")])
        return Reply(b"", 403 if req.get("X-Token") else 401)

    ng = t.nginx(origin, "auth_request /auth; auth_request_set $user $upstream_http_x_user;"
                 "proxy_set_header X-User $user; add_header X-User $user always;"
                 "add_header X-Status $strata_status always;", locations="""
        location = /auth { internal; proxy_pass http://%ORIGIN%/auth;
            proxy_pass_request_body off; proxy_set_header Content-Length ""; }
        location /cached-auth/ { auth_request /auth2; strata_cache z; proxy_pass http://%ORIGIN%/;
            add_header X-Status $strata_status always; }
        location = /auth2 { internal; strata_cache z; strata_key auth $http_x_token;
            strata_valid 204 30s; proxy_pass http://%ORIGIN%/auth; }""")
    good, bad = {"X-Token": "good"}, {"X-Token": "bad"}
    is_(ng.get("/a").status, 401, "cold key, no token")
    is_(ng.get("/a", headers=bad).status, 403, "cold key, bad token")
    is_(origin.count("/a"), 0, "neither reached the origin")
    r = ng.fill("/a", headers=good)
    is_((r.status, r.body, r.get("X-User")), (200, b"secret page", "alice"), "with the token")
    is_(origin.last("/a").get("X-User"), "alice", "auth_request_set reaches the fetch")
    r = ng.get("/a", headers=good)
    is_((r.cache, r.body, r.get("X-User")), ("HIT", b"secret page", "alice"), "hit with the token")
    calls = origin.count("/auth")
    for i in range(10):
        r = ng.get("/a", headers=bad if i % 2 else {})
        ok(r.status in (401, 403) and b"secret" not in r.body, f"hit without it: {r.status}")
    is_(ng.get("/a", headers=good).cache, "HIT", "still a hit with it")
    is_(origin.count("/auth") - calls, 11, "auth was asked each time")
    rs = ng.swarm([Client("/cold", headers=good if i % 2 else bad) for i in range(40)])
    is_({(r.status, r.body == b"secret page") for r in rs}, {(200, True), (403, False)},
        "40 mixed clients on a cold key")
    is_(origin.count("/cold"), 1, "one fetch")

    # the authorisation itself may be cached, by token
    for i in range(3):
        is_(ng.fill("/cached-auth/b", headers=good).status, 200, "cached auth: good")
        is_(ng.fill("/cached-auth/b", headers=bad).status, 403, "cached auth: bad")
