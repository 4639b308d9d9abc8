# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause
#
# "make deps" once, then "make"; "make help" lists the rest.  What is built goes
# to build/, what builds it is in t/build/.

MODULE    = ngx_http_strata_module.so

# own calls bind at link time, so that they are direct
HARDEN    = -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS    = -O2 -fPIC -fno-semantic-interposition $(HARDEN)
LDFLAGS   = -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions

SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=undefined
CHECKED   = -O1 -fPIC -fno-omit-frame-pointer $(SANITIZE)
STRICT    = -std=gnu11 -g -Wall -Wextra -Wshadow -Werror -Isrc

SUITE     = t/[0-9][0-9]-*/*.t
T         = $(sort $(wildcard $(SUITE)))
UNIT      = $(patsubst t/unit/%.c,build/unit/%,$(wildcard t/unit/test_*.c))
STRESS    = $(patsubst t/stress/%.c,build/stress/%,$(wildcard t/stress/*.c))
LINT      = $(filter-out %.md,$(wildcard t/lint/*))

MAKEFLAGS += --no-print-directory -j$(shell nproc)


#: make                  the module for the installed nginx, in build/
module:
	$(call build-module,module,$(CFLAGS),$(LDFLAGS))
	@ln -f build/module/$(MODULE) build/$(MODULE)

#: make deps             install what building and testing need (apt-get)
deps:
	@t/build/deps test

#: make run              try it: http://127.0.0.1:8080/  [ORIGIN=http://host:port]
run:
	@t/build/deps build
	@$(MAKE) module
	@t/build/run $(ORIGIN)

#: make install          copy the module where nginx looks for it  [DESTDIR=]
install: module
	install -D -m 644 build/$(MODULE) \
	    $(DESTDIR)/usr/lib/nginx/modules/$(MODULE)

#: make test             unit tests, lint and the suite  [T='t/20-*/*.t']
test: module unit-build
	@t/build/suite $(UNIT) $(LINT) $(T)

#: make unit             unit tests, under ASan and UBSan
unit: unit-build
	@t/build/suite $(UNIT)

#: make lint             layers, sizes, style, docs against code, examples
lint: module
	@t/build/suite $(LINT)

#: make asan             the suite under ASan and UBSan, nginx too  [T=]
asan: asan-build
	@STRATA_NGINX=$(CURDIR)/build/asan/nginx STRATA_SLOW=4 \
	 STRATA_MODULE=$(CURDIR)/build/asan/$(MODULE) t/build/suite $(T)

#: make stress           processes that die on a shared region  [N=rounds]
stress: $(STRESS)
	@t/build/suite $(STRESS)

#: make fuzz F=cc        t/fuzz/fuzz_strata_cc.c with libFuzzer  [S=60]
fuzz: build/fuzz/$(F)
	@mkdir -p build/fuzz/corpus/$(F)
	@build/fuzz/$(F) -max_total_time=$(or $(S),60) build/fuzz/corpus/$(F) \
	    $(wildcard t/fuzz/corpus/$(F))

#: make clang            does it build without warnings with clang?
clang:
	$(call build-module,clang,$(CFLAGS),$(LDFLAGS),CC=clang)

#: make headers-1.26     ... and with the next Debian's nginx?
headers-1.26:
	@t/build/nginx-source build/nginx-1.26 trixie
	$(call build-module,headers-1.26,$(CFLAGS),$(LDFLAGS),\
	    NGINX_SRC=$(CURDIR)/build/nginx-1.26)

#: make faults           the module with fault points, in build/faults/
faults:
	$(call build-module,faults,$(CFLAGS) -DSTRATA_FAULTS,$(LDFLAGS))

#: make bench            speed and memory beside the neighbours (bench-quick)
bench bench-quick: module build/bench/replay
	@t/build/deps bench
	@t/bench/bench $(if $(filter bench-quick,$@),--quick)

#: make clean
clean:
	rm -rf build

help:
	@sed -n 's/^#: //p' Makefile


# Parts of the above.

# $(call build-module,FOLDER,CFLAGS,LDFLAGS,VAR=VALUE): into build/FOLDER
define build-module
+@CFLAGS="$(2)" LDFLAGS="$(3)" MAKE="$(MAKE)" $(4) t/build/module build/$(1)
endef

# nginx from its source package, then the module for it
asan-build:
	@t/build/nginx-source build/asan/src
	+@MAKE="$(MAKE)" t/build/nginx-asan build/asan
	$(call build-module,asan,$(CHECKED) -DNGX_DEBUG_PALLOC=1,$(SANITIZE),\
	    NGINX_SRC=$(CURDIR)/build/asan/src)

# A test names the sources it does not include itself:  /* with: src/... */
with = $$(sed -n '/with:/,/\*\//p' $< | grep -o 'src/[a-z0-9_/]*\.c')
build-test = @mkdir -p $(@D) \
    && $(1) -MM -MT $@ $< $(with) > $@.d && $(1) -o $@ $< $(with)

unit-build: $(UNIT)

build/unit/%: t/unit/%.c
	$(call build-test,$(CC) $(STRICT) $(CHECKED))

build/stress/%: t/stress/%.c
	$(call build-test,$(CC) $(STRICT) -O2 -DSTRATA_FAULTS)

build/fuzz/%: t/fuzz/fuzz_%.c
	$(call build-test,clang $(STRICT) -O1 $(SANITIZE)$(COMMA)fuzzer)

build/bench/%: t/bench/%.c
	$(call build-test,$(CC) $(STRICT) -O2)

COMMA = ,

-include $(wildcard build/unit/*.d build/stress/*.d build/fuzz/*.d)
-include $(wildcard build/bench/*.d)

.PHONY: module deps run install test unit lint asan stress fuzz clang \
        headers-1.26 faults bench bench-quick clean help unit-build asan-build
