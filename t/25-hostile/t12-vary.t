#!/usr/bin/env python3
"""
T-12: a response that varies cannot fill the zone with variants, nor name what it likes; who
asks for a variant gets his own, and other keys stay.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

HOT = [f"/hot/{i}" for i in range(1000)]
VARIANTS_MAX = 64
N = int(100_000 / SLOW)
ODD = ["gzip", "GZIP", "gzip;q=1.0", "gzip;q=0", "br", "br;q=0.1, gzip", "x", "*", "*;q=0", "identity;q=0", "gzip;q=2", ",,,",
       "gzip;q=0.0001", "\x80\xff", "a" * 4000, ", ".join(["gzip"] * 500), "gzip;" * 300, "gzip\t;\tq=0.5", ";q=1", "deflate"]

with scenario(200) as t:
    origin = t.origin()

    @origin.route("/v/*")
    def _(req):
        which = req.path.split("/")[2]
        vary = {"star": "*", "star-in": "X-A, *", "a-star": "X-*", "many": ", ".join(f"X-{i}" for i in range(17)),
                "sixteen": ", ".join(f"X-{i}" for i in range(16)), "long": "x" * 1100, "two-long": "y" * 600 + ", " + "z" * 600,
                "cookie": "Cookie", "auth": "Authorization", "junk": ",,, X-A;q=1, @", "blank": " ", "encoding": "Accept-Encoding",
                "dup": "X-A, x-a, X-A"}[which]
        return Reply(json.dumps([(n, v) for n, v in req.headers if n.lower() != "host"]).encode(), cc="max-age=60",
                     headers=[("Vary", vary)])

    ng = t.nginx(origin, zone="z 32m", servers="""server { listen 127.0.0.1:%BACK%; access_log off;
        keepalive_requests 1000000; location / { add_header Cache-Control max-age=3600; return 200 "$uri"; }
        location /agents { add_header Cache-Control max-age=3600; add_header Vary User-Agent; return 200 "$http_user_agent"; } }""",
                 http="upstream back { server 127.0.0.1:%BACK%; keepalive 32; }", locations="".join(f"""
        location {p} {{ strata_cache z; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://back; }}"""
                                                                                             for p in ("/hot", "/agents")))
    # 1. names
    for path, stored in (("star", 0), ("star-in", 0), ("a-star", 1), ("many", 0), ("sixteen", 1), ("long", 0), ("two-long", 0),
                         ("junk", None), ("blank", 1), ("dup", 1)):
        rs = [ng.fill(f"/v/{path}", headers={"X-A": a}) for a in ("1", "1")]
        hit = rs[1].cache == "HIT"
        case(all(r.status == 200 for r in rs) and (stored is None or hit == bool(stored)), f"{path}: {'stored' if stored else 'not stored'} ({rs[1]})")
        r = ng.fill(f"/v/{path}", headers={"X-A": "2"})
        if path == "dup":
            case(b'"2"' in r.body, f"{path}: another value, another answer")
    for name in "Cookie", "Authorization":
        path = f"/v/{name.lower()[:4 if name[0] == 'A' else 9]}"
        ng.fill(path, headers={name: "secret of alice"})
        for who in {name: "bob"}, {}:
            r = ng.fill(path, headers=who)
            case(b"alice" not in r.body, f"Vary: {name}: nothing of alice for {who or 'nobody'}")

    # 2. Accept-Encoding is folded, whatever it says
    origin.forget()
    for value in ODD:
        raw(ng, head("/v/encoding", f"Accept-Encoding: {value}", "Connection: close"))
        ng.quiet()
    for value in ODD:
        r = raw(ng, head("/v/encoding", f"Accept-Encoding: {value}", "Connection: close"))
        sent = dict((n.lower(), v) for n, v in json.loads(r.body)).get("accept-encoding")
        case(r.cache == "HIT" and sent in ("br, gzip", "gzip", "identity", "br"), f"{value[:30]!r}: asked as {sent!r}, and stored")
    at_most(origin.count("/v/encoding"), 4, "fetches")

    # 3. 100,000 agents
    many(ng, HOT)
    ng.quiet()
    base = ng.status()
    p = subprocess.run([compiled("flood.c", "-I", str(ROOT / "src")), str(ng.port), "agents", str(N), "/agents"],
                       capture_output=True, text=True, timeout=150)
    note(p.stdout.strip())
    is_(p.returncode, 0, f"{N} agents, each answered")
    with ng.conn() as c:
        wrong = [a for a in (f"sample-{i}" for i in range(400)) for _ in (1, 2)
                 if c.get("/agents", headers={"User-Agent": a}).body != a.encode()]
    cases(wrong, 400, "each agent gets its own answer")
    ng.quiet()
    s = ng.status()
    case(s["entries"] <= base["entries"] + VARIANTS_MAX + 1,
         f"at most {VARIANTS_MAX} variants of a key ({s['entries'] - base['entries']} entries more)")
    at_most(s["bytes_used"] - base["bytes_used"], 4096 * (VARIANTS_MAX + 1), "bytes more")
    hits = sum(r.cache == "HIT" for r in many(ng, HOT))
    case(hits == len(HOT), f"other keys are hits as before ({hits})")
