-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Arguments of the library.  What is wrong with one is the caller's mistake,
-- raised where the library was called: level counts from whoever calls check.

local native = require "strata.native"

local check = {}

local KEY_MAX = 1024               -- bytes
local TAG_MAX = 128
local TAGS_MAX = 128
local TTL_MAX = 2147483647         -- seconds
local BULK_MAX = 1000


function check.key(key, level, what)
    if type(key) == "number" then
        key = tostring(key)
    end

    if type(key) ~= "string" or key == "" or #key > KEY_MAX then
        error((what or "key") .. " must be a string of 1 to " .. KEY_MAX
              .. " bytes", level + 1)
    end

    return key
end


-- seconds, or a word for the end of the current minute, hour, day, week, month

function check.ttl(ttl, level)
    if ttl == nil then
        return nil
    end

    if type(ttl) == "string" then
        local left = native.ends(ttl)

        if left then
            return left
        end

    elseif type(ttl) == "number" and ttl > 0 and ttl <= TTL_MAX then
        return ttl
    end

    error("ttl must be seconds, more than 0 and at most " .. TTL_MAX
          .. ", or \"minute\", \"hour\", \"day\", \"week\", \"month\"",
          level + 1)
end


function check.seconds(value, name, level)
    if value == nil then
        return nil
    end

    if type(value) ~= "number" or not (value >= 0 and value <= TTL_MAX) then
        error(name .. " must be seconds, from 0 to " .. TTL_MAX, level + 1)
    end

    return value
end


function check.number(value, name, level)
    if type(value) ~= "number" or value - value ~= 0 then
        error(name .. " must be a number", level + 1)
    end

    return value
end


function check.options(opts, names, level)
    if opts == nil then
        return {}
    end

    if type(opts) ~= "table" then
        error("options must be a table", level + 1)
    end

    for name in pairs(opts) do
        if not names[name] then
            error("no such option: " .. tostring(name), level + 1)
        end
    end

    return opts
end


-- a list of strings; a copy, so that nothing is called while it is read

function check.list(list, what, max, len, level)
    if type(list) ~= "table" then
        error(what .. " must be a list of strings", level + 1)
    end

    local copy = {}

    for i = 1, #list do
        local s = list[i]

        if type(s) == "number" then
            s = tostring(s)
        end

        if i > max then
            error("more than " .. max .. " " .. what, level + 1)
        end

        if type(s) ~= "string" or s == "" or #s > len then
            error(what .. " must be strings of 1 to " .. len .. " bytes",
                  level + 1)
        end

        copy[i] = s
    end

    return copy
end


function check.tags(tags, level)
    if tags == nil then
        return nil
    end

    tags = check.list(tags, "tags", TAGS_MAX, TAG_MAX, level + 1)

    for _, tag in ipairs(tags) do
        if native.find(tag, "[%s,%c]") then
            error("tags have no spaces, commas and control characters",
                  level + 1)
        end
    end

    return tags
end


function check.keys(keys, level)
    keys = check.list(keys, "keys", BULK_MAX, KEY_MAX, level + 1)

    return keys
end

check.BULK_MAX = BULK_MAX

return check
