# Build and install by PGXS, for the PostgreSQL that PG_CONFIG belongs to; `make help` lists the other targets.
PG_CONFIG ?= pg_config
# In this order: setup creates what the others use, extension drops it.
TESTS = setup import types extension_types values encodings collations conditions operators ordering top_keys groups \
  paging parallel partitions plans odd_names options management_options management management_functions errors auth \
  auth_scope logins oauth vault views \
  security repoint statistics functions writes partition_writes transactions extension

OWN_TARGETS = help demo bench check check-sanitized differential differential-dml differential-bugs identity-model unit fuzz \
  supabase-connect format lint print-tests
.PHONY: $(OWN_TARGETS)

# PGXS has a target "check" of its own, which only says that it does nothing.
ifneq ($(filter $(OWN_TARGETS),$(MAKECMDGOALS)),)

help:
	@echo 'make              build            make install      install into the server of PG_CONFIG'
	@echo 'make demo         see it work      make check        build and pass all tests'
	@echo 'make check-sanitized  pg_regress and fault tests with the extension under ASan and UBSan'
	@echo 'make bench        ratios against postgres_fdw and raw downloads, about 6 minutes (test/bench/run)'
	@echo 'make differential N=… SEED=…  random queries on foreign tables and on local copies, compared'
	@echo 'make differential-dml N=… SEED=…  random statements that write, on foreign tables and on local twins, compared'
	@echo 'make differential-bugs  whether that comparison finds the bugs that a build made for it has'
	@echo 'make identity-model N=… SEED=…  random scripts of transactions and users, against a model of settings'
	@echo 'make supabase-connect  build/core/supabase-connect: connect a database to Supabase with a browser'
	@echo 'make unit         unit tests       make fuzz         one minute of each fuzzer'
	@echo 'make format       clang-format     make lint         clang-tidy, format and layers'
	@echo 'make installcheck pg_regress against a running test/stack, whose variables are set'
demo:
	@PG_CONFIG=$(PG_CONFIG) scripts/demo
bench:
	@PG_CONFIG=$(PG_CONFIG) test/bench/run
check:
	@PG_CONFIG=$(PG_CONFIG) scripts/check
check-sanitized:
	@PG_CONFIG=$(PG_CONFIG) scripts/check-sanitized
differential:
	@PG_CONFIG=$(PG_CONFIG) N=$(N) SEED=$(SEED) scripts/differential
differential-dml:
	@PG_CONFIG=$(PG_CONFIG) N=$(N) SEED=$(SEED) scripts/differential --dml
differential-bugs:
	@PG_CONFIG=$(PG_CONFIG) N=$(N) SEED=$(SEED) scripts/differential --bugs
identity-model:
	@PG_CONFIG=$(PG_CONFIG) N=$(N) SEED=$(SEED) scripts/identity-model
supabase-connect:
	@cmake --preset default >/dev/null && MAKEFLAGS=--no-print-directory cmake --build build/core --target supabase_connect -j
print-tests:
	@echo $(TESTS)
unit:
	cmake --preset default && cmake --build build/core -j && build/core/core_test
fuzz:
	scripts/fuzz
format:
	clang-format -i src/*/*.[ch]pp test/*/*.[ch]pp tools/*/*.[ch]pp
lint:
	clang-format --dry-run -Werror src/*/*.[ch]pp test/*/*.[ch]pp tools/*/*.[ch]pp
	$(MAKE) all && scripts/check-layers supabase_fdw.so
	cmake --preset default >/dev/null && clang-tidy --quiet -p build/core src/core/*.cpp

else

MODULE_big = supabase_fdw
EXTENSION = supabase_fdw
DATA = $(wildcard sql/supabase_fdw--*.sql)
# Objects of each PostgreSQL version apart, so that PG_CONFIG can change between two builds.
OBJ_DIR := build/obj/$(shell $(PG_CONFIG) --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
CORE_OBJS = $(patsubst src/%.cpp,$(OBJ_DIR)/%.o,$(wildcard src/core/*.cpp))
FDW_OBJS = $(patsubst src/%.cpp,$(OBJ_DIR)/%.o,$(wildcard src/fdw/*.cpp))
OBJS = $(CORE_OBJS) $(FDW_OBJS)
REGRESS = $(TESTS)
REGRESS_OPTS = --inputdir=. --outputdir=build/regress --bindir=$(STACK_BIN) --host=$(STACK_LOCAL_HOST) \
  --port=$(STACK_LOCAL_PORT) --user=postgres

# -isystem: PostgreSQL's headers are C and would warn. Hidden visibility and exports.map: only what PostgreSQL looks up is
# exported, so that inline symbols are not shared with other C++ extensions. PGDLLEXPORT is empty before PostgreSQL 16.
# -MMD -MP: PGXS does not track headers.
CXX_FLAGS = -std=c++17 -O2 -g -fPIC -fvisibility=hidden -fvisibility-inlines-hidden \
  -Wall -Wextra -Werror -MMD -MP $(SANITIZE) $(if $(SEEDED_BUGS),-DSUPABASE_FDW_SEEDED_BUGS)
# NDEBUG: assertions of simdjson would abort the backend.
CORE_FLAGS = $(CXX_FLAGS) -DNDEBUG -Wpedantic -Wshadow -Isrc/core
FDW_FLAGS = $(CXX_FLAGS) -Isrc -Isrc/core -isystem $(shell $(PG_CONFIG) --includedir-server) -D_GNU_SOURCE \
  -DPGDLLEXPORT='__attribute__((visibility("default")))'
SHLIB_LINK = -Wl,--version-script=exports.map -lcurl -lcrypto -lsimdjson -lstdc++ -lpthread $(SANITIZE)
EXTRA_CLEAN = $(OBJS:.o=.d) build/regress

# Bitcode is for inlining small functions into queries; a wrapper has none.
override with_llvm := no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(CORE_OBJS): $(OBJ_DIR)/%.o: src/%.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) $(CORE_FLAGS) -c -o $@ $<
$(FDW_OBJS): $(OBJ_DIR)/%.o: src/%.cpp Makefile
	@mkdir -p $(@D)
	$(CXX) $(FDW_FLAGS) -c -o $@ $<
$(OBJ_DIR)/core/catalogue.o: CXX_FLAGS += -DCATALOGUE_FILE='"src/core/catalogue.json"'
$(OBJ_DIR)/core/catalogue.o: src/core/catalogue.json
supabase_fdw.so: exports.map
-include $(OBJS:.o=.d)

endif
