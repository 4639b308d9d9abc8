#!/usr/bin/env python3
"""
T-08: what is dropped or sorted for the key is dropped and sorted towards the origin, so that
the answer to a query never depends on who asked first, however the origin parses it.
"""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import itertools
import urllib.parse

DECODE = urllib.parse.unquote_to_bytes


def php(query):
    """The last one wins; dots and blanks in names are underscores."""
    found = {}
    for piece in query.split("&"):
        name, _, value = piece.partition("=")
        name = DECODE(name.replace("+", " "))
        if name:
            found[name.replace(b".", b"_").replace(b" ", b"_")] = DECODE(value.replace("+", " "))
    return found


def old_python(query):
    """; separates too, all values are kept, empty ones are not."""
    found = {}
    for piece in query.replace(";", "&").split("&"):
        name, _, value = piece.partition("=")
        if value:
            found.setdefault(DECODE(name.replace("+", " ")), []).append(DECODE(value.replace("+", " ")))
    return found


def go(query):
    """The first one wins; pieces with a ; are left out."""
    found = {}
    for piece in query.split("&"):
        if ";" not in piece and piece:
            name, _, value = piece.partition("=")
            found.setdefault(DECODE(name.replace("+", " ")), DECODE(value.replace("+", " ")))
    return found


PARSERS = php, old_python, go
NAMES = ["a", "b", "A", "%61", "a%00", "utm_source", "utm_medium", "", "a[]", "a.b", "a_b", "id", "+a", "_method"]
VALUES = ["1", "2", "", "1;b=2", "1%26b=2", "%3d", "x=y", ";utm_source=1", "1%3bid=3", "+", "%20"]
PLAIN = set("ab0123456789=&")

with scenario() as t:
    origin = t.origin()
    proxy = "strata_cache z; proxy_pass http://127.0.0.1:%BACK%;"
    ng = t.nginx(origin, http="add_header X-Key $strata_key always;", servers="""server { listen 127.0.0.1:%BACK%;
        location / { add_header Cache-Control max-age=60; return 200 "$request_uri"; } }""", only=f"""
        location / {{ {proxy} }}
        location /deny {{ strata_key_args -utm_* -id; {proxy} }}
        location /allow {{ strata_key_args a b*; {proxy} }}
        location /empty {{ strata_key_args * empty=drop; {proxy} }}""")
    random = rnd()

    def piece():
        name = random.choice(NAMES)
        return name if random.random() < 0.1 else f"{name}={random.choice(VALUES)}"

    def query():
        """A query and some that look like it."""
        pieces = [piece() for _ in range(random.randrange(1, 5))]
        yield "&".join(pieces)
        yield "&".join(random.sample(pieces, len(pieces)))
        yield ";".join(pieces)
        yield "&".join(pieces + [piece()])
        yield "&".join(random.sample(pieces + [piece()], len(pieces) + 1))

    for place in "/", "/deny", "/allow", "/empty":
        asked = [q for _ in range(120) for q in query()]
        answers = many(ng, [f"{place}?{q}" for q in asked])
        by_key, wrong, moved = {}, [], []
        for q, r in zip(asked, answers):
            if r is None or r.status != 200:
                wrong.append((q, str(r)))
                continue
            heard = r.body.decode("latin-1").partition("?")[2]
            by_key.setdefault((r.get("X-Key") or "").rpartition("|")[2], set()).add(heard)
            # the key's last part is what the origin heard
            if (r.get("X-Key") or "").rpartition("|")[2] != heard and "|" not in heard:
                wrong.append((q, heard, r.get("X-Key")))
            if place == "/" and set(q) <= PLAIN and any(p(q) != p(heard) for p in PARSERS):
                moved.append((q, heard))
            if place in ("/", "/deny") and sorted(q.split("&")) != sorted(heard.split("&")) \
                    and not any(x.startswith(("utm_", "id")) for x in q.split("&")):
                wrong.append((q, heard, "not the same pieces"))
            names = [x.partition("=")[0] for x in heard.split("&")]
            dropped = {"/deny": lambda n: n.startswith("utm_") or n == "id",
                       "/allow": lambda n: n != "a" and not n.startswith("b")}.get(place, lambda n: False)
            if heard and any(dropped(n) for n in names):
                wrong.append((q, heard, "the origin heard what is not in the key"))
        wrong += [(k, h) for k, h in by_key.items() if len(h) > 1]
        cases(wrong, len(asked), f"{place}: one key, one query towards the origin")
        ok(not moved, f"{place}: three parsers read what was sent in what the origin heard") or note(moved[:3])

    # duplicates of a name keep their order
    for q in ("a=1&a=2", "a=2&a=1", "b=0&a=2&b=1&a=1", "a=1&A=2&a=0"):
        r = ng.fill(f"/o?{q}")
        heard = r.body.decode().partition("?")[2]
        for n in "a", "b", "A":
            is_([x for x in heard.split("&") if x[0] == n], [x for x in q.split("&") if x[0] == n], f"{q}: {n} in order")

    # cloaked: the attacker's piece hides in a value or is dropped, the victim's does not
    pairs = [("/deny?a=1&utm_source=x;a=evil", "/deny?a=1"), ("/deny?a=1&utm_source=x%26a=evil", "/deny?a=1"),
             ("/allow?a=1&x=1;a=evil", "/allow?a=1"), ("/c?a=1;a=evil", "/c?a=1"), ("/c?a=1&a=evil", "/c?a=1"),
             ("/c?a=1%26a=evil", "/c?a=1"), ("/c?a=1&%61=evil", "/c?a=1"), ("/c?a=1&a%00=evil", "/c?a=1"),
             ("/c?a=1?a=evil", "/c?a=1"), ("/c?a=1&&a=evil", "/c?a=1"), ("/c?a=1&=evil", "/c?a=1"),
             ("/empty?a=1&evil=", "/empty?a=1"), ("/empty?a=1&=evil", "/empty?a=1"), ("/deny?id=evil", "/deny"),
             ("/deny?id", "/deny"), ("/deny?ID=evil", "/deny"), ("/deny?%69d=evil", "/deny"), ("/deny?id%3d=evil", "/deny")]
    for attack, victim in pairs:
        ng.fill(attack)
        r = ng.fill(victim)
        case(r.body.decode() == victim, f"{attack}, then {victim}")
