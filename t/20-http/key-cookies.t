#!/usr/bin/env python3
"""strata_key_cookies: these are in the key; others pass, or do not matter."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(";".join(req.all("Cookie")).encode(), cc="public, max-age=60")

    ng = t.nginx(origin, http="add_header X-Key $strata_key always;", location="strata_key_cookies lang theme; strata_purge 1; strata_grace 60s;", locations="""
        location /off/ { strata_cache z; strata_key_cookies lang theme; strata_key_identity off;
                         proxy_pass http://%ORIGIN%;
                         location /off/none/ { strata_cache z; strata_key_cookies off;
                                               proxy_pass http://%ORIGIN%; } }
        location /both/ { strata_cache z; strata_key $uri $cookie_user; strata_key_cookies lang;
                          proxy_pass http://%ORIGIN%; }""")

    def ask(path, cookie, how=ng.get, **headers):
        lines = [("Cookie", c) for c in ([cookie] if isinstance(cookie, str) else cookie or [])]
        return how(path, headers=lines + list(headers.items()))

    own = [None, "lang=", "lang=de", "lang=DE", "lang=de,en", "theme=de", "lang", "lang=de;theme=",
           "lang=de; theme=dark", "lang=de=x", "lang=|theme=dark"]
    for c in own:
        is_(ask("/a", c, ng.fill).cache, "MISS", f"{c}: nobody's")
    for c in own:
        r = ask("/a", c)
        is_((r.cache, r.body.decode()), ("HIT", c or ""), f"{c}: its own")
    is_(origin.count("/a"), len(own), "one fetch each")
    r = ask("/a", "theme=dark; lang=de")
    is_(r.cache, "HIT", "their order does not matter")
    like(r.get("X-Key"), r"\|lang=de\|theme=dark$", "the readable key")
    is_(ask("/a", ["theme=dark", "lang=de"]).cache, "HIT", "nor that they come in two lines")

    # a cookie that is not in the key, or twice: nginx's ordinary path
    for c in ("lang=de; session=1", "session=1", "Lang=de", " lang =de", "lang=de; lang=en",
              "lang=de; lang=de", ["lang=de", "session=1"], "\tlang=de", "xlang=de"):
        r = ask("/a", c)
        is_((r.cache, r.why), ("PASS", "auth"), f"{c!r}: passes")
    is_(ask("/a", "lang=de", Authorization="x").why, "auth", "Authorization is no cookie")

    # identity off: others do not matter, and the origin does not hear them
    r = ask("/off/a", "session=alice; lang=de; x=1", ng.fill)
    is_((r.cache, r.body), ("MISS", b"lang=de"), "off: the origin hears what is in the key")
    r = ask("/off/a", ["session=bob", "lang=de"])
    is_((r.cache, r.body), ("HIT", b"lang=de"), "off: another's request")
    r = ask("/off/a", "session=bob; theme=a;lang=de", ng.fill)
    is_((r.cache, r.body), ("MISS", b"theme=a; lang=de"), "off: two")
    r = ask("/off/a", "session=bob", ng.fill)
    is_((r.cache, r.body), ("MISS", b""), "off: none")
    is_(ng.get("/off/a").cache, "HIT", "off: as without any")
    r = ask("/off/a", "lang=de; lang=en", ng.fill)
    is_((r.cache, r.body), ("MISS", b"lang=de; lang=en"), "off: one twice is a key of its own")
    r = ask("/off/none/a", "session=1; lang=de", ng.fill)
    is_(r.body, b"session=1; lang=de", "strata_key_cookies off: as they came")
    is_(ask("/off/none/a", "lang=en").cache, "HIT", "strata_key_cookies off: no part of the key")

    # an origin that varies on Cookie means those it was sent
    @origin.route("/off/vary")
    def _(req):
        return Reply((req.get("Cookie") or "").encode(), cc="max-age=60", headers=[("Vary", "Cookie")])

    ask("/off/vary", "session=1; lang=de", ng.fill)
    r = ask("/off/vary", "lang=de; session=2")
    is_((r.cache, r.body), ("HIT", b"lang=de"), "Vary: Cookie: the same entry")
    is_(ask("/off/vary", "session=1; lang=en", ng.fill).body, b"lang=en", "Vary: Cookie: another language")
    is_((ng.fill("/off/vary").cache, ask("/off/vary", "session=1").cache), ("MISS", "HIT"), "Vary: Cookie: none")

    # beside strata_key
    is_(ask("/both/a", "user=1; lang=de", ng.fill).cache, "MISS", "both: miss")
    is_(ask("/both/a", "lang=de; user=1").cache, "HIT", "both: hit")
    is_(ask("/both/a", "lang=de; user=2", ng.fill).cache, "MISS", "both: another user")
    is_(ask("/both/a", "lang=de; user=1; x=1").why, "auth", "both: one more")

    # a refresh by PURGE does not carry the purger's other cookies
    r = ng.purge("/a", headers={"Cookie": "lang=de; session=admin", "X-Purge": "revalidate"})
    is_(r.status, 200, "PURGE of a partition")
    ok(wait_until(lambda: origin.last("/a").get("Cookie") == "lang=de"), "refreshed with its cookie alone")
    is_(ng.quiet(), {}, "done")
    is_((ask("/a", "lang=en").cache, ask("/a", "lang=DE").cache), ("MISS", "HIT"), "others stay")

    for name in "bad name", "off", "a=b", "a;b", "":
        message = t.config_error(only=f'location / {{ strata_key_cookies a "{name}"; }}')
        like(message or "accepted", f'invalid value "{name}" in "strata_key_cookies"', f"refused: {name!r}")
    names = " ".join(f"c{i}" for i in range(33))
    like(t.config_error(only=f"location / {{ strata_key_cookies {names}; }}") or "accepted",
         'invalid value "c32" in "strata_key_cookies"', "at most 32")
    like(t.config_error(only="location / { strata_key_cookies off; strata_key_cookies off; }") or "accepted",
         "duplicate", "off twice")
