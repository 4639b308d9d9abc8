# Copyright (C) Strata contributors
# SPDX-License-Identifier: BSD-2-Clause
#
# "make deps" once, then "make"; "make help" lists the rest.  What is built goes
# to build/, what builds it is in t/build/.

MODULE    = ngx_http_strata_module.so
PROBE     = ngx_http_strata_probe_module.so

# own calls bind at link time, so that they are direct
HARDEN    = -fstack-protector-strong -D_FORTIFY_SOURCE=2
CFLAGS    = -O2 -fPIC -fno-plt -fno-semantic-interposition $(HARDEN)
LDFLAGS   = -Wl,-z,relro -Wl,-z,now -Wl,-Bsymbolic-functions

STRICT    = -std=gnu11 -g -Wall -Wextra -Wshadow -Werror -Isrc
SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=undefined
CHECKED   = -O1 -fPIC -fno-omit-frame-pointer $(SANITIZE)

# nginx itself passes NULL with length 0 to memcpy() and stores unaligned words
LENIENT   = -fno-sanitize=nonnull-attribute,pointer-overflow,alignment
PALLOC    = -DNGX_DEBUG_PALLOC=1
# nginx and each module have an ngx_modules of their own; what lives as long as
# the process is no leak
ASAN      = detect_odr_violation=0:detect_leaks=0

# what waits for clusters, take-overs and time-outs, half a minute each
LONG      = $(sort $(wildcard t/40-l2/f[0-9][0-9]-*.t) \
            $(addprefix t/40-l2/, cluster-hostile.t cluster-load.t \
              sentinel.t))
T         = $(filter-out $(LONG),$(sort $(wildcard t/[0-9][0-9]-*/*.t)))
LINT      = $(sort $(wildcard t/lint/*))
UNIT      = $(patsubst t/unit/%.c,build/unit/%,$(wildcard t/unit/test_*.c))
F         = $(patsubst t/fuzz/fuzz_%.c,%,$(wildcard t/fuzz/fuzz_*.c))
S         = 60
# what does not need tables that know keys by their digest only (hit-for-miss)
COLLIDE   = $(filter-out %/vary-directive.t,$(sort \
              $(wildcard t/25-hostile/t0[4-9]-*.t \
              $(patsubst %,t/20-http/%.t,accept-encoding age conditional \
              fetch-variables grace* h*d* hit key-args range* revalidate* \
              server-scope static swr tls two-zones upstream vary*) \
              t/60-purge/delete.t t/60-purge/variants.t)))
STRESS    = $(patsubst t/stress/%.c,build/stress/%,$(wildcard t/stress/*.c))

ifeq ($(MAKELEVEL),0)
MAKEFLAGS += --no-print-directory -j$(shell nproc)
endif


#: make                the module for the installed nginx, in build/
module:
	$(call build-module,module,$(CFLAGS),$(LDFLAGS))
	@! nm -u build/module/$(MODULE) | grep strata_  # declared, never defined
	@ln -f build/module/$(MODULE) build/$(MODULE)

#: make deps           installs what building and testing need (apt-get)
deps:
	@t/build/deps test

#: make run            try it on 127.0.0.1:8080  [ORIGIN=http://host:port]
run:
	@t/build/deps build
	@$(MAKE) module
	@t/build/run $(ORIGIN)

#: make install        copies the module to where nginx looks for it  [DESTDIR=]
install: module
	install -D -m 644 build/$(MODULE) \
	    $(DESTDIR)/usr/lib/nginx/modules/$(MODULE)

#: make test           unit tests, lint and the suite  [T='t/20-*/*.t']
test: module faults odd probe unit-build
	@t/build/suite $(UNIT) $(LINT) $(T)

#: make unit           unit tests, under ASan and UBSan
unit: unit-build
	@t/build/suite $(UNIT)

#: make lint           layers, sizes, style, docs against code, examples
lint: module
	@t/build/suite $(LINT)

#: make asan           the suite with nginx and module under ASan and UBSan  [T=]
asan: asan-build faults odd
	@ASAN_OPTIONS=$(ASAN) STRATA_NGINX=$(CURDIR)/build/asan/nginx \
	 STRATA_MODULE=$(CURDIR)/build/asan/$(MODULE) STRATA_SLOW=4 \
	 t/build/suite $(T)

#: make valgrind       part of t/70-lua under memcheck (3 min)  [T=]
valgrind: T = $(addprefix t/70-lua/, api.t escape.t inject.t kv.t lifetime.t \
              subfetch.t)
valgrind: valgrind-build
	@STRATA_NGINX=$(CURDIR)/t/build/valgrind \
	 STRATA_MODULE=$(CURDIR)/build/valgrind/$(MODULE) STRATA_SLOW=20 JOBS=2 \
	 t/build/suite $(T)

#: make stress         processes and workers killed at any moment
stress: module $(STRESS)
	@t/build/suite $(STRESS) $(wildcard t/stress/*.py)

#: make storm          10^6 Redis calls while connections are cut
storm: module probe
	@STRATA_CALLS=1000000 t/build/suite t/40-l2/redis-storm.t

#: make check-consistency   readers, purges, faults: 10 min [S=600] [SEED=] [MODE=]
check-consistency: module
	@t/check/consistency $(if $(filter command,$(origin S)),$(S),600)

#: make check-mutants  planted bugs, each has to be caught  [M=name] [SEED=]
check-mutants: module
	@t/check/mutants $(M)

#: make no-memory      each allocation of a worker fails once
no-memory: module
	@STRATA_ALLOCATIONS=3000 t/build/suite t/40-l2/f47-no-memory.t

#: make fuzz           all fuzzers, or one  [F=cc] [S=seconds for each]
fuzz: $(F:%=build/fuzz/%)
	@set -e; for f in $(F); do \
	    mkdir -p build/fuzz/corpus/$$f; \
	    echo "fuzz $$f, $(S) s"; \
	    build/fuzz/$$f -max_total_time=$(S) -print_final_stats=1 \
	        build/fuzz/corpus/$$f t/fuzz/corpus/$$f \
	        > build/fuzz/$$f.log 2>&1 \
	        || { tail -n 40 build/fuzz/$$f.log; exit 1; }; \
	done

#: make clang          does it build without a warning with clang?
clang:
	$(call build-module,clang,$(CFLAGS),$(LDFLAGS),CC=clang)

#: make headers-1.26   ... with the nginx of the next Debian?
headers-1.26:
	@t/build/nginx-source build/headers-1.26/src trixie
	$(call build-module,headers-1.26,$(CFLAGS),$(LDFLAGS),\
	    NGINX_SRC=$(CURDIR)/build/headers-1.26/src)

#: make static         ... as a part of nginx? build/static/nginx
static:
	@t/build/nginx-source build/static/src
	$(call build-nginx,static,$(CFLAGS),$(LDFLAGS),--add-module=$(CURDIR))

#: make faults         the module with fault points and planted bugs
faults:
	$(call build-module,faults,\
	    $(CFLAGS) -DSTRATA_FAULTS -DSTRATA_MUTANTS,$(LDFLAGS))

#: make collisions     the suite of 20-http with digests of 8 bits
collisions: odd
	@STRATA_MODULE=build/odd/$(MODULE) t/build/suite $(COLLIDE)

#: make battery        Redis fails in twenty ways under load; clusters (8 min)
battery: module faults probe
	@t/build/suite --battery $(LONG) t/60-purge/lost.t \
	    t/60-purge/cursor-ahead.t t/40-l2/cluster-lock.t t/40-l2/lock-late.t

#: make valkey         t/40-l2 with Valkey (Debian's) as the server
valkey: module probe
	@t/build/valkey build/valkey
	@STRATA_REDIS=$(CURDIR)/build/valkey/usr/bin/valkey-server \
	    t/build/suite $(filter t/40-%,$(T))

# for tests: requests become calls of the Redis adapter
probe:
	$(call build-probe,.,-O2 -fPIC)

#: make conformance    the public suite, docs/conformance.md  [TEST=id] [UPDATE=1]
conformance: module
	@t/build/deps conformance
	@t/conformance/run.mjs $(if $(UPDATE),update) $(TEST)

#: make bench          speed and memory beside the neighbours; or bench-quick
bench bench-quick: module $(patsubst t/%.c,build/%,$(wildcard t/bench/*.c))
	@t/build/deps bench
	@t/bench/bench $(if $(filter bench-quick,$@),--quick)

#: make bench-purge    a million entries under one tag; hits while purges go on
bench-purge: module
	@STRATA_ENTRIES=1000000 t/build/suite t/60-purge/one-tag.t
	@t/build/deps bench
	@t/bench/purge

#: make clean          removes build/
clean:
	rm -rf build

help:
	@sed -n 's/^#: //p' Makefile


# What the above is made of.

# $(call build-module,FOLDER,CFLAGS,LDFLAGS,VAR=VALUE): build/FOLDER/*.so
define build-module
+@CFLAGS="$(2)" LDFLAGS="$(3)" MAKE="$(MAKE)" $(4) \
    t/build/nginx build/$(1) modules --add-dynamic-module=$(CURDIR)
endef

# $(call build-probe,FOLDER,CFLAGS,VAR=VALUE): what tests of src/ngx/*redis* load
define build-probe
+@CFLAGS="$(2)" MAKE="$(MAKE)" $(3) t/build/nginx build/$(1)/probe modules \
    --add-dynamic-module=$(CURDIR)/t/lib/redis_probe
@ln -f build/$(1)/probe/$(PROBE) build/$(1)/$(PROBE)
endef

# $(call build-nginx,FOLDER,CFLAGS,LDFLAGS,ARGUMENT): build/FOLDER/nginx
define build-nginx
+@NGINX_SRC=build/$(1)/src CFLAGS="$(2)" LDFLAGS="$(3)" MAKE="$(MAKE)" \
    t/build/nginx build/$(1) binary $(4)
endef

# keys collide all the time (T-10), what is freed is overwritten (T-23)
odd:
	$(call build-module,odd,\
	    $(CFLAGS) -DSTRATA_DIGEST_BITS=8 -DSTRATA_POISON,$(LDFLAGS))

# nginx from its source package, and the module for it
asan-build:
	@t/build/nginx-source build/asan/src
	$(call build-nginx,asan,$(CHECKED) $(LENIENT) $(PALLOC),$(SANITIZE))
	$(call build-module,asan/module,$(CHECKED) $(PALLOC),$(SANITIZE),\
	    NGINX_SRC=$(CURDIR)/build/asan/src)
	@ln -f build/asan/module/$(MODULE) build/asan/$(MODULE)
	$(call build-probe,asan,$(CHECKED) $(PALLOC),\
	    NGINX_SRC=$(CURDIR)/build/asan/src)

#: make bench-l2       a hit in Redis beside srcache
bench-l2: module
	@t/build/deps bench
	@t/bench/l2

#: make bench-lua      a key function beside directives and lua-nginx-module
bench-lua: module
	@t/build/deps bench
	@t/bench/lua $(if $(COUNT),--count)

# pools whose pieces are malloc's, or memcheck would see only the pools
valgrind-build:
	@t/build/deps valgrind
	@t/build/nginx-source build/valgrind/src
	$(call build-nginx,valgrind,-O1 -g $(PALLOC),)
	$(call build-module,valgrind/module,-O1 -g -fPIC $(PALLOC),,\
	    NGX_SRC=$(CURDIR)/build/valgrind/src)
	@ln -f build/valgrind/module/$(MODULE) build/valgrind/$(MODULE)

# A test names the sources it does not include itself:  /* with: src/... */
with = $$(sed -n '/with:/,/\*\//p' $< | grep -o 'src/[a-z0-9_/]*\.c')
build-test = @mkdir -p $(@D) \
    && $(1) -MM -MP -MT $@ $< $(with) > $@.d \
    && $(1) -o $@ $< $(with) -Wl,--as-needed -lhiredis -lzstd

unit-build: $(UNIT)

build/unit/%: t/unit/%.c
	$(call build-test,$(CC) $(STRICT) $(CHECKED))

build/stress/%: t/stress/%.c
	$(call build-test,$(CC) $(STRICT) -O2 -DSTRATA_FAULTS)

build/fuzz/%: t/fuzz/fuzz_%.c
	$(call build-test,clang $(STRICT) -O1 $(SANITIZE) -fsanitize=fuzzer)

build/bench/%: t/bench/%.c
	$(call build-test,$(CC) $(STRICT) -O2)

-include $(wildcard build/unit/*.d build/stress/*.d build/fuzz/*.d)
-include $(wildcard build/bench/*.d)

.PHONY: module deps run install test unit lint asan stress fuzz clang \
        headers-1.26 static faults valkey conformance bench bench-quick \
        bench-l2 bench-lua bench-purge battery clean help unit-build \
        asan-build collisions odd probe storm no-memory check-consistency \
        check-mutants
