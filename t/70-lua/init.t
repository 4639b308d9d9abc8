#!/usr/bin/env python3
"""strata_init_by_lua: in each worker, before its first request, and in each new VM."""
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

with scenario() as t:
    ng = t.nginx(http="""strata_lua_path "%DIR%/?.lua"; strata_lua_memory 8m; strata_lua_budget 500ms;
        strata_init_by_lua_block {
            local z = strata.zone("z")
            z:add("config", { limit = 7 }, { codec = "json" })
            z:incr("starts", 1, 0)
            leftover = 1
            require("shared").warm()
        }""", only="""
        location = /a { strata_content_by_lua_block {
            local z = strata.zone("z")
            return { z:get("config").limit, " ", z:get("starts"), " ", tostring(leftover), " ", require("shared").state() } } }
        location = /oom { strata_content_by_lua_block { local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }""",
                 workers=1, start=False)
    ng.file("shared.lua", "local M, warm = {}, 'cold' function M.warm() warm = 'warm' end function M.state() return warm end return M")
    ng.start()
    is_(ng.get("/a").body, b"7 1 nil warm", "values in zones, modules loaded; globals do not stay")
    is_(ng.get("/oom").status, 500, "a VM is lost")
    is_(ng.get("/a").body, b"7 2 nil warm", "the new one was initialised too")
    ng.reload()
    is_(ng.get("/a").body, b"7 3 nil warm", "and the one after a reload")
    ng.file("bad.lua", "error('not today')")
    ng.write(http="strata_init_by_lua_file bad.lua;", only="location = /b { strata_content_by_lua_block { return 'up' } }")
    ng.reload()
    is_(ng.get("/b").body, b"up", "one that fails")
    ok("not today" in ng.log() and "strata_init_by_lua_file failed" in ng.log(), "is logged")
    ng.file("loop.lua", "while true do end")
    ng.write(http="strata_init_by_lua_file loop.lua; strata_lua_budget 5ms;",
             only="location = /c { strata_content_by_lua_block { return 'up' } }")
    ng.reload()
    is_(ng.get("/c").body, b"up", "one that never ends")
    text = t.config_error(http="strata_init_by_lua_block { x = } ")
    ok(text and "unexpected symbol" in text, "syntax is checked by nginx -t")
