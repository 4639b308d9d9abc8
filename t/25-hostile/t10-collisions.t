#!/usr/bin/env python3
"""
T-10: a digest only finds, the whole key decides: with digests of 8 bits, of which every one
has many keys, nobody gets another key's answer.  ("make collisions" runs more with it.)
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

module = None if BINARY != "/usr/sbin/nginx" else special("odd")
if module is None:
    skip_all("the build with short digests is for the stock nginx")

KEYS = 600

with scenario(90) as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        headers = [("ETag", f'"{req.path}"')]
        if req.path.startswith("/v"):
            headers.append(("Vary", "X-Lang"))
        if req.get("If-None-Match") == f'"{req.path}"':
            return Reply(status=304, headers=headers + [("X-Of", req.target)])
        return Reply(f"{req.target} {req.get('X-Lang') or ''}".encode(), headers=headers + [("X-Of", req.target)],
                     cc="max-age=60" if not req.path.startswith("/e") else "max-age=0")

    ng = t.nginx(origin, "strata_purge 1;", module=module, zone="z 32m")
    random = rnd()
    paths = [f"/{'pve'[i % 3]}{i}?q={i}" for i in range(KEYS)]
    asked = [(p, lang) for p in paths for lang in ("", "de", "fr")] * 2
    random.shuffle(asked)

    def right(path, lang, r, what):
        body = f"{path} {lang if path[1] == 'v' else ''}".encode()
        if path[1] != "v":
            return r.status == 200 and r.body.split(b" ")[0] == path.encode() and r.get("X-Of") == path
        return r.status == 200 and r.body == body and r.get("X-Of") == path

    wrong = []
    hits = 0
    for i in range(0, len(asked), 50):
        part = asked[i:i + 50]
        rs = ng.swarm([Client(p, headers={"X-Lang": lang} if lang else {}) for p, lang in part])
        for (p, lang), r in zip(part, rs):
            hits += r.cache in ("HIT", "COLLAPSED", "REVALIDATED")
            if not right(p, lang, r, "get"):
                wrong.append((p, lang, str(r), r.body[:60]))
    cases(wrong, len(asked), f"{KEYS} keys, variants, two workers, 50 at a time")
    at_least(hits, len(asked) // 4, "from the cache")

    wrong = []
    with ng.conn() as c:
        for p in paths:
            r = c.get(p, headers={"Range": "bytes=1-3"})
            if r.status != 206 or r.body != f"{p} ".encode()[1:4] and r.body != p.encode()[1:4]:
                wrong.append((p, "range", str(r), r.body))
            r = c.request(p, "HEAD")
            if r.get("X-Of") != p:
                wrong.append((p, "head", str(r)))
            r = c.get(p, headers={"If-None-Match": f'"{p.partition("?")[0]}"'})
            if r.status != 304 or r.get("X-Of") != p:
                wrong.append((p, "304", str(r)))
    cases(wrong, 3 * len(paths), "ranges, HEAD and conditions")

    wrong = []
    for p in random.sample(paths, 60):
        if p[1] == "e":
            continue
        other = random.choice([x for x in paths if x != p])
        ng.purge(p)
        ng.quiet()
        before = origin.count(p.partition("?")[0])
        ng.fill(p)
        if origin.count(p.partition("?")[0]) != before + 1:
            wrong.append((p, "not purged"))
        r = ng.get(other)
        if not right(other, "", r, "after"):
            wrong.append((other, str(r)))
    cases(wrong, 60, "PURGE takes its own key")
