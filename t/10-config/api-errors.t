#!/usr/bin/env python3
"""strata_api*, strata_purge_group: what nginx -t refuses, and says why; tokens are never quoted."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re, tempfile

GOOD = "test-token-0123456789"

with scenario() as t, tempfile.TemporaryDirectory() as d:
    def tokens(text):
        p = pathlib.Path(d, "tokens")
        p.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(p)

    def api(text):
        return t.config_error(locations=f"location /api/ {{ {text} }}")

    for text in ("strata_api;", "strata_api read;", "strata_api read write=on;", "strata_api write=off;",
                 "strata_api; strata_api_token off; strata_api_scope off; strata_api_rate off;",
                 "strata_api; strata_api_rate 10r/s; strata_api_scope tag=a* prefix=/x namespace=n;",
                 "strata_api; strata_api_rate 100r/m burst=0;", "strata_api; strata_api_rate 5;"):
        is_(api(text), None, text)
    is_(t.config_error(http="strata_api_rate 5r/s; strata_api_scope tag=a;", locations="""
        location = /api { strata_api; strata_api_rate off; }"""), None, "inherited, and off")

    for text, quoted in (
            ("strata_api write;", '"write" in "strata_api"'), ("strata_api write=yes;", '"write=yes" in "strata_api"'),
            ("strata_api read read x;", "invalid number of arguments"), ("strata_api; strata_api;", "is duplicate"),
            ("strata_api; strata_status;", "conflicts with another handler"),
            ("strata_status; strata_api;", "conflicts with another handler"),
            ("strata_api_rate;", "invalid number of arguments"), ("strata_api_rate 0r/s;", '"0r/s" in "strata_api_rate"'),
            ("strata_api_rate 5r/h;", '"5r/h"'), ("strata_api_rate -5r/s;", '"-5r/s"'), ("strata_api_rate x;", '"x"'),
            ("strata_api_rate burst=5;", '"burst=5"'), ("strata_api_rate 5r/s burst=x;", '"burst=x"'),
            ("strata_api_rate 5r/s 6r/s;", '"6r/s"'), ("strata_api_rate 2000000r/s;", '"2000000r/s"'),
            ("strata_api_rate 5r/s; strata_api_rate 6r/s;", "is duplicate"),
            ("strata_api_scope tag=;", '"tag=" in "strata_api_scope"'), ("strata_api_scope x;", '"x"'),
            ("strata_api_scope tags=a;", '"tags=a"'), ("strata_api_scope tag=[a;", '"tag=[a"'),
            ("strata_api_scope tag=a; strata_api_scope tag=b;", "is duplicate"),
            ("strata_api_token /none/such;", '"/none/such" failed')):
        like(api(text), re.escape(quoted), text)
    like(t.config_error(locations="location ~ /api { strata_api; }"), "regular expression", "in a regex location")
    like(t.config_error(locations="location @api { strata_api; }"), "named location", "in a named location")
    like(t.config_error(server="strata_api;"), "not allowed here", "in a server")

    note("files of tokens")
    sha = "a" * 64
    for text in (GOOD, f"{GOOD}\n", f"\n# a\n  {GOOD} read tag=a # b\r\n\t\n{GOOD}2 write prefix=/x namespace=n\n",
                 f"sha256:{sha}\n"):
        is_(api(f"strata_api; strata_api_token {tokens(text)};"), None, f"{text!r}")
    for text, quoted in (("", "no token in"), ("# none\n", "no token in"),
                         ("short", "less than 16 characters"), (f"{GOOD}\nshort-2\n", "less than 16 characters in"),
                         (f"{GOOD}!", "a character that no token has"), (f"{GOOD}\0", "a character that no token has"),
                         ("sha256:abc", "without 64 digits"), ("sha256:" + "g" * 64, "other than hex digits"),
                         (f"{GOOD} reed", 'invalid parameter "reed"'), (f"{GOOD} tag=", 'invalid parameter "tag="'),
                         (f"{GOOD} tag=[", 'invalid parameter "tag=["'), (b"x" * 1100000, "is too large")):
        m = api(f"strata_api; strata_api_token {tokens(text)};")
        like(m, re.escape(quoted), f"{text[:30]!r}")
        unlike(m, "short|" + GOOD, "the token is not quoted")
    like(api(f"strata_api; strata_api_token {tokens(GOOD + chr(10) + GOOD + ' x')};"), "tokens\":2", "the line")

    note("groups")
    def group(text):
        return t.config_error(http=f"strata_purge_group {text};")

    for text in "a tags=b", "a tags=b,c prefix=/x namespace=n match=*y keys=k", '"a b" "tags=b c,d"':
        is_(group(text), None, text)
    for text, quoted in (("a", "invalid number of arguments"), ("a b", '"b" in "strata_purge_group": no "="'),
                         ("a x=b", '"x=b" in "strata_purge_group": unknown parameter'),
                         ("a tags=", '"tags=" in "strata_purge_group": empty'), ("a tags=b,,c", "empty"),
                         ("a match=[", "not a pattern"), ("a group=b", "unknown parameter"),
                         ("a all=true", "unknown parameter"), ("a tags=" + "t" * 129, "too long"),
                         ("x tags=a; strata_purge_group x tags=b", 'duplicate group "x"')):
        like(group(text), re.escape(quoted), text[:40])
    like(t.config_error(location="strata_purge_group a tags=b;"), "not allowed here", "in a location")
