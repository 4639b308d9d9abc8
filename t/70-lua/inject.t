#!/usr/bin/env python3
"""What clients send, scripts use without a look at it: no line is split, no log forged, no other script ended."""
import json, pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
from urllib.parse import quote

SPLIT = ["1\r\nX-Evil: 1", "1\nX-Evil: 1", "1 HTTP/1.1\r\nHost: evil\r\n\r\nGET /up/smuggled", "a b", "a\0b", "a\x7fb", "a#b", "\t"]

with scenario() as t:
    origin = t.origin()
    seen = []

    @origin.route("/*")
    def _(req):
        seen.append(req)
        return Reply(b"x", cc="max-age=60")

    ng = t.nginx(origin, workers=1, h2=True, environ=FORGETFUL, http="client_max_body_size 4m; add_header X-Key $strata_key always; "
                 "strata_lua_memory 16m;", locations="""
        location /up/ { proxy_pass http://%ORIGIN%; proxy_http_version 1.1; }
        location = /args { strata_content_by_lua_block {
            local r, e = strata.fetch("/up/x?id=" .. req.args.id) return r and tostring(r.status) or e } }
        location = /path { strata_content_by_lua_block {
            local r, e = strata.fetch("/up/" .. req.args.id) return r and tostring(r.status) or e } }
        location = /escaped { strata_content_by_lua_block {
            local r, e = strata.fetch("/up/x?id=" .. strata.escape(req.args.id)) return r and tostring(r.status) or e } }
        location = /field { strata_content_by_lua_block {
            local ok, e = pcall(strata.fetch, "/up/x", { headers = { [req.args.name or "x-a"] = req.args.id } }) return tostring(ok) } }
        location = /res { strata_content_by_lua_block {
            local ok, e = pcall(function() res.headers[req.args.name or "x-a"] = req.args.id end) return tostring(ok) } }
        location = /type { strata_content_by_lua_block {
            local ok, e = pcall(function() res.headers["content-type"] = req.args.id end) return tostring(ok) } }
        location /key { strata_cache z; strata_cache_status on key=on; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { return { req.uri, req.args.id } } }
        location /fetch { strata_cache z; proxy_pass http://%ORIGIN%; strata_fetch_by_lua_block { fetch.headers["x-a"] = req.args.id } }
        location /tag { strata_cache z; proxy_pass http://%ORIGIN%; strata_store_by_lua_block { res.tags = { req.args.id } } }
        location = /zone { strata_content_by_lua_block {
            local z = strata.zone("z") z:set(req.args.id, req.args.id)
            return z:get(req.args.id) == req.args.id and z:delete(req.args.id) == 1 and "same" or "other" } }
        location = /fail { strata_content_by_lua_block {
            res.headers["x-secret"] = "1" res.headers["cache-control"] = "max-age=99" res.headers["location"] = "/x" res.status = 201
            error("bad " .. req.args.id) } }
        location = /keyfail { strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block { error("bad " .. req.args.id) } }
        location = /echo { strata_content_by_lua_block { return req.body } }
        location = /twice { strata_content_by_lua_block { return req.body .. req.body } }
        location = /html { strata_content_by_lua_block { return (req.body:gsub("[<>&]", { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;" })) } }
        location = /json { strata_content_by_lua_block {
            local v, e = require("cjson.safe").decode(req.body) return e and "error " .. e or type(v) } }
        location = /throws { strata_content_by_lua_block { return type(require("cjson").decode(req.body)) } }
        location = /wrap { strata_content_by_lua_block {
            local s, e = require("cjson.safe").encode { body = req.body } return s and "encoded" or "error " .. e } }
        location = /wait { strata_content_by_lua_block { strata.sleep(1.5) return "slept" } }
        location = /status { strata_content_by_lua_block { res.status = tonumber(req.args.s) return "body" } }
        location = /partial { strata_content_by_lua_block {
            if req.args.first then res.body = "first" end
            pcall(function() res.body = { "aaa", {} } end) } }
        location = /cookies { strata_content_by_lua_block { res.headers["x-a"] = "1" res.headers["x-a"] = nil res.headers["x-a"] = "2" } }
        """)

    wrong = []
    for s in SPLIT:
        n = len(seen)
        for where in ("args", "path"):
            if ng.get(f"/{where}?id={quote(s)}").body != b"bad uri":
                wrong.append((where, s))
        if len(seen) != n:
            wrong.append(("reached", s))
    cases(wrong, 2 * len(SPLIT), "URIs that a script puts together")
    wrong = []
    for s in SPLIT + ["&admin=1", "%0d%0a", "+", "ü/?="]:
        if ng.get(f"/escaped?id={quote(s)}").body != b"200" or seen[-1].target != f"/up/x?id={quote(s, safe='-._~')}":
            wrong.append((s, seen[-1].target))
    cases(wrong, len(SPLIT) + 4, "strata.escape: one value, whatever is in it")

    bad = ["1\r\nX-Evil: 1", "1\nX-Evil: 1", "a\0b", "a\rb", "x" * 8193]
    for where in ("field", "res", "type"):
        wrong = []
        for s in bad[:4]:
            r = ng.get(f"/{where}?id={quote(s)}")
            if (r.body, r.get("X-Evil")) != (b"false", None):
                wrong.append((s, r.body))
        cases(wrong, 4, f"{where}: values of fields")
    for where in ("field", "res"):
        names = ["a b", "a:b", "", "x\r\ny", "Transfer-Encoding", "transfer-encoding", "content-length", "Content_Length", "connection",
                 "upgrade", "host" if where == "field" else "date", "expect" if where == "field" else "keep-alive"]
        wrong = [n for n in names if not (where == "res" and n in ("Content_Length",))
                 and ng.get(f"/{where}?id=1&name={quote(n)}").body != b"false"]
        cases(wrong, len(names), f"{where}: names of fields")

    wrong = []
    for s in SPLIT + ["\r\n\r\n<script>"]:
        r = ng.get(f"/key?id={quote(s)}")
        clean = all(c >= " " and c != "\x7f" for c in (r.get("X-Key") or "\0") + (r.get("Cache-Status") or "\0"))
        if (r.status, r.get("X-Evil"), clean) != (200, None, True) or b"<script>" in r.body:
            wrong.append((s, r.headers))
        n = len(seen)
        if ng.get(f"/fetch/{len(seen)}?id={quote(s)}").status != 200 or seen[n].get("X-Evil") or seen[n].get("Host") == "evil":
            wrong.append(("fetch", s))
        if ng.get(f"/tag/{len(seen)}?id={quote(s)}").status != 200:
            wrong.append(("tag", s))
        if ng.get(f"/zone?id={quote(s)}").body != b"same":
            wrong.append(("zone", s))
    cases(wrong, 4 * (len(SPLIT) + 1), "keys, fields, tags and values")
    is_(ng.get("/key%0d%0aX-Evil:%201").get("X-Evil"), None, "nor does the key of a decoded path split a field")

    for where in ("fail", "keyfail"):
        r = ng.get(f"/{where}?id=%0a2026/01/01%2000:00:00%20[error]%201%231:%20forged")
        ok(not ng.log(r"^2026/01/01"), f"{where}: no line of the log that a client wrote")
        ok(ng.log("forged"), f"{where}: but what it said, on the line of the error")
    r = ng.get("/fail?id=1")
    is_((r.status, r.get("X-Secret"), r.get("Cache-Control"), r.get("Location")), (500, None, None, None), "what a script said before it failed is not sent")

    # bodies that are larger than a string of Lua can be, once used
    body = b"<" * 700000
    waiting = [in_thread(ng.get, "/wait") for _ in range(3)]
    time.sleep(0.3)
    is_([ng.request(f"/{w}", "POST", body=body).status for w in ("twice", "html") for _ in range(3)], [500] * 6, "too large")
    is_(ng.request("/echo", "POST", body=b"y" * 1000000).body, b"y" * 1000000, "and one that is not")
    is_({w.join().body for w in waiting}, {b"slept"}, "no other script ends with them")

    # JSON: what lua-cjson could not take back is not given to it
    array, names = b"[" + b"0," * 300000 + b"0]", b"{" + b",".join(b'"%d":1' % n for n in range(60000)) + b"}"
    deep = b"[" * 400000 + b"]" * 400000
    texts = [b'["' + b"," * 500000 + b'"]', b"[" + b"[]," * 15000 + b"0]", b'["\\"' + b"," * 40000 + b'"]', b'{"a":[1,2,{"b":null}]}']
    for what, text, want in (("array", array, b"error more than"), ("object", names, b"error more than"), ("deep", deep, b"error "),
                             ("string", texts[0], b"table"), ("tables", texts[1], b"table"), ("escape", texts[2], b"table"),
                             ("small", texts[3], b"table"), ("nan", b"[nan]", b"error "), ("infinity", b"[1,inf]", b"error "),
                             ("hex", b"[0x10]", b"error ")):
        r = ng.request("/json", "POST", body=text)
        ok(r.status == 200 and r.body.startswith(want), f"JSON {what}: {r.body[:40]}")
    is_([ng.request("/throws", "POST", body=b).status for b in (array, names, b"[", b"[]")], [500, 500, 500, 200], "cjson throws instead")
    is_(ng.request("/wrap", "POST", body=b"\1" * 900000).body, b"error larger than 1 MB as JSON", "what grows six-fold")
    is_(ng.request("/wrap", "POST", body=b"x" * 500000).body, b"encoded", "and what does not")
    for _ in range(5):
        for text in (array, names):
            ng.request("/json", "POST", body=text)
        ng.request("/wrap", "POST", body=b"\1" * 900000)
    before = ng.rss()
    for _ in range(40):
        for text in (array, names):
            ng.request("/json", "POST", body=text)
        ng.request("/wrap", "POST", body=b"\1" * 900000)
    at_most((ng.rss() - before) >> 20, 8, "MB that 120 of them cost")

    # answers
    for s in (200, 204, 205, 304, 404, 599):
        got = [(r.status, r.body if s != 205 else b"") for r in (ng.get(f"/status?s={s}"), ng.curl(f"/status?s={s}", h2=True))]
        is_(got, [(s, b"" if s in (204, 205, 304) else b"body")] * 2, f"{s}, HTTP/1.1 and HTTP/2")
    is_((ng.get("/partial").body, ng.get("/partial?first=1").body), (b"", b"first"), "a body that was refused changes nothing")
    is_([v for n, v in ng.get("/cookies").headers if n.lower() == "x-a"], ["2"], "a field that was set again and again")
    r = ng.curl("/echo", "-d", "hello", h2=True)
    is_((r.status, r.body), (200, b"hello"), "a body by HTTP/2")
    c = ng.conn()
    c.send(b"".join(b"%s /status?s=200 HTTP/1.1\r\nHost: localhost\r\n\r\n" % m for m in (b"GET", b"HEAD", b"GET")))
    is_([c.read().body, c.read("HEAD").body, c.read().body], [b"body", b"", b"body"], "one after the other in a connection, HEAD between")
    c.close()
    r = raw(ng, b"GET /status?s=200 HTTP/1.0\r\n\r\n")
    is_((r.body, r.get("Transfer-Encoding")), (b"body", None), "HTTP/1.0")
