#!/usr/bin/env python3
"""Lua in the configuration: mistakes are told at nginx -t, with file and line; a reload swaps code."""
import pathlib, re, subprocess, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

TABLE = (ROOT / "src/ngx/ngx_http_strata_module.c").read_text()
HOOKS = sorted(set(re.findall(r'"(strata_\w+_by_lua)_block"', TABLE)))
MAIN = {"strata_init_by_lua", "strata_event_by_lua"}        # of http only

with scenario() as t:
    origin = t.origin()

    @origin.route("/*")
    def _(req):
        return Reply(b"x", cc="max-age=60")

    def refused(text, hook=None, **kw):
        where = "http" if hook in MAIN else "location"
        return t.config_error(**{where: text}, origin=origin, **kw) or "accepted"

    at_least(len(HOOKS), 6, "hooks")
    ok(all(f'"{h}_file"' in TABLE for h in HOOKS), "each has a _file too")
    for hook in HOOKS:
        message = refused(f"{hook}_block {{\n  local a = 1\n  local b = = 2\n}}", hook)
        line = re.search(r"nginx\.conf:(\d+): unexpected symbol near '='", message)
        ok(line and f"{hook}_block" in message, f"{hook}_block: syntax") or note(message)
        # nginx itself names the line it has read up to, one below
        told = re.search(r"in \S*nginx\.conf:(\d+)", message)
        is_(line and told and int(told[1]) - int(line[1]), 1, f"{hook}_block: in its line")

        ng = t.nginx(origin, start=False, **{"http" if hook in MAIN else "location": f"{hook}_file bad.lua;"})
        ng.file("bad.lua", "local a = 1\nlocal b\n\nif a then\n")
        accepted, message = ng.test_config()
        ok(not accepted and re.search(r"bad\.lua:\d+: 'end' expected", message) and f"{hook}_file" in message, f"{hook}_file: syntax") \
            or note(message)
        ng.write(**{"http" if hook in MAIN else "location": f"{hook}_file none.lua;"})
        accepted, message = ng.test_config()
        ok(not accepted and "none.lua" in message, f"{hook}_file: no such file")
        ng.file("compiled.lua", "")
        pathlib.Path(ng.dir, "compiled.lua").write_bytes(b"\x1bLJ\x02\x0a\x00" + bytes(100))
        ng.write(**{"http" if hook in MAIN else "location": f"{hook}_file compiled.lua;"})
        accepted, message = ng.test_config()
        ok(not accepted and f"{hook}_file: attempt to load chunk with wrong mode" in message, f"{hook}_file: bytecode") or note(message)
        ok("duplicate" in refused(f"{hook}_block {{ return nil }}\n{hook}_block {{ return nil }}", hook), f"{hook}: twice")
        ok("duplicate" in refused(f"{hook}_block {{ return nil }}\n{hook}_file off;", hook), f"{hook}: and off")

    for text, message in (
            ("strata_key_by_lua_block { return 'a", "unfinished string near ''a'"),
            ("strata_key_by_lua_block { return [[ }", 'unexpected end of file, "}" is missing'),
            ("strata_key_by_lua_block { --[==[ } ]=] }", 'unexpected end of file, "}" is missing'),
            ("strata_key_by_lua_block { return {} ", 'unexpected end of file, expecting "}"'),
            ("strata_key_by_lua_block { return 1 end }", "'<eof>' expected near 'end'"),
            ("strata_key_by_lua_block { goto nowhere }", "undefined label 'nowhere'"),
            ("strata_key_by_lua_block { break }", "break"),
            ("strata_key_by_lua_block x;", "strata_key_by_lua_block"),
            ("strata_key_by_lua_file;", 'invalid number of arguments in "strata_key_by_lua_file"'),
            ("strata_key_by_lua_block { " + "local x = 1 " * 25000 + "}", "more than 256k of code"),
            ("strata_lua_budget 1s;", '"strata_lua_budget" directive is not allowed here')):
        message_ = refused(text)
        ok(message in message_, f"{text[:50]}: {message}") or note(message_)
    for text, bad in (("strata_lua_budget ten;", 'invalid value "ten"'), ("strata_lua_memory 1m;", '"1m" is too small, at least 2m'),
                      ("strata_lua_memory x;", 'invalid value "x"'), ("strata_lua_jit yes;", '"yes"'),
                      ("strata_lua_code_cache 1;", '"1"'), ("strata_lua_path a; strata_lua_path b;", "duplicate")):
        message = t.config_error(http=text) or "accepted"
        ok(bad in message, f"{text} {bad}") or note(message)

    # what is Lua to the scanner
    code = """
        -- } a comment's, also without an end of its own -- }
        --[[ } ]] --[==[ }} ]] ]==]
        local a, b = "}\\"}", '}\\'}'
        local c, d = [[ } ]], [=[ ]] } ]=]
        local e = { [ [[x]] ] = { 1 }, y = { {} } }
        local f = 3 -1 - -1
        local g = "two \\
            lines }"
        return { req.uri, a .. b .. c .. d, #e.y, f, g }"""
    big = "\n".join(f"local x{n % 100} = {{ '}}{n}' }} -- }} {'y' * 60}" for n in range(150))
    ng = t.nginx(origin, workers=1, http='add_header X-Key $strata_key always; strata_lua_path "%DIR%/?.lua"; strata_lua_code_cache off;', locations=f"""
        location /scan {{ strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block {{{code} }} }}
        location /big {{ strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_block {{ do {big}\n end return "big" }} }}
        location /error {{ strata_content_by_lua_block {{

            error("here") }} }}
        location /file {{ strata_content_by_lua_file file.lua; }}
        location /key {{ strata_cache z; proxy_pass http://%ORIGIN%; strata_key_by_lua_file key.lua; }}
        location /module {{ strata_content_by_lua_block {{ return require("module") }} }}
        include part.conf;""", start=False)
    ng.file("part.conf", "location /part { strata_content_by_lua_block {\n\nreturn 1 + {} } }\n")
    for name in ("file", "module", "key"):
        ng.file(f"{name}.lua", "return 'one'")
    ng.start()
    is_(ng.get("/scan").get("X-Key"), """/scan|}"}}'} }  ]] } |1|3|two %0A            lines }""", "braces in strings and comments")
    is_(ng.get("/big").get("X-Key"), "big", "a block of several buffers")
    dump = subprocess.run([BINARY, "-p", ng.dir, "-c", f"{ng.dir}/nginx.conf", "-T"], capture_output=True, text=True).stdout
    is_(dump.count("'}149' }"), 1, "nginx -T shows all of it, once")
    is_((ng.get("/error").status, ng.get("/part").status), (500, 500), "errors when they run")
    line = 1 + next(n for n, x in enumerate(pathlib.Path(ng.dir, "nginx.conf").read_text().splitlines()) if 'error("here")' in x)
    ok(f"nginx.conf:{line}: here" in ng.log(), "have the line of the file")
    ok("part.conf:3: attempt to perform arithmetic on a table value" in ng.log(), "also of one that is included")

    def seen():
        return tuple(ng.get(p).body.decode() if p != "/key" else ng.get(p).get("X-Key") for p in ("/file", "/key", "/module"))

    is_(seen(), ("one", "one", "one"), "files")
    for name in ("file", "module", "key"):
        ng.file(f"{name}.lua", "return 'two'")
    is_(seen(), ("two", "two", "one"), "code_cache off: files are read anew, modules are not")
    ng.file("file.lua", "return = 1")
    is_(ng.get("/file").status, 500, "one with a mistake fails")
    ng.file("file.lua", "return 'three'")
    is_(ng.get("/file").body, b"three", "until it is mended")
    ng.write(http='add_header X-Key $strata_key always; strata_lua_path "%DIR%/?.lua";')
    ng.reload()
    is_(seen(), ("three", "two", "two"), "a reload reads all")
    for name in ("file", "module", "key"):
        ng.file(f"{name}.lua", "return 'four'")
    is_(seen(), ("three", "two", "two"), "code_cache on: nothing changes")
    ng.file("key.lua", "return return")
    ok(not ng.test_config()[0], "until a configuration with a mistake")
    ng.reload(wait=False)
    time.sleep(0.3)
    is_(seen(), ("three", "two", "two"), "which is refused, and the old code goes on")
    ng.allowed.append(r"\[emerg\].*key\.lua")
    ng.file("key.lua", "return 'four'")
    ng.reload()
    is_(seen(), ("four", "four", "four"), "and the next reload swaps it")

    # trusted code: compiled, without a budget
    ng = t.nginx(origin, workers=1, http='strata_lua_jit on; strata_lua_budget 10ms; strata_lua_memory 8m; add_header X-Key $strata_key always;', locations="""
        location /key { strata_cache z; proxy_pass http://%ORIGIN%;
            strata_key_by_lua_block { return { req.uri, req.var.arg_a, (req.args.b or ""):upper() } } }
        location /wait { strata_content_by_lua_block {
            local sum = 0 for i = 1, 2e8 do sum = sum + i % 7 end
            strata.sleep(0.01)
            return tostring(sum) .. " " .. strata.zone("z"):incr("n", 1, 0) } }
        location /calls { strata_content_by_lua_block {
            local z, n = strata.zone("z"), 0
            for i = 1, 3000 do z:set("k" .. i % 10, i) n = n + z:get("k" .. i % 10) + #req.uri:gsub("l", "x"):rep(3) end
            return tostring(n) } }
        location /memory { strata_content_by_lua_block { local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }
        location /escape { strata_content_by_lua_block { return tostring(ffi) .. tostring(jit) .. tostring(pcall(require, "ffi")) } }""")
    ng.fill("/key?a=1&b=x")
    r = ng.get("/key?a=1&b=x")
    is_((r.cache, r.get("X-Key")), ("HIT", "/key|1|X"), "strata_lua_jit: a key")
    is_([ng.get("/wait", timeout=30).body for _ in range(2)], [b"599999998 1", b"599999998 2"], "longer than the budget, and waits")
    want = str(sum(range(1, 3001)) + 3000 * 18).encode()
    is_([ng.get("/calls").body for _ in range(3)], [want] * 3, "calls of the library")
    is_([ng.get("/memory").status for _ in range(2)], [500] * 2, "the memory has its bound")
    is_(ng.get("/escape").body, b"nilnilfalse", "and the sandbox is the same")
    is_(ng.get("/calls").body, want, "and it goes on")
