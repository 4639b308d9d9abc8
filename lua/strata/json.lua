-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- lua-cjson, if it is installed, with limits; false if it is not.  throws is
-- what scripts get as "cjson", safe as "cjson.safe": nil and a reason.

local native = require "strata.native"

local found, cjson = pcall(require, "cjson")

if not found then
    return false
end

local codec = cjson.new()

codec.encode_max_depth(100)
codec.decode_max_depth(100)
codec.encode_sparse_array(true, 10, 100)
codec.encode_invalid_numbers(false)
codec.encode_keep_buffer(false)

local raw_encode, raw_decode = codec.encode, codec.decode


local function encode(value)
    local text = raw_encode(value)

    native.charge_bytes(#text)

    return text
end


local function decode(text)
    if type(text) ~= "string" then
        error("bad argument #1 to 'decode' (string expected, got "
              .. type(text) .. ")", 2)
    end

    native.charge_bytes(#text)

    return raw_decode(text)
end


local function safe(fn)
    return function(value)
        local ok, result = pcall(fn, value)

        if ok then
            return result
        end

        return nil, result
    end
end


return {
    throws = { encode = encode, decode = decode, null = cjson.null },
    safe = { encode = safe(encode), decode = safe(decode), null = cjson.null }
}
