#!/usr/bin/env python3
"""T-24: numbers at their ends, with signs, blanks, in hex: lifetimes saturate, what is no number is refused."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import re

NUMBERS = ["0", "1", "-0", "-1", "+1", "00", "007", "0x10", "1e3", "1.5", "1_000", " 1", "1 ", "", "x", "--1", "\xb2"]
for power in 15, 16, 31, 32, 53, 63, 64:
    NUMBERS += [str(2 ** power - 1), str(2 ** power), str(2 ** power + 1), str(-2 ** power)]
NUMBERS += ["9" * 20, "9" * 40, "1" + "0" * 300, "4294967297", "8589934592", "@1", "@0", "@9223372036854775808", "@" + "9" * 30, "2147483647000"]

FIELDS = {                                     # header lines around a number
    "Cache-Control: max-age=%": [], "Cache-Control: s-maxage=%": [], "Cache-Control: max-age=60, stale-while-revalidate=%": [],
    "Cache-Control: max-age=60, stale-if-error=%": [], 'Cache-Control: max-age="%"': [], "CDN-Cache-Control: max-age=%": [],
    "Surrogate-Control: max-age=%": [], "Surrogate-Control: max-age=60+%": [], "X-Accel-Expires: %": [], "Age: %": ["Cache-Control: max-age=60"],
    "Expires: %": [], "Expires: Sun, 06 Nov % 08:49:37 GMT": [], "Date: Sun, 06 Nov % 08:49:37 GMT": ["Cache-Control: max-age=60"],
    "Last-Modified: Sun, 06 Nov % 08:49:37 GMT": ["Cache-Control: max-age=60"], "Content-Length: %": ["Cache-Control: max-age=60"],
}
ASKED = {                                      # and of a request
    "Content-Length: %": [], "Range: bytes=%-": [], "Range: bytes=-%": [], "Range: bytes=%-%": [], "If-Modified-Since: Sun, 06 Nov % 08:49:37 GMT": [],
    "Accept-Encoding: gzip;q=%": [], "Accept-Language: de;q=%": [], "Cache-Control: max-age=%": [], "Cache-Control: max-stale=%": [],
    "Cache-Control: min-fresh=%": [], "Host: localhost:%": [], "Keep-Alive: timeout=%": [], "Max-Forwards: %": [],
}
MAX_S = 2 ** 31 - 1

with scenario(120) as t:
    origin = t.origin()
    table = {}

    @origin.route("/*")
    def _(req):
        lines = table[req.path]
        body = b"" if lines is None else b"hi"
        lines = lines or []
        if not any(x.startswith("Content-Length") for x in lines):
            lines = lines + ["Content-Length: 2"]
            body = b"hi"
        req.send(("\r\n".join(["HTTP/1.1 200 OK", 'ETag: "e"'] + lines) + "\r\n\r\n").encode("latin-1") + body)
        req.close()

    ng = t.nginx(origin, http="add_header X-Ttl $strata_ttl always; add_header X-Age $strata_age always;",
                 locations="""location /lang { strata_cache z; strata_vary_normalize accept-encoding;
                 strata_vary_normalize accept-language values=en,de; proxy_pass http://%ORIGIN%; }""")

    def sane(name):
        s = r.get(name)
        return s in (None, "", "-") or (re.fullmatch(r"-?\d+", s) and abs(int(s)) <= MAX_S + 1)

    for i, (field, more) in enumerate(FIELDS.items()):
        wrong = []
        for j, number in enumerate(NUMBERS):
            path = f"/f{i}-{j}"
            table[path] = [field.replace("%", number)] + more
            for attempt in 1, 2, 3:
                r = ng.fill(path, timeout=5)
                good = r.status in (200, 502, None) and sane("X-Ttl") and sane("X-Age") and sane("Age")
                ttl = r.get("X-Ttl")
                if r.cache in ("HIT", "STALE") and not (number.strip().lstrip("@").lstrip("0").isdigit() or "60" in " ".join(table[path])
                                                        or "Expires: Sun" in field):
                    good = False               # stored by a number that is none
                if ttl and ttl.lstrip("-").isdigit() and r.cache == "HIT" and int(ttl) < 0:
                    good = False
                if not good:
                    wrong.append((table[path], attempt, str(r), r.headers))
        cases(wrong, len(NUMBERS), f"of the origin, {field}")

    victim = "/victim"
    table[victim] = ["Cache-Control: max-age=600"]
    ng.fill(victim)
    for i, (field, more) in enumerate(ASKED.items()):
        wrong = []
        for j, number in enumerate(NUMBERS):
            path = f"/q{i}-{j}"
            table[path] = table["/lang" + path] = ["Cache-Control: max-age=600", "Vary: Accept-Language"]
            for target in victim, path, "/lang" + path:
                lines = [field.replace("%", number), "Connection: close"]
                r = raw(ng, head(target, *lines, host=None if field.startswith("Host") else "localhost"),
                        end=field.startswith("Content-Length"))
                if r.status is None and not field.startswith("Content-Length") or r.status and r.status >= 500:
                    wrong.append((target, field.replace("%", number)[:80], str(r)))
                if r.status == 206 and r.body not in b"hi":
                    wrong.append((target, field, r.body))
            ng.quiet()
            for target in victim, path:
                r = ng.get(target)
                if (r.status, r.body) != (200, b"hi"):
                    wrong.append((target, field.replace("%", number)[:80], "victim", str(r)))
        cases(wrong, len(NUMBERS), f"of a client, {field}")
