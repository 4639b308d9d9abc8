-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- lua-cjson, if it is installed, with limits; false if it is not.  throws is
-- what scripts get as "cjson", safe as "cjson.safe": nil and a reason.

local native = require "strata.native"

-- not from where the worker happens to run

local paths = {}

for path in package.cpath:gmatch "[^;]+" do
    if path:sub(1, 1) == "/" then
        paths[#paths + 1] = path
    end
end

package.path, package.cpath = "", table.concat(paths, ";")

local found, cjson = pcall(require, "cjson")

if not found then
    return false
end

local codec = cjson.new()

codec.encode_max_depth(100)
codec.decode_max_depth(100)
codec.encode_sparse_array(true, 10, 100)
codec.encode_invalid_numbers(false)
codec.decode_invalid_numbers(false)
codec.encode_keep_buffer(false)

local raw_encode, raw_decode = codec.encode, codec.decode

-- what it is asked has to fit, see ngx_http_strata_lua_cost.c


local function safe_encode(value)
    local ok, text = pcall(native.json_encode, value)

    if ok then
        ok, text = pcall(raw_encode, value)
    end

    if ok then
        return text
    end

    return nil, text
end


local function safe_decode(text)
    if type(text) ~= "string" then
        return nil, "bad argument #1 to 'decode' (string expected, got "
                    .. type(text) .. ")"
    end

    local ok, value = pcall(native.json_decode, text)

    if ok then
        ok, value = pcall(raw_decode, text)
    end

    if ok then
        return value
    end

    return nil, value
end


-- a false or nil that was decoded is no error, so err tells

local function throwing(fn)
    return function(value)
        local result, err = fn(value)

        if err then
            error(err, 2)
        end

        return result
    end
end


return {
    throws = { encode = throwing(safe_encode), decode = throwing(safe_decode),
               null = cjson.null },
    safe = { encode = safe_encode, decode = safe_decode, null = cjson.null }
}
