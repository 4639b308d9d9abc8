#!/usr/bin/env python3
"""L2 that is purged by more than the URL wants strata_events: nginx -t warns, once for each zone and L2, and accepts it."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

HTTP = "strata_zone y 16m; strata_redis r redis://127.0.0.1:1; strata_redis s redis://127.0.0.1:1;"
EVENTS = "strata_events redis=s stream=log;"
TAGS, RULE = "strata_tags a;", "strata_invalidate_on POST tags=a;"
API = "location /api/ { strata_api write=on; } "
READ = "location /api/ { strata_api; } "
Z, Y = "strata_cache z; ", "strata_cache y; "

# configuration at the level of http, locations, [(zone, L2, because)]
CASES = (
    ("", f"location / {{ {Z} strata_l2 r; {TAGS} }}", [("z", "r", "strata_tags")]),
    ("", f"location / {{ {Z} strata_l2 r; {RULE} }}", [("z", "r", "strata_invalidate_on")]),
    ("", f"location / {{ {Z} strata_l2 r; }} location /w {{ {Z} {RULE} }}", [("z", "r", "strata_invalidate_on")]),
    ("", API + f"location / {{ {Z} strata_l2 r; }}", [("z", "r", "strata_api")]),
    ("", f"location / {{ {Z} strata_l2 r; }}" + API, [("z", "r", "strata_api")]),
    ("strata_tags a;", f"location / {{ {Z} strata_l2 r; }}", [("z", "r", "strata_tags")]),
    ("", "".join(f"location {p} {{ {Z} strata_l2 r; {TAGS} }} " for p in ("/", "/a", "/b")), [("z", "r", "strata_tags")]),
    ("", f"location / {{ {Z} strata_l2 r; {TAGS} }} location /a {{ {Z} strata_l2 s; {TAGS} }} "
         f"location /b {{ {Y} strata_l2 r; {TAGS} }}",
     [("z", "r", "strata_tags"), ("z", "s", "strata_tags"), ("y", "r", "strata_tags")]),
    (EVENTS, f"location / {{ {Z} strata_l2 r; {TAGS} {RULE} }}" + API, []),
    ("", f"location / {{ {Z} strata_l2 r; }} location /a {{ {Z} {TAGS} }}" + READ, []),
    ("", f"location / {{ {Z} {TAGS} {RULE} }}" + API, []),
    ("strata_l2 r; strata_tags a;", f"location / {{ {Z} strata_l2 off; }} location /a {{ {Z} strata_tags off; }}", []),
    ("", f"location / {{ {Z} strata_l2 r; strata_purge 1; }}", []),
)

with scenario() as t:
    for http, locations, want in CASES:
        ng = Nginx(http=f"{HTTP} {http}", only=locations, start=False)
        good, said = ng.test_config()
        ng.remove()
        lines = [line for line in said.splitlines() if "strata_events" in line]
        found = [re.search(r'\[warn\].* zone "(\w+)" has "strata_l2 (\w+)" and .*"(strata_\w+)".*, but no '
                           r'"strata_events": .*; add "strata_events redis=(\w+) stream=', line) for line in lines]
        ok(good and [m and m.groups() for m in found] == [(*w, w[1]) for w in want],
           f"{http} {locations}: {want}") or note(said)

    # a server with a log of its own, and one without, in zones of their own
    servers = f"server {{ listen 127.0.0.1:%BACK%; location / {{ {Y} strata_l2 r; {TAGS} }} }}"
    ng = Nginx(http=HTTP, only=f"{EVENTS} location / {{ {Z} strata_l2 r; {TAGS} }}", servers=servers, start=False)
    good, said = ng.test_config()
    ng.remove()
    ok(good and 'zone "y" has' in said and 'zone "z" has' not in said, "a log for one of two zones") or note(said)
