-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- The globals of every hook: what a script may do, and nothing else.  Runs once
-- for a VM, with all of the standard library; returns a table that reads
-- through to the sandbox and refuses writes.
--
-- What scripts share is userdata, not tables: rawset, table.insert and the
-- like have nothing to take hold of.

local native = require "strata.native"

local few, freeze = native.few, native.freeze
local error, pcall, select = error, pcall, select
local type, tostring = type, tostring


local function pick(from, names)
    local to = {}

    for name in names:gmatch "%S+" do
        to[name] = from[name]
    end

    return to
end


-- string: matching is our own, and strings index this same table

local strings = pick(string, "byte char format len sub")

for _, name in ipairs { "lower", "reverse", "upper" } do
    strings[name] = native.charge(string[name])
end

strings.find = native.find
strings.match = native.match
strings.gmatch = native.gmatch
strings.gsub = native.gsub
strings.rep = native.rep

local string_meta = getmetatable ""

string_meta.__index = strings
string_meta.__metatable = false


-- table: no function goes through more than fits into the budget

local tables = pick(table, "insert remove maxn")
local concat, sort = table.concat, table.sort

function tables.concat(t, sep, i, j)
    few((j or #t) - (i or 1) + 1, native.concat_max)
    return concat(t, sep, i, j)
end

local function ascending(a, b)
    return a < b
end

function tables.sort(t, less)
    few(#t, native.sort_max)

    if less == nil and native.slow_sort(t) then
        less = ascending
    end

    return sort(t, less)
end

local insert, remove = tables.insert, tables.remove

-- the original moves elements one by one, from any place on, also from -2^31

local function place(at)
    if type(at) ~= "number" or not (at >= 0 and at < 2 ^ 31) then
        error("position out of bounds", 3)
    end
end

function tables.insert(t, ...)
    few(#t, native.concat_max)

    if select("#", ...) > 1 then
        place((...))
    end

    return insert(t, ...)
end

function tables.remove(t, ...)
    few(#t, native.concat_max)

    if select("#", ...) > 0 then
        place((...))
    end

    return remove(t, ...)
end

tables.unpack = unpack


local sandbox = pick(_G, [[
    assert error getmetatable ipairs next pairs pcall rawequal rawget rawset
    select setmetatable tonumber tostring type unpack _VERSION
]])


-- The original calls the handler where the error is raised.  If that is the
-- hook that ends a script, no further hook would run, and nothing end the
-- handler.

local function handled(handler, ok, ...)
    if ok then
        return true, ...
    end

    return false, select(2, pcall(handler, ...))
end

function sandbox.xpcall(fn, handler, ...)
    return handled(handler, pcall(fn, ...))
end

sandbox.string = freeze(strings)
sandbox.table = freeze(tables)

-- whose result is not a function of the arguments alone

local function impure(fn)
    return function(...)
        native.impure()
        return fn(...)
    end
end

local maths = pick(math, [[
    abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp
    log log10 max min modf pi pow rad sin sinh sqrt tan tanh
]])

maths.random = impure(math.random)
sandbox.math = freeze(maths)

-- a conversion can be long, and the format has many

local os_date = os.date

local function date(format, ...)
    if type(format) == "string" and #format > 256 then
        error("format too long", 2)
    end

    return os_date(format, ...)
end

sandbox.os = freeze {
    clock = impure(os.clock), date = impure(date), time = impure(os.time),
    difftime = os.difftime
}

-- Each level of coroutines is one of the C stack too, and an error takes longer
-- for each level the deeper it is raised: ten thousand take seconds.

local create, resume = coroutine.create, coroutine.resume
local enter, leave = native.enter, native.leave

local function left(...)
    leave()
    return ...
end

local function unwrap(ok, ...)
    if not ok then
        error((...), 0)
    end

    return ...
end

local coroutines = pick(coroutine, "create status yield")

coroutines.running = native.running

function coroutines.resume(co, ...)
    enter()
    return left(resume(co, ...))
end

function coroutines.wrap(fn)
    local co = create(fn)

    return function(...)
        enter()
        return unwrap(left(resume(co, ...)))
    end
end

sandbox.coroutine = freeze(coroutines)

sandbox.bit = freeze(pick(bit, [[
    arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex
]]))


-- require: what came with the gateway and says so, and text in strata_lua_path

local ours = { ["cjson"] = true, ["cjson.safe"] = true }
local modules = {}
local loading = {}                 -- name: the call of a hook that loads it

local function share(value)
    return type(value) == "table" and freeze(value) or value
end

-- the host's, with limits of its own; scripts get no function that changes
-- these

local json = require "strata.json"

if json then
    modules["cjson"] = share(json.throws)
    modules["cjson.safe"] = share(json.safe)
end

sandbox.strata = share(require "strata")
modules["strata"] = sandbox.strata

function sandbox.require(name)
    if type(name) ~= "string" then
        error("bad argument #1 to 'require' (string expected, got "
              .. type(name) .. ")", 2)
    end

    -- what a module keeps in its locals is not seen from here
    native.impure()

    local module = modules[name]

    if module ~= nil then
        return module
    end

    if ours[name] then
        error("module '" .. name .. "' not found: lua-cjson is not installed",
              2)
    end

    -- one that was ended while it loaded has not cleaned up after itself

    local this_call = native.calls()

    if loading[name] == this_call then
        error("module '" .. name .. "' requires itself", 2)
    end

    local chunk, err = native.module(name)

    if not chunk then
        error("module '" .. name .. "' not found: " .. tostring(err), 2)
    end

    setfenv(chunk, setmetatable({}, { __index = native.env,
                                      __metatable = false }))
    loading[name] = this_call

    -- it can't wait, or others would find it half loaded

    local ok, value = pcall(native.call, chunk, name)

    loading[name] = nil

    if not ok then
        error(value, 0)
    end

    modules[name] = share(value == nil and true or value)

    return modules[name]
end


-- modules and hooks reach it as the hidden __index of their environments only

native.env = sandbox

return sandbox
