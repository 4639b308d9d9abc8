#!/usr/bin/env python3
"""POST /events and /cdc: rules with templates turn events and row changes into purges; all of them or none."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

import json, re, tempfile, urllib.parse

TOKEN, SHOP = "test-token-0123456789", "shop-token-0123456789"
TAGS = {"/list": "products", "/p/1": "product:1", "/p/2": "product:2", "/n/1": "news news:1", "/s": "stock:7",
        "/ns/a": "product:1", "/d/1": "customers:1004 customers", "/d/2": "customers:7",
        "/d/big": "customers:9007199254740993", "/d/\u00fc": "customers:\u4e16"}

with scenario() as t:
    origin = t.origin()
    origin.route("/*")(lambda req: Reply(b"x", cc="max-age=60", headers=[
        ("Surrogate-Key", TAGS.get(urllib.parse.unquote(req.path), "none").encode().decode("latin-1"))]))
    ng = t.nginx(origin, http="strata_purge_group news tags=news; strata_purge_group stock tags=stock:7;", locations=f"""
        location /ns/ {{ {CACHE} {PROXY} strata_namespace n1; }}
        location /api/ {{
            strata_api write=on; strata_api_token %DIR%/tokens; strata_cache z; strata_grace 10s;
            strata_on_event data:products purge "tags=product:{{id}},products";
            strata_on_event data:news purge group=news;
            strata_on_event "group:*" purge "group={{group}}";
            strata_on_event soft purge "tags=product:{{id}}" mode=invalidate;
            strata_on_event "url" purge "urls={{url}}";
            strata_on_event ns purge "tags=product:{{id}}" "namespace={{ns}}";
            strata_on_event all purge all;
            strata_on_event prefix purge "prefix=http|localhost|/{{p}}/" "match=*/{{m}}|";
            strata_cdc format=debezium;
        }}
        location /maxwell/ {{ strata_api write=on; strata_api_token %DIR%/tokens; strata_cache z;
                              strata_cdc format=maxwell map=%DIR%/map; }}
        location /canal/ {{ strata_api write=on; strata_api_token %DIR%/tokens; strata_cache z;
                            strata_cdc format=canal map=%DIR%/map; }}
        location /none/ {{ strata_api write=on; strata_api_token %DIR%/tokens; strata_cache z; }}""", start=False)
    ng.file("tokens", f"{TOKEN}\n{SHOP} tag=product:* tag=products\n")
    ng.file("map", """# table         what
shop.products   tags=product:{id},products
shop.products   tags=category:{category}     # may be null
*.stock         tags=stock:{product_id} mode=invalidate
news            group=news
shop.pages      urls={url} keys=http|localhost|/p/{id}|
""")
    ng.start()
    PATHS = [urllib.parse.quote(p) for p in TAGS]

    def post(path, what, token=TOKEN):
        r = ng.request(path, "POST", body=what if isinstance(what, bytes) else json.dumps(what).encode(),
                       headers=[("Authorization", f"Bearer {token}")])
        return r, json.loads(r.body)

    def fill():
        for p in PATHS:
            ng.fill(p)

    def gone():
        return [p for p in PATHS if ng.get(p).cache != "HIT"]

    def case(path, what, expected, **counts):
        fill()
        r, j = post(path, what)
        is_(r.status, 200, f"{path} {what if len(str(what)) < 90 else str(what)[:90]}: {j}")
        is_({k: j.get(k) for k in counts}, counts, "counts") if counts else None
        is_(gone(), expected, "what is gone")

    note("events")
    E = "/api/events"
    case(E, {"topic": "data:products", "data": {"id": 1}}, ["/list", "/p/1", "/ns/a"], rules=1, skipped=0, subjects=2, events=1)
    case(E, {"topic": "data:products", "data": {"id": "2", "x": [1]}, "id": "e1", "ts": 5}, ["/list", "/p/2"])
    case(E, {"topic": "data:products"}, ["/list"], rules=1, skipped=1)
    case(E, {"topic": "data:products", "data": {"id": None}}, ["/list"], skipped=1)
    case(E, {"topic": "data:products", "data": {"id": "1,products\r\n"}}, ["/list"], skipped=1)
    case(E, {"topic": "data:products", "data": "opaque"}, ["/list"], skipped=1)
    case(E, {"topic": "data:news"}, ["/n/1"])
    case(E, {"topic": "group:any", "data": {"group": "stock"}}, ["/s"])
    case(E, {"topic": "group:any", "data": {"group": "unknown"}}, [], skipped=1)
    case(E, {"topic": "soft", "data": {"id": 1}}, ["/p/1", "/ns/a"])
    case(E, {"topic": "url", "data": {"url": "http://localhost/s"}}, ["/s"])
    case(E, {"topic": "url", "data": {"url": "/s"}}, [], skipped=1)
    case(E, {"topic": "ns", "data": {"id": 1, "ns": "n1"}}, ["/ns/a"])
    case(E, {"topic": "ns", "data": {"id": 1}}, [], skipped=1)
    case(E, {"topic": "prefix", "data": {"p": "p", "m": "s"}}, ["/p/1", "/p/2", "/s"])
    case(E, {"topic": "nobody:cares"}, [], rules=0, events=0)
    case(E, [{"topic": "data:news"}, {"topic": "group:x", "data": {"group": "stock"}}], ["/n/1", "/s"], messages=2, rules=2)
    case(E, [], [], messages=0)
    case("/none/events", {"topic": "data:news"}, [], rules=0)
    case(E, {"topic": "all"}, PATHS)
    for what, reason in (({}, "an event without a good topic"), ({"topic": 1}, "an event without a good topic"),
                         ({"topic": ""}, "an event without a good topic"), ({"topic": "a\nb"}, "an event without a good topic"),
                         ({"topic": "t" * 129}, "an event without a good topic"), ([1], "an event without a good topic"),
                         ({"topic": "a", "payload": {}}, "unknown field"), (b"{", "not JSON"), (b"", "no body")):
        r, j = post(E, what)
        is_((r.status, j["reason"]), (400, reason), f"{what}"[:60])
    fill()
    r, j = post(E, [{"topic": "all"}, {"topic": 1}])
    is_((r.status, gone()), (400, []), "one that is wrong: none is carried out")
    r, j = post(E, {"topic": "data:products", "data": {"id": 1}}, SHOP)
    is_(r.status, 200, "within its scope")
    fill()
    r, j = post(E, [{"topic": "data:products", "data": {"id": 1}}, {"topic": "data:news"}], SHOP)
    is_((r.status, j["reason"], gone()), (403, "outside of the scope", []), "outside of it: none")
    is_(post(E + "?wait=log", {"topic": "data:news"})[0].status, 200, "wait=log")
    is_(post(E + "?wait=x", {"topic": "data:news"})[0].status, 400, "wait=x")
    is_(post(E + "?zone=x", {"topic": "data:news"})[0].status, 400, "zone=x")

    note("Debezium, without a map")
    def debezium(op, before, after, table="customers"):
        return {"schema": {"type": "struct", "fields": []}, "payload": {
            "before": before, "after": after, "op": op, "ts_ms": 1,
            "source": {"db": "inventory", "schema": "public", "table": table}}}
    C = "/api/cdc"
    case(C, debezium("u", {"id": 1004, "name": "A"}, {"id": 1004, "name": "B"}), ["/d/1"], rules=2, subjects=2)
    case(C, debezium("u", {"id": 7}, {"id": 8}), ["/d/1", "/d/2"], subjects=3)
    case(C, debezium("u", {"id": 1004}, {"id": 7}), ["/d/1", "/d/2"], subjects=3)
    case(C, debezium("u", None, {"id": 9007199254740993}), ["/d/1", "/d/big"])
    case(C, debezium("u", None, {"id": "9007199254740993"}), ["/d/1", "/d/big"])
    case(C, debezium("u", None, {"id": 9007199254740992}), ["/d/1"])
    case(C, debezium("c", None, {"id": "\u4e16"}), ["/d/1", "/d/%C3%BC"])
    case(C, json.dumps(debezium("c", None, {"id": "\u4e16"}), ensure_ascii=False).encode(), ["/d/1", "/d/%C3%BC"])
    case(C, debezium("c", None, {"id": None}), ["/d/1"], skipped=1)
    case(C, debezium("c", None, {"name": "x"}), ["/d/1"], skipped=1)
    case(C, debezium("c", None, {"id": "__debezium_unavailable_value"}), ["/d/1"], skipped=1)
    case(C, debezium("u", None, '{"_id": 7}'), ["/d/1"], skipped=1)
    case(C, debezium("d", None, None), ["/d/1"], skipped=1)
    case(C, debezium("d", {"id": 7}, None)["payload"], ["/d/1", "/d/2"], unmatched=0)
    case(C, debezium("d", {"id": 7}, None), ["/d/1", "/d/2"])
    case(C, debezium("t", None, None), ["/d/1"], skipped=1)
    before = ng.status()
    case(C, debezium("c", None, {"id": 1}, "others"), [], subjects=2)
    case(C, b"null", [], rules=0, unmatched=0)
    case(C, {"schema": None, "payload": None}, [], rules=0, unmatched=0)
    case(C, [None, debezium("c", None, {"id": 7}), None], ["/d/1", "/d/2"], messages=3, unmatched=0)
    case(C, [debezium("c", None, {"id": 7}), debezium("c", None, {"id": 8})], ["/d/1", "/d/2"], messages=2)
    for what in {"a": 1}, [], 1, {"op": "u"}, [debezium("c", None, {"id": 7}), {"op": "x"}]:
        r, j = post(C, what)
        is_(r.status, 200 if what == [] else 400, f"{what}"[:60])

    note("Maxwell and Canal, with a map")
    def maxwell(type, table, data, old=None, db="shop"):
        return {"database": db, "table": table, "type": type, "ts": 1, "data": data, **({"old": old} if old else {})}
    M = "/maxwell/cdc"
    after = ng.status()
    is_([after[n] - before[n] for n in ("reports", "reports_unmatched")], [8, 0], "messages are counted, those refused are not")
    case(M, [maxwell("insert", "unknown", {"id": 1}), maxwell("insert", "products", {"id": 1, "category": None}),
             maxwell("delete", "unknown2", {"id": 1})], ["/list", "/p/1", "/ns/a"], messages=3, unmatched=2, rules=2, skipped=1)
    now = ng.status()
    is_([now[n] - after[n] for n in ("reports", "reports_unmatched", "reports_skipped")], [3, 2, 1],
        "tables that nobody knows are counted")
    case(M, maxwell("update", "products", {"id": 9007199254740993}, {"id": 2}), ["/list", "/p/2"])
    case(M, maxwell("update", "products", {"id": 1, "category": 5}, {"id": 2}), ["/list", "/p/1", "/p/2", "/ns/a"], rules=4)
    case(M, maxwell("insert", "products", {"id": 1, "category": None}), ["/list", "/p/1", "/ns/a"], skipped=1)
    case(M, maxwell("delete", "stock", {"product_id": 7}, db="any"), ["/s"])
    case(M, maxwell("insert", "news", {"id": 1}, db="any"), ["/n/1"])
    case(M, maxwell("insert", "products", {"id": 1}, db="other"), [], rules=0)
    case(M, maxwell("insert", "pages", {"id": 2, "url": "http://localhost/s"}), ["/p/2", "/s"])
    case("/canal/cdc", {"database": "shop", "table": "products", "type": "UPDATE", "isDdl": False,
                        "data": [{"id": "1"}, {"id": "2"}], "old": [{"id": "3"}, None], "pkNames": ["id"]},
         ["/list", "/p/1", "/p/2", "/ns/a"])
    case("/canal/cdc", {"database": "shop", "table": "products", "type": "DELETE", "isDdl": False, "old": None,
                        "data": [{"id": "2", "category": ""}]}, ["/list", "/p/2"], skipped=0)
    case("/canal/cdc", {"database": "shop", "table": "other", "type": "INSERT", "isDdl": False, "data": [{"id": "2"}], "old": None},
         [], unmatched=1)
    r, j = post("/none/cdc", maxwell("insert", "news", {"id": 1}))
    is_((r.status, j["reason"]), (404, "no strata_cdc"), "where there is none")
    rows = [maxwell("insert", "products", {"id": i, "category": i}) for i in range(4000)]
    r, j = post(M, rows)
    is_((r.status, j["messages"]), (200, 4000), "4000 rows at once")
    ok(8001 <= j["subjects"] <= 8300, f"few of them twice: {j['subjects']}")
    r, j = post(M, rows + [maxwell("insert", "products", {"id": i, "category": i}) for i in range(5000, 6000)])
    is_((r.status, j["error"], j["reason"]), (413, "too_large", "too much to purge at once"), "10,000 are too many")

    note("wrong configuration")
    with tempfile.TemporaryDirectory() as d:
        def wrong(text):
            return t.config_error(locations=f"location /api/ {{ strata_api; {text} }}")
        for text, quoted in (("strata_on_event a purge;", "needs a topic"), ("strata_on_event a drop tags=b;", '"drop" in'),
                             ('strata_on_event "[a" purge tags=b;', '"[a" in'), ("strata_on_event a purge x=b;", "unknown parameter"),
                             ('strata_on_event a purge "tags=a{id";', "'{' without '}'"), ("strata_on_event a purge tags=;", "empty"),
                             ("strata_on_event a purge mode=delete;", "has nothing to purge"),
                             ("strata_on_event a purge tags=a mode=x;", "not a mode"),
                             ("strata_on_event a purge namespace=a namespace=b;", "duplicate parameter"),
                             ("strata_on_event off; strata_on_event a purge tags=b;", "is off on this level"),
                             ("strata_cdc format=oracle;", '"format=oracle" in'), ("strata_cdc map=/x;", "has no \"format\""),
                             ("strata_cdc format=canal format=canal;", '"format=canal"'), ("strata_cdc x;", '"x" in'),
                             ("strata_cdc format=canal map=/none/such;", '"/none/such" failed'),
                             ("strata_cdc format=canal; strata_cdc off;", "is duplicate")):
            like(wrong(text), re.escape(quoted), text)
        is_(wrong("strata_cdc off; strata_on_event off;"), None, "off")
        for text, quoted in (("", "no rule in"), ("# a\n", "no rule in"), ("t", '"t" has nothing to purge in'),
                             ("t tags=a\nu x=a", '"x=a" unknown parameter'), ("t tags={}", "no column between"),
                             ("t tags={.x}", "begins with a dot")):
            pathlib.Path(d, "map").write_text(text)
            m = wrong(f"strata_cdc format=canal map={d}/map;")
            like(m, re.escape(quoted), f"{text!r}")
        like(m, 'map":1', "the line")
