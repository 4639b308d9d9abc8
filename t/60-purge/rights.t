#!/usr/bin/env python3
"""The rights of docs/redis.md are enough for responses, purges, values and locks of scripts."""
import pathlib, re, sys
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *
import invlog, l2

BLOCKS = [x.split()[2:] for x in (ROOT / "docs/redis.md").read_text().split("```") if x.lstrip().startswith("user strata")]
RIGHTS = [x.replace("purges", "log") for block in BLOCKS for x in block if x not in ("on", ">password")]

# those that a script needs once in a while, too
CALLS = {name.lower() for f in (ROOT / "src/redis").glob("*.[ch]") for name in re.findall(r"redis\.call\('([A-Z]+)'", f.read_text())}

with scenario(60) as t:
    is_(sorted(c for c in CALLS if "+" + c not in RIGHTS), [], f"{len(CALLS)} commands of scripts")
    origin = t.origin()
    n = [0]

    @origin.route("/*")
    def _(req):
        n[0] += 1
        return Reply(f"{n[0]}".encode(), headers=[("Surrogate-Key", "k")] + [("Vary", "A")] * ("vary" in req.path),
                     cc="max-age=100")

    redis = l2.server(t)
    redis("ACL", "SETUSER", "strata", "on", ">s3cret", *RIGHTS)
    redis("CONFIG", "SET", "acllog-max-len", "100")
    a, b = [invlog.leased(invlog.node(
        t, origin, f"redis://strata:s3cret@{redis.address}",
        "strata_l2 r; strata_l2_timeout 3s; strata_lock cluster; strata_double_delete 100ms;", locations="""
        location /values {
            strata_l2 r;
            strata_content_by_lua_block {
                local z, bad = strata.zone "z", {}
                local function works(name, value, err)
                    if not value then bad[#bad + 1] = name .. ": " .. tostring(err) end
                end
                for _, tags in ipairs { false, { "k" } } do
                    works("set", z:set("a", "1", { ttl = 60, grace = 60, tags = tags or nil }))
                    works("get", z:get("a"))
                    works("incr", z:incr("n", 1, 0))
                    works("incr, again", z:incr("n", 1, 0, 60))
                    works("expire", z:expire("a", 30))
                    works("expire, never", z:expire("a"))
                    works("touch", z:touch("a"))
                    works("ttl", z:ttl("a"))
                    works("replace", z:replace("a", "2"))
                    works("get_or_set", z:get_or_set("g", { ttl = 60 }, function() return "x" end))
                    works("set_bulk", z:set_bulk({ b = 1, c = 2 }, { ttl = 60 }))
                    works("get_bulk", z:get_bulk { "b", "c" })
                    works("purge", z:purge { tags = { "k" } })
                    works("delete", z:delete("a", "n", "g"))
                    works("add", z:add("a", "3", { ttl = 60 }))
                    local lock, err = strata.lock("job", { ttl = 5 })
                    works("lock", lock, err)
                    works("extend", lock and lock:extend(5))
                    works("release", lock and lock:release())
                    works("sleep", strata.sleep(0.01))
                end
                return table.concat(bad, ", ")
            }
        }""")) for _ in range(2)]

    for path in "/one", "/vary":
        a.fill(path)
        wait_until(lambda: a.count("l2_queued") == 0, 5)
        is_(b.get(path).get("X-Tier"), "l2", f"{path}: another node has it from L2")
        for header in {}, {"Surrogate-Key": "k"}:
            r = a.purge(path, headers=header)
            is_((r.status, b'"acked":2' in r.body), (200, True), f"{path}: a purge, both nodes know") or note(r.body)
    is_(a.get("/values").body, b"", "values and locks")
    is_(b.get("/values").body, b"", "of another node, too")
    wait_until(lambda: redis("ZCARD", "{log}:d") == 0, 5)
    is_(redis("ACL", "LOG"), [], "nothing was refused")
