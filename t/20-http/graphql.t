#!/usr/bin/env python3
"""strata_key_body graphql: queries are cached, whatever may be something else never."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

from urllib.parse import quote, quote_plus

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(f"{req.method} {req.query} ".encode() + req.body, cc="max-age=60", type="application/json")

    ng = t.nginx(origin, "strata_methods GET HEAD POST; strata_key_body on graphql;")
    J = {"Content-Type": "application/json"}

    def ask(body, path="/g", how=ng.fill, headers=J):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return how(path, method="POST", body=body, headers=headers)

    # queries of one meaning are one key, and go out in one form
    same = [{"query": "query Q($a:Int){a(b:$a) c}", "operationName": "Q", "variables": {"a": 1, "b": [2]}},
            {"variables": {"b": [2], "a": 1}, "operationName": "Q",
             "query": "# why\nquery Q ( $a : Int ) {\n  a(b: $a), c\n}\n"}]
    form = b'{"operationName":"Q","query":"query Q($a:Int){a(b:$a)c}","variables":{"a":1,"b":[2]}}'
    for i, body in enumerate(same):
        r = ask(body)
        is_((r.cache, r.body), ("HIT" if i else "MISS", b"POST  " + form), f"query {i}")
    other = [dict(same[0], variables={"a": 2, "b": [2]}), dict(same[0], variables={"a": 1.0, "b": [2]}),
             dict(same[0], variables={"a": "1", "b": [2]}), dict(same[0], variables=None),
             dict(same[0], extensions={}), {"query": "query Q($a:Int){a(b:$a)d}"}, {"query": "{a}"},
             {"query": '{a(b:" x")}'}, {"query": '{a(b:"x")}'}]
    for body in other:
        is_(ask(body).cache, "MISS", f"another: {str(body)[:60]}")
    for body in other:
        is_(ask(body).cache, "HIT", f"its own: {str(body)[:60]}")
    r = ask(b" { a # x\n }", headers={"Content-Type": "application/graphql; charset=utf-8"})
    is_((r.cache, r.body), ("MISS", b"POST  {a}"), "application/graphql")

    # never cached
    two = "query A{a} query B{b}"
    never = [{"query": "mutation{a}"}, {"query": "mutation M{a}", "operationName": "M"},
             {"query": "subscription{a}"}, {"query": two}, {"query": two, "operationName": "C"},
             {"query": "query A{a} mutation B{b}", "operationName": "A"}, {"query": "#\nmutation{a}"},
             {"query": ""}, {"query": None}, {}, [], [{"query": "{a}"}], {"query": "{a"},
             {"extensions": {"persistedQuery": {"sha256Hash": "x"}}}, {"id": "x", "query": "{a}"},
             b'{"query":"mutation{a}","query":"{a}"}', b'{"query":"{a}","\\u0071uery":"mutation{a}"}',
             b'{"query":"{a}"} {"query":"mutation{a}"}', b"query={a}", b"", b"{a}"]
    for body in never:
        for i in 1, 2:
            r = ask(body)
            is_((r.cache, r.why), ("PASS", "graphql"), f"passes: {str(body)[:70]}")
    is_(ask({"query": two, "operationName": "B"}).cache, "MISS", "of two queries the one that is named")
    for path in "/g?query=mutation{a}", "/g?operationName=Q", "/g?variables={}", "/g?%71uery={b}", "/g?x=1;query={b}":
        is_(ask({"query": "{a}"}, path).why, "graphql", f"{path}: which document counts?")
    is_(ask({"query": "{a}"}, "/g?x=1").cache, "MISS", "other arguments do not matter")
    for type_ in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None):
        r = ask({"query": "{a}"}, headers={"Content-Type": type_} if type_ else {})
        is_(r.why, "graphql", f"{type_}")
    is_(ask({"query": "{a}"}, headers=dict(J, **{"Content-Encoding": "gzip"})).why, "graphql", "coded")
    is_(ask({"query": "{a}"}, headers=[*J.items(), ("Content-Type", "text/plain")]).why, "graphql", "two types")
    is_(ask({"query": "{a(b:\"" + "x" * 70000 + "\")}"}).why, "body", "too large")

    # GET
    for q in "{a}", "query Q{a}", "query Q($a:Int){a}":
        for i in "MISS", "HIT":
            is_(ng.fill(f"/get?query={quote(q)}").cache, i, f"GET {q}: {i}")
    is_(ng.request(f"/get?query={quote('{a}')}", "HEAD").cache, "HIT", "HEAD")
    for q in ("query=" + quote("mutation{a}"), "query=" + quote_plus("#\nmutation {a}"), "%71uery=mutation{a}",
              "query={a}&query=mutation{a}", "a=1;query=mutation{a}", "query=", "query=" + quote(two)):
        for method in "GET", "HEAD":
            r = ng.request(f"/get?{q}", method)
            is_((r.cache, r.why), ("PASS", "graphql"), f"{method} {q}: passes")
    is_(ng.fill("/get?x=1").cache, "MISS", "GET without a document")
    is_(ng.get("/get?x=1").cache, "HIT", "is as any other")

    # a mutation that succeeds makes what is stored of its URL invalid, a query does not
    ask({"query": "{a}"}, "/m"), ask({"query": "{b}"}, "/m"), ask({"query": "{a}"}, "/n")
    ask({"query": "{c}"}, "/m")
    is_(ask({"query": "{a}"}, "/m").cache, "HIT", "after a query")
    ask({"query": "{a}"}, "/m", headers=dict(J, Cookie="a=1"))
    is_(ask({"query": "{a}"}, "/m").cache, "HIT", "after a query with credentials")
    ask({"query": "mutation{a}"}, "/m")
    is_([ask({"query": q}, p).cache for q, p in (("{a}", "/m"), ("{b}", "/m"), ("{a}", "/n"))],
        ["MISS", "MISS", "HIT"], "after a mutation")

    @origin.route("/m")
    def _(req):
        return Reply(b"no", 500 if b"mutation" in req.body else 200, cc="max-age=60")

    ask({"query": "mutation{a}"}, "/m")
    is_(ask({"query": "{a}"}, "/m").cache, "HIT", "after one that failed")
    at_least(ng.reasons().get("graphql", 0), 40, "counted by reason")
