-- Copyright (C) Strata contributors
-- SPDX-License-Identifier: BSD-2-Clause
--
-- "strata" of the hooks, and require "strata".

local strata = {
    _VERSION = "0.1"
}

return strata
