-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- Many operations at once: start(i) begins the ith of n, done(i, ...) is told
-- what it returned, or what Redis said of it in the end; what done() returns
-- is why it failed.  A failure ends it with its wave; the first of them is
-- returned.
--
-- As many as WAVE are under way at a time, and no more than BYTES of size(i),
-- if there is such, or one.  How long answers are is only known afterwards: the
-- first wave is a small one, the next is as the one before it was.

local native = require "strata.native"

local WAVE = 64                    -- as many as native.later() takes
local FIRST = 16
local BYTES = 262144

local floor = math.floor


local function wave(first, last, start, done, failed, size)
    local under_way, bytes = {}, 0

    for i = first, last do
        bytes = bytes + (size and size(i) or 0)

        if bytes > BYTES and i > first then
            last = i - 1
            break
        end

        local value, more, left, old = start(i)

        if value == nil and more == nil then
            under_way[#under_way + 1] = i

        else
            failed[i] = done(i, value, more, left, old)

            if failed[i] then
                last = i
                break
            end
        end
    end

    if under_way[1] then
        if native.gather() == nil then
            native.result()
        end

        for n, i in ipairs(under_way) do
            local value, more, left, old = native.outcome(n)

            bytes = bytes + (type(value) == "string" and #value or 0)
            failed[i] = done(i, value, more, left, old)
        end
    end

    return last, bytes
end


return function(n, start, done, size)
    local first, room, failed = 1, FIRST, {}

    while first <= n do
        if native.tier() then
            native.batch()
        end

        local want = first + room - 1
        local last, bytes = wave(first, want < n and want or n, start, done,
                                 failed, size)

        for i = first, last do
            if failed[i] then
                return failed[i]
            end
        end

        room = WAVE

        if bytes > BYTES then
            room = floor((last - first + 1) * BYTES / bytes)
            room = room > 0 and room or 1
        end

        first = last + 1
    end
end
