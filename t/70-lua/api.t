#!/usr/bin/env python3
"""docs/lua-api.md: each example, as it stands there, runs and does what the text says."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

PARTS = [(title.split("\n")[0], re.findall(r"```lua\n(.*?)```", title, re.S))
         for title in re.split(r"^##+ ", (ROOT / "docs/lua-api.md").read_text(), flags=re.M)]
EXAMPLES = {title: codes for title, codes in PARTS if codes}

# what an example takes for granted
BEFORE = """
    local z, id, text = strata.zone("main"), req.args.id, '{"a":1}'
    local lock = req.args.lock and strata.lock(req.args.lock)
"""
# query, body of the answer, an expression and what that is afterwards
CHECKS = {
    "strata.escape": ("", b"a%2Fb%20c"),
    "strata.fetch": ("id=a%26b", b"GET /backend/stock?id=a%26b"),
    "strata.lock": ("", b"", "strata.lock('report') ~= nil", "true"),
    "lock:extend": ("lock=1", b"", "strata.lock('1') == nil", "true"),
    "lock:release": ("lock=2", b"", "strata.lock('2') ~= nil", "true"),
    "zone:set": ("", b"", "z:get('user:7').name .. tostring(z:ttl('user:7') > 500)", "Adatrue"),
    "zone:add": ("id=1", b"", "z:add('job:1', 1)", "false"),
    "zone:replace": ("", b"", "z:get('state')", "closed", "z:set('state', 'open')"),
    "zone:delete": ("", b"", "z:exists('a') or z:exists('b')", "false", "z:set('a', 1)"),
    "zone:exists": ("", b"", "res.status", "200", "z:set('banned:127.0.0.1', 1)", 403),
    "zone:expire": ("", b"", "z:ttl('session') <= 60", "true", "z:set('session', 1)"),
    "zone:touch": ("id=7", b"", "z:ttl('session:7') > 50", "true", "z:set('session:7', 1, { ttl = 60 }) z:expire('session:7', 5)"),
    "zone:incr": ("", b"", "z:get('calls:k')", "1"),
    "zone:get_or_set": ("id=5", b"", "z:get('stock:5')", "GET /backend/stock?id=5"),
    "zone:set_bulk": ("", b"", "z:get('a') + z:get('b')", "3"),
    "zone:delete_bulk": ("", b"", "z:exists('a')", "false", "z:set('a', 1)"),
    "zone:purge": ("", b"", "z:get_stale('p') .. tostring(z:get('p'))", "1nil", "z:set('p', 1, { tags = { 'product:7' } })"),
    "zone:stats": ("", re.compile(rb"^\d+$")),
}

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {req.target}".encode())

    locations = ["location /backend/ { proxy_pass http://%ORIGIN%; }"]
    for n, (title, codes) in enumerate(EXAMPLES.items()):
        for m, code in enumerate(codes):
            locations.append(f"location = /{n}.{m} {{ strata_content_by_lua_block {{ {BEFORE}\ndo {code} end }} }}")
        check = CHECKS.get(title, ())
        if len(check) > 4:
            locations.append(f"location = /{n}.before {{ strata_content_by_lua_block {{ {BEFORE}\n{check[4]} }} }}")
        if len(check) > 2:
            locations.append(f"location = /{n}.after {{ strata_content_by_lua_block {{ {BEFORE}\nreturn tostring({check[2]}) }} }}")
    ng = t.nginx(origin, zone="main 16m", only="\n".join(locations), status=False)
    is_(sorted(set(CHECKS) - set(EXAMPLES)), [], "each check has its example")
    at_least(len(EXAMPLES), 27, "examples")
    for n, (title, codes) in enumerate(EXAMPLES.items()):
        check = CHECKS.get(title, ("", None))
        h = {"X-Key": "k"}
        if len(check) > 4:
            is_(ng.get(f"/{n}.before").status, 200, f"{title}: before")
        for m in range(len(codes)):
            r = ng.get(f"/{n}.{m}?{check[0]}", headers=h)
            is_(r.status, check[5] if len(check) > 5 else 200, f"{title}: runs")
            want = check[1]
            ok(want is None or (want.match(r.body) if hasattr(want, "match") else r.body == want), f"{title}: answers {r.body[:60]}")
        if len(check) > 2:
            is_(ng.get(f"/{n}.after").body.decode(), check[3], f"{title}: {check[2]}")
