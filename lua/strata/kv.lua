-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- strata_kv: a request to a value, or to many.  Who may was decided before.

local native = require "strata.native"
local zone = require "strata.zone"
local json = require "strata.json"

local ALLOW = "GET, HEAD, PUT, POST, PATCH, DELETE"
local STATUS = { ["not found"] = 404, ["not a number"] = 409,
                 exists = 412, busy = 503, ["no zone"] = 503,
                 ["no room"] = 507, ["too large"] = 413 }

local ceil, huge, tonumber = math.ceil, math.huge, tonumber
local format, floor = string.format, math.floor


local function answer(res, status, text, kind)
    res.status = status
    res.headers["content-type"] = kind or "application/json"
    res.headers["cache-control"] = "no-store"

    return text
end


local function refuse(res, status, reason)
    if json then
        reason = json.throws.encode(reason)
    else
        reason = '"' .. reason:gsub('[%c"\\]', " ") .. '"'
    end

    if status == 503 then
        res.headers["retry-after"] = "1"
    end

    return answer(res, status, '{"error":' .. status .. ',"reason":' .. reason
                               .. "}\n")
end


local function failed(res, reason, status)
    return refuse(res, STATUS[reason] or status or 500, reason)
end


-- All digits of a number, and no more: tostring() has 14.

local function decimal(n)
    if n == floor(n) and n > -2 ^ 53 and n < 2 ^ 53 then
        return format("%.0f", n)
    end

    for digits = 14, 16 do
        local text = format("%." .. digits .. "g", n)

        if tonumber(text) == n then
            return text
        end
    end

    return format("%.17g", n)
end


-- An argument as a number, a word for a ttl, or nil.

local function number(args, name)
    local value = args[name]

    if type(value) == "table" then
        error(name .. " is given twice", 0)
    end

    if value == nil then
        return nil
    end

    return tonumber(value) or value
end


local function list(value)
    if value == nil then
        return nil
    end

    local items = {}

    if type(value) == "table" then
        value = table.concat(value, ",")
    end

    for item in native.gmatch(value, "[^,]+") do
        items[#items + 1] = item
    end

    return items
end


local function get(z, res, key, touch)
    local value, err, meta = z:get(key, native)

    if value == nil then
        return failed(res, err or "not found")
    end

    if touch then
        z:touch(key)
        meta.ttl = z:ttl(key)
    end

    if meta.ttl and meta.ttl ~= huge then
        res.headers["x-ttl"] = tostring(ceil(meta.ttl))
    end

    if meta.json then
        return answer(res, 200, value)
    end

    if type(value) == "number" then
        return answer(res, 200, decimal(value), "text/plain")
    end

    return answer(res, 200, value, "application/octet-stream")
end


local function put(z, req, res, key, max)
    local body, err = native.body()

    if not body then
        return failed(res, err)
    end

    if #body > max then
        return refuse(res, 413, "larger than max_value")
    end

    local opts = { ttl = number(req.args, "ttl"),
                   grace = number(req.args, "grace"),
                   tags = list(req.args.tags) }
    local kind = req.headers["content-type"] or ""
    local mode, status = "set", 204

    if native.find(kind, "^application/json") then
        if not json then
            return refuse(res, 415, "no lua-cjson")
        end

        local _, bad = json.safe.decode(body)

        if bad then
            return refuse(res, 400, bad)
        end

        opts.codec = native
    end

    if req.headers["if-none-match"] == "*" then
        mode, status = "add", 201

    elseif req.headers["if-match"] == "*" then
        mode = "replace"
    end

    local ok, why = z[mode](z, key, body, opts)

    if not ok then
        return why == "not found" and refuse(res, 412, why)
               or failed(res, why)
    end

    return answer(res, status)
end


local function change(z, req, res, key)
    local args = req.args

    if args.incr ~= nil then
        local n, err = z:incr(key, number(args, "incr"), number(args, "init"),
                              number(args, "ttl"))

        if not n then
            return failed(res, err)
        end

        return answer(res, 200, decimal(n), "text/plain")
    end

    if args.ttl == nil then
        return refuse(res, 400, "needs ttl= or incr=")
    end

    local ok, err = z:expire(key, args.ttl ~= "" and number(args, "ttl")
                                  or nil)

    if not ok then
        return failed(res, err)
    end

    return answer(res, 204)
end


-- { "get": [...] }, { "set": {...}, "ttl": n }, { "delete": [...] }

local function bulk(z, res)
    local body, err = native.body()
    local want

    if not body then
        return failed(res, err)
    end

    if not json then
        return refuse(res, 415, "no lua-cjson")
    end

    want, err = json.safe.decode(body)

    if type(want) ~= "table" then
        return refuse(res, 400, err or "not a JSON object")
    end

    local result, why

    if want.get then
        result, why = z:get_bulk(want.get)

        if result and not next(result) then
            return answer(res, 200, '{"values":{}}\n')
        end

        result = result and { values = result }

    elseif want.set then
        result, why = z:set_bulk(want.set, { ttl = want.ttl })
        result = result and { set = result }

    elseif want.delete then
        result, why = z:delete_bulk(want.delete)
        result = result and { deleted = result }

    else
        return refuse(res, 400, "needs get, set or delete")
    end

    if not result then
        return failed(res, why)
    end

    return answer(res, 200, json.throws.encode(result) .. "\n")
end


local function handle(z, req, res, touch, max)
    local key, method = native.kv_key(), req.method

    if not key or #key > 1024 then
        return refuse(res, 400, "the key must have 1 to 1024 bytes")
    end

    if key == "_bulk" then
        if method == "POST" then
            return bulk(z, res)
        end

        res.headers.allow = "POST"
        return refuse(res, 405, "method")
    end

    if method == "GET" or method == "HEAD" then
        return get(z, res, key, touch)
    end

    if method == "PUT" then
        return put(z, req, res, key, max)
    end

    if method == "PATCH" or method == "POST" then
        return change(z, req, res, key)
    end

    if method == "DELETE" then
        local n, err = z:delete(key)

        if not n then
            return failed(res, err)
        end

        if n == 0 then
            return failed(res, "not found")
        end

        return answer(res, 204)
    end

    res.headers.allow = ALLOW

    return refuse(res, 405, "method")
end


return function(name, touch, max)
    local req, res = native.env.req, native.env.res

    -- what the library calls a mistake of the caller's is the client's here
    local ok, text = pcall(handle, zone(name), req, res, touch, max)

    if not ok then
        text = refuse(res, 400, (native.gsub(tostring(text), "^.-:%d+: ",
                                             "")))
    end

    return text
end
