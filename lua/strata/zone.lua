-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- strata.zone(name): values of scripts in a zone.

local native = require "strata.native"
local check = require "strata.check"
local batch = require "strata.batch"
local json = require "strata.json"

local SET = { ttl = true, grace = true, tags = true, jitter = true,
              codec = true }
local MODES = { delete = true, invalidate = true }
local PURGE = { key = true, keys = true, tags = true, prefix = true,
                namespace = true, match = true, all = true, mode = true,
                delay = true }
local KEYS = { match = true, cursor = true, limit = true }
local KINDS = { "keys", "tags", "prefix", "match" }

-- A tail call leaves no level for errors: what raises some is not called so.

local zones = {}                   -- by name
local random, floor, huge = math.random, math.floor, math.huge
local concat = table.concat


-- What is stored of a value, and whether that is JSON.

local function encoded(value, opts, level)
    local codec, kind = opts.codec, type(value)

    if codec == native then
        return value, true         -- of kv.lua, which has checked it
    end

    if codec == "json" then
        if not json then
            error("codec \"json\" needs lua-cjson", level + 1)
        end

        local text, err = json.safe.encode(value)

        if not text then
            error(err, level + 1)
        end

        return text, true
    end

    if codec ~= nil and codec ~= "raw" then
        error("codec must be \"raw\" or \"json\"", level + 1)
    end

    if kind ~= "string" and kind ~= "number" then
        error("value must be a string or a number, or have codec = \"json\"",
              level + 1)
    end

    return value, false
end


local function lifetime(opts, level)
    local ttl = check.ttl(opts.ttl, level + 1)
    local jitter = check.seconds(opts.jitter, "jitter", level + 1)

    if ttl and jitter then
        ttl = ttl + (2 * random() - 1) * jitter

        if ttl < 0.001 then
            ttl = 0.001
        end
    end

    return ttl, check.seconds(opts.grace, "grace", level + 1)
end


-- What L2 says: at once, or when it has answered.

local function told(first, err)
    if first ~= nil or err then
        return first, err
    end

    return native.result()
end


-- A value that can be stored, or an error.

local function checked(key, value, opts, level)
    local e = { key = check.key(key, level + 1) }

    opts = check.options(opts, SET, level + 1)
    e.data, e.is_json = encoded(value, opts, level + 1)
    e.ttl, e.grace = lifetime(opts, level + 1)
    e.tags = check.tags(opts.tags, level + 1)

    return e
end


local function store(id, mode, e, position)
    local fn = native.tier() == nil and native.put or native.l2_put

    return fn(id, e.key, mode, e.data, e.is_json, e.ttl, e.grace, e.tags,
              position)
end


local function put(id, key, mode, value, opts, level, position)
    local e = checked(key, value, opts, level + 1)

    return told(store(id, mode, e, position))
end


-- What stands there: value, JSON or not, seconds left, stale, tier; or nil, and
-- a reason if there is one.  whole: not a copy, which may end before the value.

local function look(id, key, stale, whole)
    local tier = native.tier()
    local value, is_json, ttl, old

    if not (tier and whole) then
        value, is_json, ttl, old = native.get(id, key, stale and not tier)
    end

    if value ~= nil or not tier then
        return value, is_json, ttl, old, "l1"
    end

    value, is_json, ttl, old = told(native.l2_get(id, key))

    if value ~= nil and (stale or not old) then
        return value, is_json, ttl, old, "l2"
    end

    local reason = value == nil and is_json or nil

    if stale then
        value, is_json, ttl, old = native.get(id, key, true)
    else
        value = nil
    end

    if value == nil then
        return nil, reason
    end

    return value, is_json, ttl, old, "l1"
end


local function decoded(text)
    if not json then
        return nil, "no lua-cjson"
    end

    return json.safe.decode(text)
end


local function get(id, key, stale, raw)
    local value, is_json, ttl, old, tier = look(id, key, stale)

    if value == nil then
        return nil, is_json        -- the reason, if there is one
    end

    local meta = { tier = tier, ttl = ttl, stale = old or nil }

    if is_json and raw == native then
        meta.json = true

    elseif is_json then
        local data, err = decoded(value)

        return data, err, meta
    end

    return value, nil, meta
end


local function get_bulk(id, keys)
    local values = {}

    local err = batch(#keys, function(i)
        local value, is_json = native.get(id, keys[i], false)

        if value ~= nil or not native.tier() then
            return value == nil and native or value, is_json or false
        end

        native.later()

        return native.l2_get(id, keys[i])

    end, function(i, value, is_json, _, old)
        if value == nil or value == native or old then
            return value == nil and is_json or nil
        end

        local why

        if is_json then
            value, why = decoded(value)
        end

        values[keys[i]] = value

        return why
    end)

    if err then
        return nil, err
    end

    return values
end


local function set_bulk(id, list)
    local err = batch(#list, function(i)
        if native.tier() then
            native.later()
        end

        return store(id, "set", list[i])

    end, function(_, ok, why)
        return not ok and why or nil

    end, function(i)
        return #tostring(list[i].data)
    end)

    if err then
        return nil, err
    end

    return #list
end


local function delete(id, keys)
    local n = 0

    local err = batch(#keys, function(i)
        if native.tier() == nil then
            return native.delete(id, keys[i])
        end

        native.later()

        return native.l2_delete(id, keys[i])

    end, function(_, ok, why)
        if ok then
            n = n + 1
        end

        return ok == nil and why or nil
    end)

    if err then
        return nil, err
    end

    return n
end


local function touch(id, key, ttl, again)
    if native.tier() == nil then
        return native.touch(id, key, ttl, again)
    end

    return told(native.l2_touch(id, key, ttl, again))
end


-- What get_or_set says of itself, apart from what set takes.

local function options(opts, level)
    local ours, timeout = {}, 5

    if opts ~= nil and type(opts) ~= "table" then
        error("options must be a table", level + 1)
    end

    for name, value in pairs(opts or {}) do
        if name == "timeout" then
            timeout = check.seconds(value, "timeout", level + 1)
        else
            ours[name] = value
        end
    end

    -- now, not when the value is there
    check.options(ours, SET, level + 1)
    lifetime(ours, level + 1)
    check.tags(ours.tags, level + 1)

    return ours, timeout
end


-- A value from fn, stored as opts says; position: of the log, before fn ran.

local function made(id, key, opts, position, ok, value, err)
    if not ok then
        error(value, 0)
    end

    if value == nil then
        return nil, err or "no value"
    end

    -- that it could not be stored does not take it from the caller
    local stored = put(id, key, "set", value, opts, 3, position)

    return value, nil, { tier = "origin", stored = stored or false }
end


-- Who leads in the node asks for the claim of the cluster: true and a handle;
-- false and what another node made; nil: there is none, or Redis is away.

local function claimed(id, key, deadline)
    local pause, word = 0.05, nil

    while native.tier() do
        local won, handle = told(native.claim(id, key))

        if won == nil then
            return nil
        end

        local value, is_json, ttl, old, tier = look(id, key, false)

        if value ~= nil or word == "failed" then
            if won then
                native.claimed(handle, value ~= nil)
            end

            return false, value, is_json, ttl, old, tier
        end

        if won then
            return true, handle
        end

        local rest = deadline - native.now()

        if rest <= 0 then
            return nil
        end

        word = told(native.hear(id, key, "value",
                                pause < rest and pause or rest))
        pause = pause < 0.2 and 2 * pause or 0.4
    end
end


local function led(id, key, opts, handle, deadline, fn)
    local won, claim = claimed(id, key, deadline)

    native.deaf()

    if won == false then
        native.landed(handle, claim ~= nil)

        if claim == nil then
            return nil, "made by another, and failed"
        end

        return get(id, key, false)
    end

    local position = native.position(id)

    return (function(ok, value, err)
        local results = { pcall(made, id, key, opts, position, ok, value,
                                err) }
        local stored = results[1] and results[2] ~= nil and results[4].stored

        if claim then
            native.claimed(claim, stored)
        end

        native.landed(handle, stored)

        if not results[1] then
            error(results[2], 0)
        end

        return results[2], results[3], results[4]
    end)(pcall(fn, key))
end


-- Who leads makes the value, the others wait for it; whose time is up, or who
-- can't wait where it runs, makes one of its own.

local function single(id, key, opts, timeout, fn)
    local deadline = native.now() + timeout

    while true do
        local value, err, meta = get(id, key, false)

        if value ~= nil then
            return value, nil, meta
        end

        local left = deadline - native.now()
        local word, handle

        if err or left <= 0 then
            word = "timeout"
        else
            word, handle = native.flight(id, key, left)

            if not word then
                word = handle and "timeout" or native.result()
            end
        end

        if word == "lead" then
            return led(id, key, opts, handle, deadline, fn)
        end

        if word == "failed" then
            return nil, "made by another, and failed"
        end

        if word == "timeout" then
            return made(id, key, opts, native.position(id), pcall(fn, key))
        end
    end
end


local function events(opts, level)
    local mode, kind, list = opts.mode, nil, nil

    if mode ~= nil and not MODES[mode] then
        error("mode must be \"delete\" or \"invalidate\"", level + 1)
    end

    for _, name in ipairs(KINDS) do
        if opts[name] ~= nil then
            if kind then
                error("purge of " .. kind .. " and " .. name .. " at once",
                      level + 1)
            end

            kind, list = name, opts[name]
        end
    end

    if opts.key ~= nil and not kind then
        kind, list = "keys", { check.key(opts.key, level + 1) }
    end

    if opts.namespace ~= nil then
        local space = check.key(opts.namespace, level + 1, "namespace")

        if #space > 128 or native.find(space, "%c") then
            error("namespace must have at most 128 bytes and no control "
                  .. "characters", level + 1)
        end
    end

    if kind == "prefix" or kind == "match" then
        list = check.list({ list }, kind, 1, 256, level + 1)

    elseif kind == "tags" then
        list = check.tags(list, level + 1)

    elseif kind then
        list = check.list(list, "keys", 128, 1024, level + 1)

    elseif opts.all == true then
        kind, list = "all", { "" }

    elseif opts.namespace ~= nil then
        return "namespace", { tostring(opts.namespace) }, nil,
               mode == "invalidate"
    end

    if not kind or not list[1] then
        error("purge needs key, keys, tags, prefix, match, namespace or all",
              level + 1)
    end

    return kind, list, opts.namespace, mode == "invalidate"
end


local function methods(id)
    local z = {}

    -- raw: JSON as it is, for kv.lua, which alone has what to say so with
    function z.get(_, key, raw)
        return get(id, check.key(key, 2), false, raw)
    end

    function z.get_stale(_, key)
        return get(id, check.key(key, 2), true)
    end

    function z.set(_, key, value, opts)
        local ok, err = put(id, key, "set", value, opts, 2)

        return ok, err
    end

    function z.add(_, key, value, opts)
        local ok, err = put(id, key, "add", value, opts, 2)

        return ok, err
    end

    function z.replace(_, key, value, opts)
        local ok, err = put(id, key, "replace", value, opts, 2)

        return ok, err
    end

    function z.delete(_, ...)
        local n, err = delete(id, check.keys({ ... }, 2))

        return n, err
    end

    function z.exists(_, key)
        local value, err = look(id, check.key(key, 2), false)

        if value == nil and err then
            return nil, err
        end

        return value ~= nil
    end

    function z.ttl(_, key)
        local value, err, ttl = look(id, check.key(key, 2), false, true)

        if value == nil then
            return nil, err or "not found"
        end

        return ttl or huge
    end

    function z.expire(_, key, ttl)
        local ok, err = touch(id, check.key(key, 2), check.ttl(ttl, 2), false)

        return ok, err
    end

    function z.touch(_, key)
        local ok, err = touch(id, check.key(key, 2), nil, true)

        return ok, err
    end

    function z.incr(_, key, by, init, ttl)
        by = check.number(by == nil and 1 or by, "the increment", 2)

        if init ~= nil then
            check.number(init, "the initial value", 2)
        end

        key = check.key(key, 2)
        ttl = check.ttl(ttl, 2)

        if native.tier() == nil then
            return native.incr(id, key, by, init, ttl)
        end

        return told(native.l2_incr(id, key, by, init, ttl))
    end

    function z.get_or_set(_, key, opts, fn)
        key = check.key(key, 2)

        if type(fn) ~= "function" then
            error("the third argument must be a function", 2)
        end

        local ours, timeout = options(opts, 2)

        return single(id, key, ours, timeout, fn)
    end

    function z.get_bulk(_, keys)
        keys = check.keys(keys, 2)

        local values, err = get_bulk(id, keys)

        return values, err
    end

    function z.set_bulk(_, map, opts)
        local list, n = {}, 0

        if type(map) ~= "table" then
            error("values must be a table", 2)
        end

        for _ in pairs(map) do
            n = n + 1
        end

        if n > check.BULK_MAX then
            error("more than " .. check.BULK_MAX .. " values", 2)
        end

        for key, value in pairs(map) do
            list[#list + 1] = checked(key, value, opts, 2)
        end

        local set, err = set_bulk(id, list)

        return set, err
    end

    function z.delete_bulk(_, keys)
        return delete(id, check.keys(keys, 2))
    end

    function z.keys(_, opts)
        opts = check.options(opts, KEYS, 2)

        local limit = opts.limit == nil and 100 or opts.limit
        local cursor = opts.cursor == nil and 0 or opts.cursor

        if type(limit) ~= "number" or limit < 1 or limit > check.BULK_MAX
            or limit ~= floor(limit)
        then
            error("limit must be a number from 1 to " .. check.BULK_MAX, 2)
        end

        if type(cursor) ~= "number" or not (cursor >= 0 and cursor < 2 ^ 40)
        then
            error("cursor must be one that keys() returned", 2)
        end

        local match = opts.match

        if match ~= nil and (type(match) ~= "string" or match == ""
                             or #match > 256)
        then
            error("match must be a pattern of 1 to 256 bytes", 2)
        end

        local list = {}
        local next_cursor = native.keys(id, list, limit, floor(cursor), match)

        return list, next_cursor
    end

    -- nothing is written later than the call that writes it

    function z.sync(_, timeout)
        check.seconds(timeout, "timeout", 2)
        return true
    end

    function z.stats()
        local stats = {}
        local ok, err = native.stats(id, stats)

        if not ok then
            return nil, err
        end

        return stats
    end

    function z.purge(_, opts)
        opts = check.options(opts, PURGE, 2)

        local delay = check.seconds(opts.delay, "delay", 2) or 0
        local kind, list, space, soft = events(opts, 2)

        if delay > 86400 then
            error("delay must be at most 86400 seconds", 2)
        end

        return told(native.purge(id, kind, list, space, soft, delay))
    end

    return z
end


return function(name)
    if type(name) ~= "string" then
        error("name of a zone must be a string", 2)
    end

    -- what is in a zone is not seen from a request
    native.impure()

    local zone = zones[name]

    if not zone then
        local id = native.zone(name)

        if not id then
            error(concat { "no strata_zone \"", name, "\"" }, 2)
        end

        zone = native.freeze(methods(id))
        zones[name] = zone
    end

    return zone
end
