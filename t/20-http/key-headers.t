#!/usr/bin/env python3
"""strata_key_headers: fields of the request in the key, and out to the origin."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        said = [f"{n.lower()}={v}" for n, v in req.headers
                if n.lower() in ("x-tenant", "x-other", "x-forwarded-host", "authorization", "range")]
        return Reply("|".join(said).encode("latin-1"), cc="max-age=60")

    ng = t.nginx(origin, http="add_header X-Key $strata_key always;", location="strata_key_headers X-Tenant X-Other; strata_purge $http_x_may;", locations="""
        location /host/ { strata_cache z; strata_key_headers X-Forwarded-Host;
                          proxy_pass http://%ORIGIN%; }
        location /auth/ { strata_cache z; strata_key_headers authorization;
                          proxy_pass http://%ORIGIN%;
                          location /auth/off/ { strata_cache z; strata_key_headers off;
                                                proxy_pass http://%ORIGIN%; } }
        location /coding/ { strata_cache z; strata_key_headers Accept-Encoding;
                            strata_vary_normalize accept-language values=en,de;
                            proxy_pass http://%ORIGIN%;
                            location /coding/language/ {
                                strata_cache z; strata_key_headers Accept-Language;
                                proxy_pass http://%ORIGIN%; } }""")

    # each of these lists of lines is a key of its own
    cases = [[], [("X-Tenant", "")], [("X-Tenant", "a")], [("X-Tenant", "A")],
             [("X-Tenant", "a,b")], [("X-Tenant", "a, b")],
             [("X-Tenant", "a"), ("X-Tenant", "b")], [("X-Tenant", "b"), ("X-Tenant", "a")],
             [("X-Tenant", "a"), ("X-Tenant", "")], [("X-Tenant", ""), ("X-Tenant", "a")],
             [("X-Other", "a")], [("X-Tenant", "a"), ("X-Other", "a")],
             [("X-Tenant", "ax-other=a")], [("X-Tenant", "a|x-other=a")],
             [("X-Tenant", "k" * 127)], [("X-Tenant", "k" * 128)], [("X-Tenant", "k" * 129)],
             [("X-Tenant", "\x80\x01n\x01a")]]
    for case in cases:
        isnt(ng.fill("/a", headers=case).cache, "HIT", f"{str(case)[:70]}: nobody's")
    for case in cases:
        r = ng.get("/a", headers=case)
        want = "|".join(f"{n.lower()}={v}" for n, v in case)
        is_((r.cache, r.body), ("HIT", want.encode("latin-1")), f"{str(case)[:70]}: its own")
    is_(origin.count("/a"), len(cases), "one fetch each")
    is_(ng.get("/a", headers={"x-tenant": "a", "X-Third": "x"}).cache, "HIT",
        "the case of the name and other fields do not matter")
    r = ng.get("/a", headers=[("X-Other", "a"), ("X-Tenant", "a")])
    is_(r.cache, "HIT", "nor does the order of the fields")
    like(r.get("X-Key"), r"\|x-tenant=a\|x-other=a$", "the readable key")
    is_(ng.get("/a", headers={"X-Tenant": "l" * 6000, "X-Other": "l" * 3000}).why, "key", "over 8 KiB: passes")

    is_(ng.purge("/a", headers={"X-May": "1", "X-Tenant": "b"}).status, 404, "PURGE of another's")
    is_(ng.purge("/a", headers={"X-May": "1", "X-Tenant": "a"}).status, 200, "PURGE with the same field")
    isnt(ng.get("/a", headers={"X-Tenant": "a"}).cache, "HIT", "gone")
    is_(ng.get("/a", headers={"X-Tenant": "A"}).cache, "HIT", "another's is not")

    # what is in the key goes to the origin
    for host in "evil", "good":
        r = ng.fill("/host/a", headers={"X-Forwarded-Host": host})
        is_((r.cache, r.body), ("MISS", f"x-forwarded-host={host}".encode()), f"in the key: {host}")
    r = ng.get("/host/a", headers={"X-Forwarded-Host": "good"})
    is_((r.cache, r.body), ("HIT", b"x-forwarded-host=good"), "in the key: hit")
    is_(ng.get("/a", headers={"X-Forwarded-Host": "evil"}).body, b"", "not in the key: stays here")

    # a credential in the key is a partition
    for who in "alice", "bob":
        r = ng.fill("/auth/a", headers={"Authorization": who})
        is_((r.cache, r.body), ("MISS", f"authorization={who}".encode()), f"{who}: fills")
    for who in "alice", "bob":
        r = ng.get("/auth/a", headers={"Authorization": who})
        is_((r.cache, r.body), ("HIT", f"authorization={who}".encode()), f"{who}: own entry")
    is_(ng.fill("/auth/a").cache, "MISS", "nobody's is another")
    is_(ng.get("/auth/a", headers={"Authorization": "alice", "Cookie": "a=1"}).why, "auth",
        "a cookie is still not in the key")
    is_(ng.get("/auth/off/a", headers={"Authorization": "alice"}).why, "auth", "off undoes it")

    # folded as towards the origin
    ng.fill("/coding/a", headers={"Accept-Encoding": "gzip;q=0.5, deflate"})
    r = ng.get("/coding/a", headers={"Accept-Encoding": "gzip"})
    is_(r.cache, "HIT", "Accept-Encoding is folded")
    like(r.get("X-Key"), r"accept-encoding=gzip$", "and says what the origin heard")
    ng.fill("/coding/language/a", headers={"Accept-Language": "de-AT, en;q=0.3"})
    r = ng.get("/coding/language/a", headers={"Accept-Language": "de"})
    is_(r.cache, "HIT", "Accept-Language is folded")
    is_(ng.get("/coding/language/a", headers={"Accept-Language": "en"}).cache, "MISS", "en")

    for name in "Range", "If-None-Match", "Content-Length", "Connection", "bad name", "off", "a=b", "":
        message = t.config_error(only=f'location / {{ strata_key_headers X-A "{name}"; }}')
        like(message or "accepted", f'invalid value "{name}" in "strata_key_headers"', f"refused: {name!r}")
