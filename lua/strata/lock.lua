-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- strata.lock(name, options): at most one owner, up to a time.

local native = require "strata.native"
local check = require "strata.check"

local OPTIONS = { ttl = true, wait = true, zone = true }
local TTL = 30                     -- seconds, if nothing is said
local TTL_MAX = 86400


local function lifetime(ttl, level)
    if ttl == nil then
        return TTL
    end

    if type(ttl) ~= "number" or not (ttl > 0 and ttl <= TTL_MAX) then
        error("ttl must be seconds, more than 0 and at most " .. TTL_MAX,
              level + 1)
    end

    return ttl
end


local function object(id, name, fence, ttl)
    local lock = { name = name, fence = fence }

    function lock.extend(_, more)
        return native.lock_extend(id, name, fence,
                                  more == nil and ttl or lifetime(more, 2))
    end

    function lock.release()
        return native.lock_release(id, name, fence)
    end

    return native.freeze(lock)
end


return function(name, opts)
    name = check.key(name, 2, "name")
    opts = check.options(opts, OPTIONS, 2)

    local ttl = lifetime(opts.ttl, 2)
    local wait = check.seconds(opts.wait, "wait", 2) or 0
    local id = native.here()

    if opts.zone ~= nil then
        id = type(opts.zone) == "string" and native.zone(opts.zone) or nil
    end

    if not id then
        error("no strata_zone for locks", 2)
    end

    native.impure()

    local deadline = native.now() + wait

    while true do
        local fence, left = native.lock_take(id, name, ttl)

        if fence then
            return object(id, name, fence, ttl)
        end

        if fence == nil then
            return nil, left       -- the reason
        end

        local rest = deadline - native.now()

        if rest <= 0 then
            return nil, wait > 0 and "timeout" or "locked"
        end

        local free, err = native.lock_wait(id, name,
                                           left < rest and left or rest)

        if err then
            return nil, err
        end

        if not free then
            native.result()
        end
    end
end
