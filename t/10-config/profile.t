#!/usr/bin/env python3
"""strata_profile, strata_use: what wins, what is inherited, what is refused."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

PROFILES = """
    strata_valid 200 1h; strata_jitter 0;
    strata_profile short { strata_cache z; strata_valid 200 5s; strata_key_args page; }
    strata_profile keyed { strata_cache z; strata_key_by_lua_block { return "keyed:" .. req.uri } }
    strata_profile off { strata_cache off; }
    add_header X-Key $strata_key always; add_header X-TTL $strata_ttl always;
"""

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x"))
    ng = t.nginx(origin, http=PROFILES, only="""
        proxy_pass_header X;
        location /short/ { strata_use short; proxy_pass http://%ORIGIN%;
            location /short/own { strata_valid 200 9s; proxy_pass http://%ORIGIN%; }
            location /short/off { strata_use off; proxy_pass http://%ORIGIN%; }
            location /short/keyed { strata_use keyed; proxy_pass http://%ORIGIN%; } }
        location /more/ { strata_valid 200 7s; strata_use short; proxy_pass http://%ORIGIN%; }
        location /late/ { strata_use late; proxy_pass http://%ORIGIN%; }
        location /none/ { strata_cache z; proxy_pass http://%ORIGIN%; }
        """, servers="""strata_profile late { strata_cache z; strata_valid any 3s; }
        server { listen 127.0.0.1:%BACK%; strata_use keyed; strata_use_stale off;
            location / { proxy_pass http://%ORIGIN%; } }""")

    def ttl(path):
        ng.fill(path)
        return int(ng.get(path).get("X-TTL"))

    ok(3 <= ttl("/short/a") <= 5, "the profile over what is inherited")
    is_(ng.get("/short/a?x=1").cache, "HIT", "all of it")
    ok(5 < ttl("/short/own") <= 9, "a nested location over the profile it inherits")
    is_(ng.get("/short/own?x=1").cache, "HIT", "and the rest of it")
    ok(5 < ttl("/more/a") <= 7, "the location's own word over its profile")
    is_(ng.get("/short/off").cache, None, "another profile")
    is_(ng.fill("/short/keyed").get("X-Key"), "keyed:/short/keyed", "with a Lua block")
    ok(3 <= ttl("/short/keyed") <= 5, "over the one that is inherited")
    ok(1 <= ttl("/late/a") <= 3, "a profile that comes later in the file")
    ok(ttl("/none/a") > 3000, "a location without")
    is_(client.request(ng.back_port, "/q?a=1").get("X-Key"), "keyed:/q", "a server that uses one")
    ng.reload()
    ok(3 <= ttl("/short/b") <= 5, "after a reload")

    for http, location, text in (
            ("", "strata_use nothing;", 'unknown profile "nothing"'),
            ("strata_profile a { } strata_profile a { }", "", 'duplicate strata_profile "a"'),
            ("strata_profile a { proxy_pass http://x; }", "", '"proxy_pass" directive is not allowed here'),
            ("strata_profile a { strata_use a; }", "", '"strata_use" directive is not allowed here'),
            ("strata_profile a { strata_status; }", "", '"strata_status" directive is not allowed here'),
            ("strata_profile a { strata_valid 200 soon; }", "", "soon"),
            ("strata_profile a { strata_grace soon; }", "", '"soon"'),
            ("strata_profile a { strata_grace 1s; strata_grace 2s; }", "", "is duplicate"),
            ("strata_profile { }", "", "invalid number of arguments"),
            ("strata_profile a { strata_cache nozone; }", "strata_use a;", "nozone"),
            ("strata_profile a { strata_nonsense 1; }", "", 'unknown directive "strata_nonsense"'),
            ("strata_profile a { strata_grace 1s; } strata_use a;", "", '"strata_use" directive is not allowed here'),
            ("strata_profile a { strata_grace 1s; }", "strata_use a; strata_use a;", "is duplicate")):
        message = t.config_error(http=http, location=location)
        ok(message and text in message, f"{http} {location}: {text}")
        if not (message and text in message):
            note(str(message))
    is_(t.config_error(http="strata_profile unused { strata_cache z; strata_key_by_lua_block { return 1 } }"), None, "one that nobody uses")
