#!/usr/bin/env python3
"""Scripts that wait: sleep, locks, get_or_set; clients that leave, workers that die, waiters nobody feels."""
import contextlib, pathlib, sys, threading
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from strata import *

LOCATIONS = """
    location / { strata_cache z; proxy_pass http://%ORIGIN%; }
    location = /sleep { strata_content_by_lua_block {
        local start = os.clock()
        local ok = strata.sleep(tonumber(req.args.s))
        return tostring(ok) .. " " .. req.args.n
    } }
    # what is read and written apart is only right under the lock
    location = /locked { strata_content_by_lua_block {
        local z = strata.zone("z")
        local l, err = strata.lock("sum", { ttl = 10, wait = 20 })
        if not l then res.status = 503 return err end
        local n = z:get("sum") or 0
        strata.sleep(0.002)
        z:set("sum", n + 1)
        local last = z:get("fence") or 0
        z:set("fence", l.fence)
        local ok = l:release()
        return (ok and "ok " or "lost ") .. tostring(l.fence > last)
    } }
    location = /hold { strata_content_by_lua_block {
        local l, err = strata.lock(req.args.k, { ttl = tonumber(req.args.ttl) })
        if not l then res.status = 409 return err end
        if req.args.s then strata.sleep(tonumber(req.args.s)) end
        if req.args.x then l:extend(tonumber(req.args.x)) end
        if req.args.free then return tostring(l:release()) end
        return "held"
    } }
    location = /take { strata_content_by_lua_block {
        local l, err = strata.lock(req.args.k, { ttl = 5, wait = tonumber(req.args.wait or 0) })
        if not l then res.status = 409 return err end
        local other = strata.lock(req.args.k, { ttl = 5 })
        return tostring(l:release()) .. " " .. tostring(l:release()) .. " " .. tostring(other)
    } }
    location = /once { strata_content_by_lua_block {
        local z = strata.zone("z")
        local v, err, meta = z:get_or_set(req.args.k, { ttl = 60, timeout = tonumber(req.args.t or 5) }, function(k)
            z:incr("made:" .. k, 1, 0)
            strata.sleep(tonumber(req.args.s))
            if req.args.fail == "error" then error("no luck") end
            if req.args.fail == "nil" then return nil, "nothing there" end
            return "value of " .. k
        end)
        if v == nil then res.status = 503 return tostring(err) end
        return v
    } }
    location = /made { strata_content_by_lua_block { return tostring(strata.zone("z"):get("made:" .. req.args.k)) } }
    location = /nested { strata_content_by_lua_block {
        local z = strata.zone("z")
        return z:get_or_set("outer", nil, function()
            return z:get_or_set("inner", nil, function() strata.sleep(0.01) return "in" end) .. " out"
        end)
    } }
    location = /wrap { strata_content_by_lua_block {
        return { tostring(select(2, coroutine.wrap(function() return strata.sleep(0.01) end)())), " ",
                 tostring(select(2, pcall(string.gsub, "x", "x", function() return tostring(select(2, strata.sleep(0.01))) end))), " ",
                 tostring(select(2, pcall(function() return strata.sleep(0.01) end))) }
    } }
    location = /yield { strata_content_by_lua_block { coroutine.yield() } }
    location = /error { strata_content_by_lua_block { strata.sleep(0.01) local function deep() error("deep down") end deep() } }
    location = /loop { strata_content_by_lua_block { strata.sleep(0.01) while true do end } }
    location = /memory { strata_content_by_lua_block { strata.sleep(0.01) local t = {} for i = 1, 1e9 do t[i] = ("x"):rep(1000) .. i end } }
    location = /globals { strata_content_by_lua_block {
        mine = req.args.n
        strata.sleep(0.02)
        return mine .. " " .. tostring(others)
    } }
    location = /key { strata_cache z; proxy_pass http://%ORIGIN%;
        strata_key_by_lua_block { local _, err = strata.sleep(0.01) return { req.uri, err } } }
    location = /keylock { strata_cache z; proxy_pass http://%ORIGIN%;
        strata_key_by_lua_block {
            local v = strata.zone("z"):get_or_set("in a key hook", nil, function() return "made" end)
            local l, err = strata.lock("kl", { wait = 1 })
            return { v, l and tostring(l:release()) } } }
"""


def together(ng, paths):
    return [th.join(60) for th in [in_thread(ng.get, p) for p in paths]]


with scenario(seconds=120, alone=True) as t:
    origin = t.origin()
    origin.reply("/*", Reply(b"x" * 1000, cc="max-age=600"))
    ng = t.nginx(origin, only=LOCATIONS, http="add_header X-Key $strata_key always; strata_lua_memory 16m;",
                 zone="z 8m", workers=2)

    start = time.monotonic()
    rs = together(ng, [f"/sleep?s=0.2&n={n}" for n in range(100)])
    ok(0.19 < time.monotonic() - start < 0.2 + 1 * tap.SLOW, "100 sleep beside each other")
    is_([r.body for r in rs], [f"true {n}".encode() for n in range(100)], "each with its own answer")

    rs = together(ng, ["/locked"] * 60)
    is_({r.body for r in rs}, {b"ok true"}, "60 under a lock, fences rise")
    is_(ng.get("/locked").body, b"ok true", "and one more")

    # the owner, and nobody else
    is_(ng.get("/hold?k=a&ttl=30").body, b"held", "held beyond the request")
    r = ng.get("/take?k=a")
    is_((r.status, r.body), (409, b"locked"), "so nobody else has it")
    start = time.monotonic()
    r = ng.get("/take?k=a&wait=0.1")
    is_((r.status, r.body), (409, b"timeout"), "nor by waiting a little")
    ok(time.monotonic() - start < 0.1 + 0.2 * tap.SLOW, "which takes no longer")
    is_(ng.get("/take?k=b").body, b"true false nil", "released once, not twice; not to be had in between")
    ng.get("/hold?k=c&ttl=0.3")
    start = time.monotonic()
    is_(ng.get("/take?k=c&wait=5").body, b"true false nil", "a lock that ends")
    ok(0.25 < time.monotonic() - start < 0.3 + 0.3 * tap.SLOW, "at its end")
    ng.get("/hold?k=d&ttl=0.2&x=1.0")
    is_(ng.get("/take?k=d&wait=0.4").status, 409, "one that was extended does not end")
    holder = in_thread(ng.get, "/hold?k=e&ttl=30&s=0.3&free=1")
    time.sleep(0.1)
    start = time.monotonic()
    rs = together(ng, ["/take?k=e&wait=5"] * 20)
    is_({r.body for r in rs}, {b"true false nil"}, "20 who wait get it one after the other")
    ok(time.monotonic() - start < 0.2 + 0.4 * tap.SLOW, "as soon as it is released")
    is_(holder.join().body, b"true", "by its owner")

    # single flight
    rs = together(ng, ["/once?k=one&s=0.2"] * 50)
    is_({(r.status, r.body) for r in rs}, {(200, b"value of one")}, "50 want a value")
    is_(ng.get("/made?k=one").body, b"1", "it is made once")
    is_(ng.get("/once?k=one&s=9").body, b"value of one", "and kept")
    start = time.monotonic()
    rs = together(ng, ["/once?k=bad&s=0.1&fail=error"] * 20)
    is_({r.status for r in rs}, {500, 503}, "one that can't be made")
    ok(time.monotonic() - start < 0.1 + 0.5 * tap.SLOW, "fails for all at once")
    is_(sum(r.status == 500 for r in rs), int(ng.get("/made?k=bad").body), "an error is the error of who made it")
    r = ng.get("/once?k=nil&s=0&fail=nil")
    is_((r.status, r.body), (503, b"nothing there"), "nil is no value")
    is_(ng.get("/once?k=nil&s=0").body, b"value of nil", "and can become one")
    leader = in_thread(ng.get, "/once?k=slow&s=1")
    time.sleep(0.1)
    start = time.monotonic()
    is_(ng.get("/once?k=slow&s=0&t=0.1").body, b"value of slow", "who can't wait longer makes its own")
    ok(time.monotonic() - start < 0.1 + 0.3 * tap.SLOW, "at its timeout")
    leader.join()
    is_(ng.get("/nested").body, b"in out", "one inside another")

    # a client that leaves: the next one leads
    conn = ng.conn()
    conn.send(b"GET /once?k=left&s=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(0.1)
    waiters = [in_thread(ng.get, "/once?k=left&s=0.05") for _ in range(5)]
    time.sleep(0.1)
    start = time.monotonic()
    conn.close()
    is_({w.join().body for w in waiters}, {b"value of left"}, "the leader's client leaves: another one leads")
    ok(time.monotonic() - start < 0.05 + 0.5 * tap.SLOW, "at once")
    is_(ng.get("/made?k=left").body, b"2", "and only one")

    # what may not wait, and what fails
    is_(ng.get("/wrap").body, b"cannot wait here cannot wait here true", "where a script can't wait")
    for path, text in (("/yield", "coroutine.yield() outside of a coroutine"), ("/error", "deep down"),
                       ("/loop", "script took more than 10 ms")):
        is_(ng.get(path).status, 500, path)
        ok(text in ng.log(), f"{path}: logged")
    ok("in function 'deep'" in ng.log(), "with its traceback")
    rs = together(ng, [f"/globals?n={n}" for n in range(10)])
    is_([r.body for r in rs], [f"{n} nil".encode() for n in range(10)], "globals are each one's own")
    r = ng.get("/key")
    is_(r.get("X-Key"), "/key|cannot wait here", "a key hook can't wait")
    is_(ng.get("/keylock").get("X-Key"), "made|true", "but it can do what needs no waiting")

    sleepers = [in_thread(ng.get, f"/sleep?s=0.5&n={n}") for n in range(4)]
    time.sleep(0.05)
    for _ in range(6):
        is_(ng.get("/memory").status, 500, "out of memory")
    statuses = {s.join().status for s in sleepers}
    ok(statuses <= {200, 500}, f"who waits in that VM ends with it: {statuses}")
    is_(ng.get("/sleep?s=0.01&n=1").body, b"true 1", "and there is a new one")

    # 1000 that wait are not felt
    ng.fill("/hot")

    procs = [f"/proc/{pid}/schedstat" for pid in ng.workers()] + [f"/proc/self/task/{threading.get_native_id()}/schedstat"]

    def waited():
        """Seconds that the workers and this client have waited for a processor: those are other people's."""
        return sum(int(pathlib.Path(p).read_text().split()[1]) for p in procs) / 1e9

    def p99():
        times = []
        c = ng.conn()
        for _ in range(3000):
            before = waited()
            start = time.perf_counter()
            c.request("/hot")
            times.append(time.perf_counter() - start - (waited() - before))
        c.close()
        return sorted(times)[-30] * 1000

    alone = p99()
    conns = []
    for n in range(1000):
        c = ng.conn()
        c.send(f"GET /{'sleep' if n % 2 else 'take'}?s=4&k=a&wait=4&n={n} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        conns.append(c)
    time.sleep(0.3)
    crowded = p99()
    ok(crowded < 2 * alone + 1 * tap.SLOW, f"p99 of hits {alone:.2f} ms alone, {crowded:.2f} ms beside 1000 who wait")
    for c in conns:
        c.close()

    # a worker dies while its script leads
    conn = ng.conn()
    conn.send(b"GET /once?k=dead&s=30 HTTP/1.1\r\nHost: localhost\r\n\r\n")
    time.sleep(0.1)
    victims = [c for c in ng.workers()]
    waiters = [in_thread(ng.get, "/once?k=dead&s=0.05") for _ in range(8)]
    time.sleep(0.2)
    ng.kill_worker(victims[0])
    answers = []
    for w in waiters:
        with contextlib.suppress(OSError, RuntimeError):          # those of the dead worker
            answers.append(w.join().body)
    conn.close()
    is_(set(answers) - {b"value of dead", b""}, set(), f"{len(answers)} of 8 were answered, with the value")
    is_(ng.get("/once?k=dead&s=0.05").body, b"value of dead", "another worker leads")

    waiting = in_thread(ng.get, "/sleep?s=0.5&n=9")
    time.sleep(0.1)
    ng.reload()
    is_(waiting.join().body, b"true 9", "a reload lets a script end")
    is_(ng.get("/take?k=a").status, 409, "and keeps locks")
