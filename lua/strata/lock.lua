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


-- What Redis says: at once if it can't be asked, or when it has answered.

local function told(first, err)
    if first ~= nil or err then
        return first, err
    end

    return native.result()
end


-- token: of the lock in Redis, whose fence it then is; near: the node's fence.

local function object(id, name, fence, ttl, near, token)
    local lock = { name = name, fence = fence }

    function lock.extend(_, more)
        more = more == nil and ttl or lifetime(more, 2)

        local ok, err = native.lock_extend(id, name, near, more)

        if ok and token then
            ok, err = told(native.far_extend(id, name, token, more))
        end

        return ok, err
    end

    function lock.release()
        local ok, err

        if token then
            ok, err = told(native.far_release(id, name, token))
        end

        local here, why = native.lock_release(id, name, near)

        if token then
            return ok, err
        end

        return here, why
    end

    return native.freeze(lock)
end


-- The lock of the cluster, for who has that of the node.

local function far(id, name, ttl, near, deadline, wait)
    local pause = 0.05

    while true do
        local fence, token = told(native.far_take(id, name, ttl,
                                                 near))

        if fence then
            return object(id, name, fence, ttl, near, token)
        end

        if fence == nil then
            return nil, token      -- the reason
        end

        local rest = deadline - native.now()

        if rest <= 0 then
            return nil, wait > 0 and "timeout" or "locked"
        end

        -- token: seconds it still has
        told(native.hear(id, name, "lock", math.min(rest, token, pause)))
        pause = math.min(2 * pause, 0.4)
        native.lock_extend(id, name, near, ttl)
    end
end


local function ended(id, name, near, lock, err)
    native.deaf()

    if not lock then
        native.lock_release(id, name, near)
    end

    return lock, err
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
    local tier = native.tier()

    if tier == false then
        return nil, "cannot wait here"
    end

    while true do
        local fence, left = native.lock_take(id, name, ttl)

        if fence then
            if tier == nil then
                return object(id, name, fence, ttl, fence)
            end

            return ended(id, name, fence,
                         far(id, name, ttl, fence, deadline, wait))
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
