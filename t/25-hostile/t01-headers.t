#!/usr/bin/env python3
"""T-01: headers that are not in the key cannot speak to the origin on a cacheable route."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

NAMES = """X-Forwarded-Host X-Forwarded-Scheme X-Forwarded-Proto X-Forwarded-Protocol X-Forwarded-Port
X-Forwarded-Prefix X-Forwarded-Path X-Forwarded-Uri X-Forwarded-Server X-Forwarded-Ssl Forwarded
Front-End-Https X-Scheme X-Url-Scheme X-Host X-Host-Override X-HTTP-Host-Override X-Original-Host
X-Original-URL X-Original-Uri X-Rewrite-URL X-HTTP-Method-Override X-HTTP-Method X-Method-Override""".split()

FORMS = {
    "plain": lambda n: [f"{n}: {EVIL}"],
    "odd case": lambda n: ["".join(c.lower() if i % 2 else c.upper() for i, c in enumerate(n)) + f": {EVIL}"],
    "twice": lambda n: [f"{n}: localhost", f"{n}: {EVIL}"],
    "folded": lambda n: [f"{n}:", f" {EVIL}"],
    "folded later": lambda n: ["X-A: b", f"\t{n}: {EVIL}"],
    "underscores": lambda n: [f"{n.replace('-', '_')}: {EVIL}"],
    "space before the colon": lambda n: [f"{n} : {EVIL}"],
    "no space after it": lambda n: [f"{n}:{EVIL}"],
}

with scenario() as t:
    origin = t.origin()
    mirror(origin)
    ng = t.nginx(origin, http="underscores_in_headers on;", locations="""
        location /agent/ { strata_cache z; strata_key $http_user_agent $uri; proxy_pass http://%ORIGIN%; }
        location /both/ { strata_cache z; strata_key $http_x_host $uri; strata_key_headers X-Host;
                          proxy_pass http://%ORIGIN%; }
        location /hyphen/ { strata_cache z; strata_key_headers X-Tenant; strata_vary_normalize accept-language values=de,en;
                            proxy_pass http://%ORIGIN%; }
        location /set/ { strata_cache z; proxy_set_header X-Forwarded-Host gateway; proxy_pass http://%ORIGIN%; }
        location /keyed/ { strata_cache z; strata_key $http_x_forwarded_host $uri; proxy_pass http://%ORIGIN%; }""")
    is_(len(NAMES), 24, "24 names")
    for i, name in enumerate(NAMES):
        paths, wrong = [], []
        for j, (form, lines) in enumerate(FORMS.items()):
            paths.append(f"/{i}-{j}")
            raw(ng, head(paths[-1], *lines(name), "Connection: close"))
        ng.quiet()
        for form, path, r in zip(FORMS, paths, many(ng, paths)):
            if r is None or r.status != 200 or EVIL.encode() in r.body:
                wrong.append((form, str(r), r and r.body))
        cases(wrong, len(paths), f"{name}: the victim's body is clean")

    ng.fill("/set/a", headers={"X-Forwarded-Host": EVIL})
    like(ng.get("/set/a").body.decode(), "(?i)x-forwarded-host: gateway", "what proxy_set_header sets goes out")

    # $http_name is the first line of that name: the origin must not hear another
    said = [("X-Forwarded-Host", "said"), ("X-Forwarded-Host", EVIL), ("x_forwarded_host", EVIL), ("X-Other", "kept")]
    ng.fill("/keyed/a", headers=said)
    body = ng.get("/keyed/a", headers=said[:1])
    is_((body.cache, EVIL.encode() in body.body, b"kept" in body.body), ("HIT", False, True), "of two lines, the keyed one")
    is_(origin.last().all("X-Forwarded-Host"), ["said"], "and that one goes out")
    agents = [("User_Agent", EVIL), ("User-Agent", "said"), ("User-Agent", EVIL)]
    ng.fill("/agent/a", headers=agents)
    is_(origin.last().all("User-Agent"), ["said"], "a field that nginx knows")
    is_(origin.last().get("User_Agent"), None, "and not one that looks like it")
    ng.fill("/both/a", headers=[("X-Host", "1"), ("X-Host", "2")])
    is_(origin.last().all("X-Host"), ["1", "2"], "all lines are in the key: all go out")

    # an underscore is a hyphen to CGI and its kin: such a line is in the key with the others, or stays behind
    @origin.route("/hyphen/v")
    def _(req):
        return Reply("".join(f"{n}: {v}\n" for n, v in req.headers).encode(), cc="max-age=60", headers=[("Vary", "X-Lang")])

    said = [("X-Tenant", "a"), ("Accept-Language", "de")]
    for path, *more in ("/hyphen/a", ("X_Tenant", EVIL)), ("/hyphen/v", ("X_Lang", EVIL)), \
            ("/hyphen/f", ("Accept_Encoding", EVIL), ("Accept_Language", EVIL)):
        ng.fill(path, headers=said + more)
        r = ng.fill(path, headers=said)
        is_((r.status, EVIL.encode() in r.body), (200, False), f"{more[0][0]}: not in the body of those who did not send it")
        is_(ng.get(path, headers=said + more).cache, "HIT", f"{more[0][0]}: but with it, a hit")
    r = ng.request("/post", "POST", body=b"x", headers={"X-Forwarded-Host": "kept"})
    like(r.body.decode(), "(?i)x-forwarded-host: kept", "a request that passes is untouched")
