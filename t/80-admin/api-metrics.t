#!/usr/bin/env python3
"""GET /stats, /metrics, /health, POST /sync: well-formed, the same numbers, and nobody's secrets (T-40)."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, re

TOKEN = "canary-token-0123456789"

with scenario() as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"canary-body", cc="max-age=60", headers=[
        ("Surrogate-Key", "canary-tag"), ("X-Own", "canary-field"), ("Set-Cookie", "canary-cookie=1")]))
    ng = t.nginx(origin, "strata_set_cookie store; strata_purge 1;", zone=["z 4m", "other 1m"], locations="""
        location /api/ { strata_api write=on; strata_api_token %DIR%/tokens; }
        location /none/ { strata_api; }""", start=False)
    ng.file("tokens", TOKEN)
    ng.start()
    auth = [("Authorization", f"Bearer {TOKEN}")]
    for i in range(5):
        ng.fill(f"/canary-path/{i}?canary-arg={i}")
        ng.get(f"/canary-path/{i}?canary-arg={i}", headers=[("Cookie", "a=canary-request"), ("X-B", "canary-header")])
    ng.purge("/canary-path/1?canary-arg=1")

    def get(path, **kw):
        return ng.request("/api/" + path, headers=auth, **kw)

    r = get("metrics")
    is_((r.status, r.get("Content-Type")), (200, "text/plain; version=0.0.4; charset=utf-8"), "Prometheus' text")
    text = r.body.decode()
    types, helps, samples, bad = {}, set(), {}, []
    for line in text.splitlines():
        if m := re.fullmatch(r"# HELP (\w+) (\S.*)", line):
            bad += [line] if m[1] in helps else []
            helps.add(m[1])
        elif m := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram)", line):
            types[m[1]] = m[2]
            family = m[1]
        elif m := re.fullmatch(r'(\w+)\{((?:\w+="[^"\\\n]*",?)+)\} (\d+)', line):
            if not m[1].startswith(family):
                bad.append(line)
            samples[m[1], m[2]] = int(m[3])
        else:
            bad.append(line)
    is_(bad, [], "every line is a sample of the family above it, or about it")
    is_(helps, set(types), "HELP and TYPE for each")
    ok(text.endswith("\n"), "ends with a newline")
    is_({n for n, k in types.items() if k == "counter" and not n.endswith("_total")}, set(), "names of counters")

    page = json.loads(get("stats").body)["zones"]["z"]
    names = re.findall(r"^STRATA_METRIC\((\w+),\s+(\w+)", (ROOT / "src/base/strata_metric.def").read_text(), re.M)
    at_least(len(names), 30, "metrics declared")
    differ = [n for n, kind in names
              if samples.get((f"strata_{n}" + ("_total" if kind == "counter" else ""), 'zone="z"')) != page[n]]
    is_(differ, [], "the same numbers as the status page")
    is_(samples["strata_stores_total", 'zone="z"'], 5, "5 were stored")
    is_(samples["strata_stores_total", 'zone="other"'], 0, "in this zone")
    is_(samples["strata_purges_total", 'zone="z"'], 1, "1 was purged")
    is_(samples["strata_entries", 'zone="z"'], 4, "4 are there")
    is_(samples["strata_reasons_total", 'zone="z",reason="miss"'], page["reasons"]["miss"], "reasons")
    le = [(k, v) for (n, k), v in samples.items() if n == "strata_time_seconds_bucket" and 'zone="z",tier="origin"' in k]
    is_(len(le), 10, "buckets")
    is_([v for _, v in le], sorted(v for _, v in le), "that add up")
    is_(le[-1][1], samples["strata_time_seconds_count", 'zone="z",tier="origin"'], "to their count")
    like(le[-1][0], r'le="\+Inf"', "the last of all")

    r = get("health")
    j = json.loads(r.body)
    is_((r.status, j["status"], sorted(j["zones"])), (200, "ok", ["other", "z"]), "health")
    is_(j["zones"]["z"]["attached"], True, "attached")
    r = ng.request("/api/sync", "POST", headers=auth)
    is_((r.status, json.loads(r.body)), (200, {"synced": True, "queued": 0}), "nothing to wait for")
    for arg in "timeout=x", "timeout=61s", "timeout=-1":
        is_(ng.request("/api/sync?" + arg, "POST", headers=auth).status, 400, arg)
    is_(ng.request("/api/sync?timeout=500ms", "POST", headers=auth).status, 200, "a time")

    note("canaries")
    seen = 0
    for path in "metrics", "stats", "health", "none", "tags/x", "keys?limit=x":
        body = get(path).body.decode()
        seen += "canary" in body
    seen += "canary" in ng.request("/api/sync", "POST", headers=auth).body.decode()
    seen += "canary" in ng.request("/-status").body.decode()
    for path in "metrics", "stats", "keys", "keys/canary", "purge":
        seen += "canary" in ng.request("/none/" + path, headers=auth).body.decode()
        seen += "canary" in ng.request("/api/" + path, headers=[("Authorization", "Bearer canary-x")]).body.decode()
    is_(seen, 0, "no key, tag, header, body or token in any of them")
    body = get("keys?limit=1000&zone=z").body.decode()
    unlike(body, "canary-(field|cookie|body|tag|request|header|token)", "keys only, in a list of keys")
    key = json.loads(body)["keys"][0]["path"]
    unlike(get("keys/" + key + "?zone=z").body.decode(), "canary-(cookie|body|request|header|token)", "no secrets in an entry")
    unlike(ng.log(), "canary-(field|cookie|body|tag|header|token)", "nor in the log")
