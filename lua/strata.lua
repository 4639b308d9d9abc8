-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- "strata" of the hooks, and require "strata".

local native = require "strata.native"
local check = require "strata.check"
local json = require "strata.json"

local METHODS = { GET = true, HEAD = true, POST = true, PUT = true,
                  DELETE = true, PATCH = true, OPTIONS = true }
local FETCH = { method = true, headers = true, body = true, timeout = true,
                max_size = true }
local BODY_MAX = 1024 * 1024 - 1024

local strata = {
    _VERSION = "0.1",
    lock = require "strata.lock",
    zone = require "strata.zone"
}


function strata.sleep(seconds)
    local _, err = native.sleep(check.seconds(seconds, "seconds", 2) or 0)

    if err then
        return nil, err
    end

    return native.result()
end


function strata.escape(text)
    if type(text) == "number" then
        text = tostring(text)
    end

    if type(text) ~= "string" then
        error("text must be a string", 2)
    end

    return native.escape(text)
end


function strata.publish(topic, data)
    topic = check.key(topic, 2, "topic")

    if #topic > 128 or native.find(topic, "[%s,%c]") then
        error("a topic has at most 128 bytes, no spaces, commas and control"
              .. " characters", 2)
    end

    if type(data) == "table" and json then
        data = json.safe.encode(data)
    end

    if type(data) ~= "string" or #data > 8192 then
        error("data must be a string, or a table that JSON has, of at most"
              .. " 8192 bytes", 2)
    end

    local id = native.here()

    if not id then
        return nil, "no zone"
    end

    native.impure()

    local ok, err = native.publish(id, topic, data)

    if ok ~= nil or err then
        return ok, err
    end

    return native.result()
end


local function fields(headers, level)
    if headers == nil then
        return nil
    end

    if type(headers) ~= "table" then
        error("headers must be a table", level + 1)
    end

    local copy = {}

    for name, value in pairs(headers) do
        if type(value) == "number" then
            value = tostring(value)
        end

        if type(name) ~= "string" or type(value) ~= "string"
            or not native.field(name, value)
        then
            error("header \"" .. tostring(name) .. "\" can't be sent",
                  level + 1)
        end

        copy[name] = value
    end

    return copy
end


function strata.fetch(uri, opts)
    if type(uri) ~= "string" or uri:sub(1, 1) ~= "/" then
        error("uri must be a string that begins with \"/\"", 2)
    end

    opts = check.options(opts, FETCH, 2)

    local method = opts.method == nil and "GET" or opts.method
    local max = opts.max_size == nil and BODY_MAX or opts.max_size
    local timeout = check.seconds(opts.timeout, "timeout", 2) or 10

    if not METHODS[method] then
        error("no such method: " .. tostring(method), 2)
    end

    if type(max) ~= "number" or not (max >= 0 and max <= BODY_MAX) then
        error("max_size must be bytes, at most " .. BODY_MAX, 2)
    end

    if opts.body ~= nil and type(opts.body) ~= "string" then
        error("body must be a string", 2)
    end

    -- what could end the request line, or would not be sent

    if native.find(uri, "[%c #]") then
        return nil, "bad uri"
    end

    local _, err = native.fetch(uri, method, fields(opts.headers, 2),
                                opts.body, max, timeout)

    if err then
        return nil, err
    end

    local status, headers, body = native.result()

    if not status then
        return nil, headers        -- the reason
    end

    return { status = status, headers = headers, body = body }
end


return strata
