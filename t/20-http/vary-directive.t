#!/usr/bin/env python3
"""strata_vary, strata_vary_max: what a response may vary on, and how many variants stay."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    for line, bad in (("strata_vary maybe", "maybe"), ("strata_vary on off", "off"), ("strata_vary off on", "off"),
                      ("strata_vary ignore=", "ignore="), ("strata_vary ignore=A,,B", "ignore=a,,b"),
                      ("strata_vary ignore=*", "ignore=*"), ("strata_vary ignore=a:b", "ignore=a:b"),
                      ("strata_vary on, ignore=A", "on,"), ("strata_vary_max 0", "0"), ("strata_vary_max 65", "65"),
                      ("strata_vary_max many", "many"), ("strata_vary_max -1", "-1"), ("strata_vary_max off", "off")):
        message = t.config_error(only=f"location / {{ {line}; }}") or "accepted"
        ok(f'"{bad}"' in message and line.split()[0] in message, f"{line}: quoted ({message.strip()[-90:]})")
    for line in ("strata_vary", "strata_vary on; strata_vary off", "strata_vary_max 1; strata_vary_max 2"):
        ok(t.config_error(only=f"location / {{ {line}; }}"), f"{line}: refused")
    for line in ("strata_vary on", "strata_vary off", "strata_vary on ignore=A,B ignore=C", "strata_vary_max 64"):
        is_(t.config_error(only=f"location / {{ {line}; }}"), None, line)

    origin = t.origin()

    @origin.route("/*")
    def _(req):
        vary = req.path.split("/")[2].replace("_", ", ")
        said = " ".join(req.get(n.strip()) or "-" for n in vary.split(","))
        return Reply(said.encode(), cc="max-age=60", headers=[("Vary", vary)] if vary != "none" else [])

    proxy = "proxy_pass http://%ORIGIN%; proxy_http_version 1.1;"
    ng = t.nginx(origin, http="strata_cache z; strata_vary ignore=X-Noise,User-Agent;", only=f"""
        location /ign/ {{ {proxy} }}
        location /on/ {{ strata_vary on; {proxy} }}
        location /off/ {{ strata_vary off; {proxy}
            location /off/all/ {{ strata_ignore_headers Vary; {proxy} }}
            location /off/on/ {{ strata_vary on; {proxy} }} }}
        location /keyed/ {{ strata_vary on; strata_key $uri $cookie_s $http_authorization; {proxy} }}
        location /part/ {{ strata_vary on; strata_key $uri $cookie_s; {proxy} }}
        location /id/ {{ strata_vary on; strata_key_identity $http_x_user; {proxy} }}
        location /noid/ {{ strata_vary on; strata_key_identity off; {proxy} }}
        location /igncookie/ {{ strata_vary ignore=Cookie,Authorization; {proxy} }}
        location /max/ {{ strata_vary on; strata_vary_max 3; {proxy} }}
        location /max1/ {{ strata_vary on; strata_vary_max 1; {proxy} }}""")

    def second(path, **kw):
        ng.fill(path, **kw)
        return ng.get(path, **kw).cache

    is_(second("/ign/X-Noise/1", headers={"X-Noise": "1"}), "HIT", "ignored name: stored")
    is_(ng.get("/ign/X-Noise/1", headers={"X-Noise": "2"}).cache, "HIT", "ignored name: for all")
    is_(second("/ign/x-noise_X-Lang/1", headers={"X-Noise": "1", "X-Lang": "de"}), "HIT", "the others count")
    is_(ng.get("/ign/x-noise_X-Lang/1", headers={"X-Noise": "2", "X-Lang": "de"}).cache, "HIT", "not the ignored one")
    is_(ng.fill("/ign/x-noise_X-Lang/1", headers={"X-Noise": "1", "X-Lang": "fr"}).body, b"1 fr", "another language")
    ng.fill("/on/X-Noise/1", headers={"X-Noise": "1"})
    is_(ng.get("/on/X-Noise/1", headers={"X-Noise": "2"}).cache, "MISS", "strata_vary on: replaces the list as a whole")

    r = ng.fill("/off/X-Lang/1", headers={"X-Lang": "de"})
    is_((r.cache, r.why, r.body), ("MISS", "vary-off", b"de"), "off: not stored, and why")
    is_(ng.fill("/off/X-Lang/1", headers={"X-Lang": "fr"}).body, b"fr", "off: nobody gets another's")
    is_(ng.get("/off/X-Lang/1").why, "hit-for-miss", "off: remembered")
    is_(ng.get("/off/X-Lang/1").why, "hit-for-miss", "and not forgotten on the way past")
    is_(second("/off/none/1"), "HIT", "off: what does not vary is stored")
    is_(second("/off/all/none/1"), "HIT", "strata_ignore_headers Vary: stored")
    ng.fill("/off/on/x/X-A", headers={"X-A": "1"})
    at_least(ng.reasons().get("vary-off", 0), 1, "counted")

    # Vary: Cookie and Authorization, by explicit opt-in only (T-12)
    for name in "Cookie", "Authorization", "cookie_X-Lang", "X-Lang_AUTHORIZATION":
        r = ng.fill(f"/on/{name}/c")
        is_((r.cache, r.why), ("MISS", "vary-credentials"), f"Vary: {name}: not stored")
        is_(ng.get(f"/on/{name}/c").why, "hit-for-miss", f"Vary: {name}: remembered")
    for name in "Cookie", "Authorization":
        is_(second(f"/keyed/{name}/c"), "HIT", f"{name}: in the key")
        is_(second(f"/id/{name}/c"), "HIT", f"{name}: strata_key_identity")
        is_(second(f"/noid/{name}/c"), "HIT", f"{name}: strata_key_identity off")
        is_(second(f"/igncookie/{name}/c"), "HIT", f"{name}: ignored")
    is_(second("/part/Cookie/c"), "HIT", "the key has cookies")
    is_(ng.fill("/part/Authorization/c").why, "vary-credentials", "but no Authorization")
    ng.fill("/noid/Cookie/v", headers={"Cookie": "s=1"})
    r = ng.fill("/noid/Cookie/v", headers={"Cookie": "s=2"})
    is_((r.cache, r.body), ("MISS", b"s=2"), "identity off: another cookie is another variant")
    is_(ng.get("/noid/Cookie/v", headers={"Cookie": "s=1"}).body, b"s=1", "and the first is still there")
    is_(ng.get("/igncookie/Cookie/c", headers={"Cookie": "s=1"}).why, "auth", "ignored: who has one still passes")

    # at most n variants, the one stored longest ago goes
    for path, n in ("/max/X-Lang/a", 3), ("/max1/X-Lang/a", 1):
        for i in range(6):
            ng.fill(path, headers={"X-Lang": str(i)})
        got = [ng.get(path, headers={"X-Lang": str(i)}).cache for i in range(5, 5 - n, -1)]
        is_(got, ["HIT"] * n, f"{path}: the last {n}")
        r = ng.fill(path, headers={"X-Lang": "0"})
        is_((r.cache, r.why, r.body), ("MISS", "vary-miss", b"0"), f"{path}: the oldest is gone")
        is_(ng.get(path, headers={"X-Lang": "0"}).cache, "HIT", f"{path}: and comes back")
        is_(ng.fill(path, headers={"X-Lang": str(6 - n)}).cache, "MISS", f"{path}: for the next oldest")
    is_(ng.count("vary_evictions"), (6 - 3) + 2 + (6 - 1) + 2, "counted")
    for i in range(16):
        ng.fill("/on/X-Lang/a", headers={"X-Lang": str(i)})
    is_([ng.get("/on/X-Lang/a", headers={"X-Lang": str(i)}).cache for i in range(16)], ["HIT"] * 16, "16 by default")
    ng.fill("/on/X-Lang/a", headers={"X-Lang": "16"})
    is_(ng.fill("/on/X-Lang/a", headers={"X-Lang": "0"}).cache, "MISS", "not 17")
