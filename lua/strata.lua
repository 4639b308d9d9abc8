-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- "strata" of the hooks, and require "strata".

local native = require "strata.native"
local check = require "strata.check"

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


return strata
