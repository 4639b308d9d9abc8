#!/usr/bin/env python3
"""Every reason a request can meet is counted under its own word, and only words of the list appear."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

with scenario() as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x", cc="max-age=60"))
    origin.reply("/private", Reply(b"x", cc="private"))
    origin.reply("/no-store", Reply(b"x", cc="no-store"))
    origin.reply("/cookie", Reply(b"x", cc="max-age=60", headers=[("Set-Cookie", "a=b")]))
    origin.reply("/none", Reply(b"x"))
    origin.reply("/star", Reply(b"x", cc="max-age=60", headers=[("Vary", "*")]))
    origin.reply("/500", Reply(b"x", 500))
    origin.reply("/html", Reply(b"x", cc="max-age=60", type="text/html"))
    origin.reply("/big", Reply(b"x" * 50_000, cc="max-age=60"))
    origin.reply("/cut", Reply(b"x" * 50_000, cc="max-age=60", cut=100, length=5000))
    ng = t.nginx(origin, "strata_bypass $arg_b; strata_no_cache $arg_n; strata_types text/plain;"
                 "strata_max_object 10k;")
    words = re.findall(r'^STRATA_REASON\(\w+,\s*"([^"]+)"', (ROOT / "src/base/strata_reason.def").read_text(), re.M)
    cases = [("/p", dict(method="POST", body=b""), "method"), ("/p", dict(body=b"x"), "body"),
             ("/p", dict(headers={"Upgrade": "x", "Connection": "upgrade"}), "upgrade"),
             ("/p", dict(headers={"Accept": "text/event-stream"}), "event-stream"),
             ("/p?b=1", {}, "bypass"), ("/p", dict(headers={"Cookie": "a"}), "auth"),
             ("/p?n=1", {}, "no-cache-set"), ("/private", {}, "private"), ("/private", {}, "hit-for-miss"),
             ("/no-store", {}, "no-store"), ("/cookie", {}, "set-cookie"), ("/none", {}, "no-lifetime"),
             ("/star", {}, "vary-star"), ("/html", {}, "type"), ("/big", {}, "size")]
    for path, kw, word in cases:
        before = ng.reasons().get(word, 0)
        r = ng.fill(path, **kw)
        is_(r.why, word, f"{word}: $strata_reason")
        at_least(ng.reasons().get(word, 0), before + 1, f"{word}: counted")
    ng.fill("/cut")
    at_least(ng.reasons().get("truncated", 0), 1, "truncated: counted")
    is_(set(ng.reasons()) - set(words), set(), "no word that is not on the list")
