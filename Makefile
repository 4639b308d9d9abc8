# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause
#
# "make deps" once, then "make".  "make help" lists the rest.
#
# Everything is built below build/; scripts are in t/build/.  Variables:
#   NGINX_SRC=dir   nginx sources to build against  (nginx-dev's)
#   ORIGIN=url      what "make run" stands in front of  (a demo)
#   T='t/20-*/*.t'  the test files of "make test" and "make asan"
#   F=name T=secs   the fuzzer of "make fuzz" and for how long

MODULE    = ngx_http_strata_module.so

# gcc: bind our own calls at link time, so that they are direct
HARDEN    = -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS    = -O2 -fPIC -fno-semantic-interposition $(HARDEN)
LDFLAGS   = -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions

SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer

MAKEFLAGS += --no-print-directory -j$(shell nproc)

# flags, a folder below build/, and what else the build is to know
define build-module
@CFLAGS="$(1)" LDFLAGS="$(2)" MAKE="$(MAKE)" t/build/module build/$(3)
endef


all: module

help:
	@sed -n 's/^#: //p' Makefile

#: make            build/ngx_http_strata_module.so for the installed nginx
module:
	$(call build-module,$(CFLAGS),$(LDFLAGS),module)
	@ln -f build/module/$(MODULE) build/$(MODULE)

.PHONY: all help module
