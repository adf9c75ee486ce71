# peftarith: PEFT adapters as SQL values.  `make`, `make install` and
# `make installcheck` are PGXS's own; dev/targets.mk has the targets that need
# no server (core, unit, fuzz, fuzz-replay, gates).

all:

# --- version: default_version in the control file is the only place of it
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" peftarith.control)

# --- objects by room (src/rooms, doc/architecture.md); src/pg alone sees the server
CORE_ROOMS  := $(shell sed -n '/^pg:/d; s/^\([a-z]*\):.*/\1/p' src/rooms)
CORE_SOURCES = $(foreach room,$(CORE_ROOMS),$(sort $(wildcard src/$(room)/*.c)))
CORE_OBJS    = $(CORE_SOURCES:.c=.o)
PG_OBJS      = $(patsubst %.c,%.o,$(sort $(wildcard src/pg/*.c)))
ALL_HEADERS  = $(wildcard src/*/*.h)

MODULE_big = peftarith
OBJS       = peft_ext.o $(PG_OBJS) $(CORE_OBJS)
SHLIB_LINK = -lzstd -ljansson -lpcre2-8 -lm

# Float results must not depend on the compiler: never -ffast-math, -Ofast,
# -march=native, and no contraction to FMA (test/gates/flags.sh).
FLOAT_FLAGS = -ffp-contract=off
PG_CPPFLAGS = -Isrc
PG_CFLAGS   = -std=gnu11 -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers $(FLOAT_FLAGS)

# --- SQL: the install script is a guard line and the fragments in name order
EXTENSION     = peftarith
SQL_FRAGMENTS = $(sort $(wildcard sql/install/*.sql))
# and registry_source(), a function that returns the text of sql/registry
REGISTRY_PARTS = $(wildcard sql/registry/*.sql sql/registry/steps/*.sql) sql/registry/source.sh sql/registry/rights.awk
FRESH_SCRIPT = peftarith--$(EXTVERSION).sql
# from each version to the next one; registry_source() is made anew by each
UPGRADE_SCRIPTS = $(patsubst sql/upgrade/%,peftarith--%,$(wildcard sql/upgrade/*.sql))
DATA_built    = $(FRESH_SCRIPT) $(UPGRADE_SCRIPTS)

# --- regression tests, in this order: setup makes what the others use
REGRESS      = setup type interchange inspect operators transform convert names containers compare aggregates delta lowrank extract sketch merge difference recompute lineage tree \
	registry_setup registry registry_versions registry_references registry_aliases registry_lineage registry_revocation \
	registry_log registry_verify registry_attestation registry_roles
REGRESS_OPTS = --inputdir=test
# several sessions, step by step; here too setup comes first
ISOLATION      = setup $(filter-out setup,$(sort $(basename $(notdir $(wildcard test/isolation/specs/*.spec)))))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=peftarith
# (a cluster that may be running, the Python environment, and roots, which may
# have this machine's /dev mounted in them, stay)
EXTRA_CLEAN  = $(filter-out build/cluster build/peft-venv build/majors build/package,$(wildcard build/*)) \
	results regression.diffs regression.out

# The server's packages are built with LLVM, but bitcode needs the same clang
# here, and inlining whole operations into queries gains nothing.
override with_llvm = no

PG_CONFIG ?= pg_config
ifneq (,$(shell command -v $(PG_CONFIG)))
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
else
all install installcheck:
	@echo "pg_config was not found: install the server headers (dev/dependencies) or set PG_CONFIG" >&2; exit 1
clean:
	rm -rf $(OBJS) peftarith.so $(DATA_built) $(EXTRA_CLEAN)
endif

# ("override": these flags are part of what is built, also where a packager's
# CFLAGS come in on make's command line.)
# Hidden wherever the server does not look; src/pg and peft_ext.c are narrowed
# by the export list at link time, which does the same on 15 to 19.
$(CORE_OBJS): override CFLAGS += -fvisibility=hidden
# The loops over elements are worth vectorising, which on aarch64 needs no flag;
# the AVX2 instances are the same sources with one more, chosen at run time.  No
# -mfma: products are not contracted, so the bytes are those of the portable ones.
LOOP_OBJS = $(filter src/kernel/% src/codec/plane%,$(CORE_OBJS))
AVX2_OBJS = $(filter %_avx2.o,$(CORE_OBJS))
$(LOOP_OBJS): override CFLAGS += -O3
$(AVX2_OBJS): override CFLAGS += $(AVX2_FLAG)
SHLIB_LINK += -Wl,--version-script=src/pg/exports.map
peftarith.so: src/pg/exports.map

# WERROR=1: warnings are errors (dev/test builds so).
ifdef WERROR
$(OBJS): CFLAGS += -Werror
endif

# Objects are of one server and one compiler: for others they are made anew.
SERVER_STAMP ?= build/server
server := $(if $(PGXS),$(shell $(PG_CONFIG) --version) $(shell $(PG_CONFIG) --includedir-server) $(CC))
$(shell mkdir -p $(dir $(SERVER_STAMP)); echo '$(server)' | cmp -s - $(SERVER_STAMP) || echo '$(server)' >$(SERVER_STAMP))

$(OBJS): $(ALL_HEADERS) Makefile $(SERVER_STAMP)

$(FRESH_SCRIPT): peftarith.control $(SQL_FRAGMENTS) $(REGISTRY_PARTS) Makefile
	{ printf '%s\n' '\echo Use "CREATE EXTENSION peftarith" to load this file. \quit'; \
	cat $(SQL_FRAGMENTS) && sql/registry/source.sh; } > $@.new && mv $@.new $@

$(UPGRADE_SCRIPTS): peftarith--%: sql/upgrade/% $(REGISTRY_PARTS) Makefile
	{ printf '%s\n' '\echo Use "ALTER EXTENSION peftarith UPDATE" to load this file. \quit'; \
	cat $< && sql/registry/source.sh or replace; } > $@.new && mv $@.new $@

# The install scripts of released versions, from which tests upgrade.
install-released:
	for script in sql/released/*.sql.gz; do \
		gzip -dc "$$script" >'$(DESTDIR)$(datadir)/$(datamoduledir)'/$$(basename "$$script" .gz) || exit 1; \
	done
.PHONY: install-released

include dev/targets.mk
