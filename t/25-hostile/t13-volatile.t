#!/usr/bin/env python3
"""
T-13: a key of volatile variables, maps and captures: what is measured is what is copied
(CVE-2026-42533).  Long ones pass.  "make asan" runs this too.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

SIZES = (0, 1, 15, 16, 255, 256, 1023, 1024, 2000, 3000)

with scenario() as t:
    origin = t.origin()
    mirror(origin)
    ng = t.nginx(origin, http=r"""
        large_client_header_buffers 8 16k;
        map $http_x_a $m { volatile; default "none"; "~^(?<cap>[a-z]+)(.*)$" "$cap-$2-$1"; }
        map $arg_b    $n { volatile; default $m; "~(.+)" "$1$1$1"; }
        map $request_id $once { volatile; default ""; }""", only=r"""
        location ~ ^/r/(?<first>[^/]*)/(.*)$ { strata_cache z; strata_key $m $n "$first|$2$n$m" $1$cap;
            proxy_pass http://%ORIGIN%; }
        location /m { strata_cache z; strata_key "$m$n$once" $args; strata_key_identity $m; proxy_pass http://%ORIGIN%; }
        location /i { strata_cache z; strata_key $uri $request_id; proxy_pass http://%ORIGIN%; }""")
    random = rnd()
    for place in "/r/x/y", "/m":
        wrong, n = [], 0
        for size in SIZES:
            for shape in "a", "9", "a9", "-":
                lines = [f"X-A: {(shape * size)[:size]}"]
                target = f"{place}?b={(shape * size)[:size] if random.random() < 0.7 else ''}"
                first = raw(ng, head(target, *lines, "Connection: close"))
                ng.quiet()
                for _ in 1, 2:
                    r = raw(ng, head(target, *lines, "Connection: close"))
                    n += 1
                    if {first.status, r.status} != {200} or r.body != first.body or r.cache != "HIT" \
                            and (r.why != "key" or size < 1000):
                        wrong.append((target[:60], str(first), str(r)))
        cases(wrong, n, f"{place}: a key of volatile parts is the same the second time")

    # neighbours: of two requests that differ in one part each has its own
    wrong, n = [], 0
    for a, b in (("abc1", "abc2"), ("abc", "ab"), ("a", ""), ("x" * 2000, "x" * 2001), ("a\x01", "a")):
        for v in a, b, a, b:
            n += 1
            r = raw(ng, head("/r/x/y", f"X-A: {v}", "Connection: close"))
            if r.status != 200 or f"X-A: {v}".strip().encode("latin-1") not in [x.strip() for x in r.body.split(b"\n")] and v:
                wrong.append((v[:20], str(r)))
            ng.quiet()
    cases(wrong, n, "requests that differ in one part")

    # over 8 KiB there is no key
    for size in 7000, 8100, 8192, 12000:
        r = raw(ng, head("/m", f"X-A: {'9' * 10}", f"X-B: {'b' * size}", "Connection: close"))
        r = raw(ng, head(f"/m?b={'b' * size}", "X-A: zz", "Connection: close"))
        case(r.status == 200 and r.cache == "PASS" and r.why == "key", f"{size} bytes, three times: passes ({r})")
    seen = {ng.fill("/i").cache for _ in range(4)}
    case(seen == {"MISS"}, "a key that is new each time is never a hit")
