# Targets that need no server: the core as a library, unit tests, fuzzing,
# gates.  Everything lands under build/, one folder for each set of flags.

# The strict flags of development; CORE_OPT is the variant's optimisation.
CORE_FLAGS = -std=gnu11 -g -Wall -Wextra -Werror -Wmissing-prototypes \
	-Wdeclaration-after-statement -Wpointer-arith -fno-strict-aliasing -fwrapv \
	-fexcess-precision=standard -fvisibility=hidden $(FLOAT_FLAGS) -Isrc -I.
CORE_FLAGS_clang = $(filter-out -fexcess-precision=standard,$(CORE_FLAGS))
CORE_LIBS = -lzstd -ljansson -lpcre2-8 -lm
TEST_LIBS = -lcrypto $(CORE_LIBS)
SANITIZE  = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# (asked once, not at each use)
ifndef FUZZ_CC
FUZZ_CC  := $(shell dev/newest-clang)
endif
AVX2_FLAG := $(if $(filter x86_64%,$(shell $(CC) -dumpmachine)),-mavx2)

UNIT_SOURCES   = $(sort $(wildcard test/unit/*.c))
FUZZ_TARGETS   = $(patsubst test/fuzz/fuzz_%.c,%,$(sort $(wildcard test/fuzz/fuzz_*.c)))
FUZZ_SHARED    = $(filter-out test/fuzz/fuzz_%.c test/fuzz/replay.c,$(sort $(wildcard test/fuzz/*.c))) test/unit/host.c test/unit/value_seal.c test/unit/value_later.c test/unit/value_unpacked.c
GOLDEN_SOURCES = $(sort $(wildcard test/golden/*.c)) test/unit/host.c
TEST_HEADERS   = $(wildcard test/*/*.h)

.PHONY: core unit unit-plain fuzz fuzz-replay golden gates dist

# $(call variant,name,compiler,flags): objects of the core and of the test
# programs in build/name, and the core as build/name/libpeftcore.a.
define variant
build/$(1)/%.o: %.c $(ALL_HEADERS) $(TEST_HEADERS) Makefile dev/targets.mk
	@mkdir -p $$(@D)
	@echo "$(1): $$<"
	@$(2) $(3) $$(if $$(findstring _avx2.c,$$<),$(AVX2_FLAG)) -c -o $$@ $$<
build/$(1)/libpeftcore.a: $(CORE_SOURCES:%.c=build/$(1)/%.o)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
# $(call program,variant,name,sources,compiler,flags)
define program
build/$(1)/$(2): $(3:%.c=build/$(1)/%.o) build/$(1)/libpeftcore.a
	@echo "$(1): $$@"
	@$(4) $(5) -o $$@ $$^ $(TEST_LIBS)
endef

$(eval $(call variant,core,$(CC),$(CORE_FLAGS) -O3))
$(eval $(call variant,asan,$(CC),$(CORE_FLAGS) -O1 -Wno-maybe-uninitialized $(SANITIZE)))
$(eval $(call variant,fuzz,$(FUZZ_CC),$(CORE_FLAGS_clang) -O1 $(SANITIZE) -fsanitize=fuzzer-no-link))

core: build/core/libpeftcore.a

# --- unit tests: with sanitizers, and plain; test/unit/work.c counts what is done by these
COUNTED = qsort pa_blas_gemm $(addprefix pa_lapack_,geqrf gebrd gebrd_panel bdsdc ormbr)
WRAP    = $(addprefix -Wl$(comma)--wrap=,$(COUNTED))
comma   = ,
$(eval $(call program,asan,unit,$(UNIT_SOURCES),$(CC),$(SANITIZE) $(WRAP)))
$(eval $(call program,core,unit,$(UNIT_SOURCES),$(CC),$(WRAP)))
unit: build/asan/unit
unit-plain: build/core/unit

# --- fuzzing: libFuzzer programs, and a driver without it that replays files
$(foreach t,$(FUZZ_TARGETS),$(eval $(call program,fuzz,$(t),test/fuzz/fuzz_$(t).c $(FUZZ_SHARED),$(FUZZ_CC),$(SANITIZE) -fsanitize=fuzzer)))
$(foreach t,$(FUZZ_TARGETS),$(eval $(call program,asan,replay_$(t),test/fuzz/fuzz_$(t).c $(FUZZ_SHARED) test/fuzz/replay.c,$(CC),$(SANITIZE))))
fuzz: $(FUZZ_TARGETS:%=build/fuzz/%)
fuzz-replay: $(FUZZ_TARGETS:%=build/asan/replay_%)

# --- the digests of fixed compositions, compiled in several ways
GOLDEN_VARIANTS = gcc-O0 gcc-O3 clang-O0 clang-O3
$(eval $(call variant,gcc-O0,gcc,$(CORE_FLAGS) -O0))
$(eval $(call variant,gcc-O3,gcc,$(CORE_FLAGS) -O3))
$(eval $(call variant,clang-O0,$(FUZZ_CC),$(CORE_FLAGS_clang) -O0))
$(eval $(call variant,clang-O3,$(FUZZ_CC),$(CORE_FLAGS_clang) -O3))
$(foreach v,$(GOLDEN_VARIANTS),$(eval $(call program,$(v),compositions,$(GOLDEN_SOURCES),$(if $(filter clang%,$(v)),$(FUZZ_CC),gcc),)))
# and the unit tests as the product is compiled: the sanitizers' variant has no vectors
$(foreach v,gcc-O3 clang-O3,$(eval $(call program,$(v),unit,$(UNIT_SOURCES),$(if $(filter clang%,$(v)),$(FUZZ_CC),gcc),$(WRAP))))
golden: $(GOLDEN_VARIANTS:%=build/%/compositions)

gates:
	test/gates/all-gates-run.sh

# --- the archive for PGXN: the last commit, whatever lies in the tree
dist:
	@mkdir -p build
	@version=$$(git show HEAD:peftarith.control | sed -n "s/^default_version *= *'\(.*\)'/\1/p") && \
		git archive --format=zip --prefix=peftarith-$$version/ -o build/peftarith-$$version.zip HEAD && \
		echo build/peftarith-$$version.zip

# --- the codec's speed (dev/bench)
BENCH_SOURCES = test/bench/bench_codec.c test/unit/host.c
$(eval $(call program,core,bench_codec,$(BENCH_SOURCES),$(CC),))
