# Builds Weir. Everything generated lies in $(BUILD); `make help` lists the
# goals. A tree that was not configured is configured with the defaults.
#
#   make WERROR=1                        warnings are errors
#   make SANITIZE=address,undefined      into build-address-undefined
#   make CC=clang BUILD=build-clang      another compiler beside it
#   make V=1                             shows the commands

comma := ,
SANITIZE ?=
BUILD ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
T ?= 60

# Parallel unless told otherwise; a make within make uses its parent's jobs.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || echo 1)
endif
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

GOALS := $(or $(MAKECMDGOALS),all)

# These call make again once the libraries are there, or need no compiler.
UNCONFIGURED := help run check bench torture fuzz campaign lint dist clean format

.PHONY: all $(UNCONFIGURED) docs install uninstall unit-tests fuzz-replays \
	fuzz-drivers FORCE
all:

ifneq ($(filter-out $(UNCONFIGURED),$(GOALS)),)
include $(BUILD)/config.mk
endif

# A build directory of its own takes over the options of ./configure.
$(BUILD)/config.mk: configure VERSION
	@args=$$(sed -n 's/^CONFIGURE_ARGS = //p' $@ build/config.mk \
	    2>/dev/null | sed -n 's/\$$\$$/$$/g; s/\\#/#/g; 1p'); \
	eval "./configure --builddir='$(BUILD)' $$args"

# ---- flags -----------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wswitch-enum -Wpointer-arith -Wvla -Wformat=2 -Wundef \
	$(if $(WERROR),-Werror)

# No -rdynamic: with hidden symbols it would export nothing. A backtrace gives
# offsets into the program, which `addr2line -e` turns into lines by -g.
HARDEN_CC := -fPIE -fstack-protector-strong -fstack-clash-protection
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
ifneq ($(filter x86_64 i686,$(shell uname -m)),)
HARDEN_CC += -fcf-protection
endif

ifeq ($(SANITIZE),)
# Undefined first: some compilers are built to define it themselves.
HARDEN_CC += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
# The sanitizers look into the library calls that fortifying would replace.
SANITIZE_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
endif
ifdef FUZZER
SANITIZE_FLAGS += -fsanitize=fuzzer-no-link
endif

COMPILE = $(CC) -std=c11 -D_GNU_SOURCE -DPCRE2_CODE_UNIT_WIDTH=8 -I$(BUILD) -Isrc $(WARNINGS) \
	-fvisibility=hidden -pthread $(HARDEN_CC) $(CFLAGS) $(SANITIZE_FLAGS) \
	$(LIB_CFLAGS)
LINK = $(CC) -pthread $(HARDEN_LD) $(CFLAGS) $(SANITIZE_FLAGS) $(LDFLAGS)

# `make` tells what it works on, `make V=1` how.
ifdef V
say = @:
hide =
else
say = @printf '  %-5s %s\n'
hide = @
endif

# ---- the daemon ------------------------------------------------------------

SOURCES := $(wildcard src/*/*.c)
# HTTP/2 is left out where nghttp2 is not there.
ifeq ($(filter -lnghttp2,$(LIBS)),)
SOURCES := $(filter-out $(shell grep -l '"http/h2_\(conn\|head\)\.h"' \
	$(SOURCES)),$(SOURCES))
endif
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)
MAIN := $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/main.c))

all: $(BUILD)/weir

$(BUILD)/weir: $(MAIN) $(OBJECTS)
	$(say) LD $@
	$(hide)$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/libweir.a: $(OBJECTS)
	$(say) AR $@
	$(hide)rm -f $@
	$(hide)$(or $(AR),ar) rcs $@ $^

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(say) CC $<
	$(hide)$(COMPILE) -MMD -MP -c -o $@ $<

# Changes when the commands do, so that another CFLAGS compiles again.
$(BUILD)/flags: FORCE | $(BUILD)/config.mk
	@mkdir -p $(@D)
	@echo '$(subst ','\'',$(COMPILE) $(LINK))' | cmp -s - $@ || \
	    echo '$(subst ','\'',$(COMPILE) $(LINK))' >$@

# ---- tests -----------------------------------------------------------------

# tests/unit/<floor>/test_x.c becomes $(BUILD)/tests/<floor>/test_x. What lies
# in tests/unit itself is common to all of them.
UNIT_SOURCES := $(wildcard tests/unit/*/test_*.c)
UNIT_COMMON := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/unit/*.c))
UNIT_TESTS := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/tests/%)

unit-tests: $(UNIT_TESTS)

# private: the library must not be compiled with these as well.
$(BUILD)/tests/unit/%.o: private COMPILE += -Itests/unit

$(UNIT_TESTS): $(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(UNIT_COMMON) \
    $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(hide)$(LINK) -o $@ $^ -lcmocka $(LIBS)

# Every driver twice: with a main that replays files (any compiler), and with
# clang's fuzzer.
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

fuzz-replays: $(FUZZ_NAMES:%=$(BUILD)/fuzz/replay_%)
fuzz-drivers: $(FUZZ_NAMES:%=$(BUILD)/fuzz/fuzz_%)

# libFuzzer calls the driver by name, no header of ours declares it.
$(BUILD)/tests/fuzz/%.o: private COMPILE += -Wno-missing-prototypes

$(BUILD)/fuzz/replay_%: $(BUILD)/tests/fuzz/fuzz_%.o \
    $(BUILD)/tests/fuzz/replay.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(hide)$(LINK) -o $@ $^ $(LIBS)

$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o \
    $(BUILD)/tests/fuzz/artifact.o $(BUILD)/libweir.a
	@mkdir -p $(@D)
	$(say) LD $@
	$(hide)$(LINK) -fsanitize=fuzzer -o $@ $^ $(LIBS)

check:
	+@sh contrib/setup.sh check
	+@BUILD='$(BUILD)' MAKE='$(MAKE)' bash tests/run

lint:
	+@sh contrib/setup.sh check
	+@BUILD='$(BUILD)' MAKE='$(MAKE)' bash tests/run build lint

bench:
	+@sh contrib/setup.sh bench
	+@$(MAKE) --no-print-directory all
	@WEIR='$(abspath $(BUILD))/weir' tests/bench/run

# What takes minutes; TORTURE names what is to run, all if left out.
torture:
	+@sh contrib/setup.sh check
	+@$(MAKE) --no-print-directory all
	@WEIR='$(abspath $(BUILD))/weir' tests/torture/run $(TORTURE)

fuzz:
	+@sh contrib/setup.sh ci
	+@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang \
	    SANITIZE=address,undefined FUZZER=1 fuzz-drivers
	@bash tests/fuzz/run build-fuzz/fuzz '$(T)'

# In slices, until every driver had T seconds of CPU; it can be interrupted.
campaign:
	+@sh contrib/setup.sh ci
	+@$(MAKE) --no-print-directory BUILD=build-fuzz CC=clang \
	    SANITIZE=address,undefined FUZZER=1 fuzz-drivers
	@tests/fuzz/campaign build-fuzz/fuzz '$(T)'

# What .clang-format would change; for a look, not for obedience.
format:
	@clang-format --dry-run src/*/*.[ch] $(wildcard src/*.c)

.SECONDARY:
-include $(OBJECTS:.o=.d) $(MAIN:.o=.d) $(UNIT_SOURCES:%.c=$(BUILD)/%.d) \
	$(UNIT_COMMON:.o=.d) $(wildcard $(BUILD)/tests/fuzz/*.d)

# ---- use -------------------------------------------------------------------

run:
	+@sh contrib/setup.sh run
	+@$(MAKE) --no-print-directory all
	@exec $(BUILD)/weir -c conf/quickstart.yaml

# What the binary says of itself, kept in the repository.
docs: $(BUILD)/weir
	$(BUILD)/weir --man >$(BUILD)/weir.yaml.5
	$(BUILD)/weir --schema >$(BUILD)/weir.schema.json
	mv $(BUILD)/weir.yaml.5 man/weir.yaml.5
	mv $(BUILD)/weir.schema.json contrib/weir.schema.json

# ---- installation ----------------------------------------------------------

CONFDIR = $(SYSCONFDIR)/weir
UNITDIR = $(PREFIX)/lib/systemd/system
LOGROTATEDIR = $(SYSCONFDIR)/logrotate.d
DATADIR = $(PREFIX)/share/weir
INSTALL ?= install
PAGES5 := $(wildcard man/*.5)
PAGES8 := $(wildcard man/*.8)
WELCOME := $(wildcard conf/welcome/*)
SUBSTITUTE = sed -e 's,@sbindir@,$(SBINDIR),g' -e 's,@confdir@,$(CONFDIR),g' \
	-e 's,@logdir@,$(LOCALSTATEDIR)/log/weir,g' \
	-e 's,@rundir@,$(RUNSTATEDIR)/weir,g'
# The configuration is written as it reads, for the usual places.
RELOCATE = sed -e 's,/etc/weir,$(CONFDIR),g' \
	-e 's,/usr/share/weir,$(DATADIR),g' \
	-e 's,/var/log/weir,$(LOCALSTATEDIR)/log/weir,g' \
	-e 's,/run/weir,$(RUNSTATEDIR)/weir,g'

install: $(BUILD)/weir
	$(INSTALL) -d '$(DESTDIR)$(SBINDIR)' '$(DESTDIR)$(CONFDIR)' \
	    '$(DESTDIR)$(MANDIR)/man5' '$(DESTDIR)$(MANDIR)/man8' \
	    '$(DESTDIR)$(UNITDIR)' '$(DESTDIR)$(LOGROTATEDIR)' \
	    '$(DESTDIR)$(DATADIR)/welcome'
	$(INSTALL) -m 755 $(BUILD)/weir '$(DESTDIR)$(SBINDIR)/weir'
	@for page in $(PAGES5) $(PAGES8); do \
	    to='$(DESTDIR)$(MANDIR)'/man$${page##*.}/$${page##*/} && \
	    echo "$$to" && $(RELOCATE) "$$page" >"$$to" && chmod 644 "$$to" || \
	    exit 1; \
	done
	$(SUBSTITUTE) contrib/systemd/weir.service \
	    >'$(DESTDIR)$(UNITDIR)/weir.service'
	$(SUBSTITUTE) contrib/logrotate/weir \
	    >'$(DESTDIR)$(LOGROTATEDIR)/weir'
	chmod 644 '$(DESTDIR)$(UNITDIR)/weir.service' \
	    '$(DESTDIR)$(LOGROTATEDIR)/weir'
	$(INSTALL) -m 644 contrib/weir.schema.json '$(DESTDIR)$(DATADIR)'
	$(INSTALL) -m 644 $(WELCOME) '$(DESTDIR)$(DATADIR)/welcome'
	@if [ -f '$(DESTDIR)$(CONFDIR)/weir.yaml' ]; then \
	    echo '$(DESTDIR)$(CONFDIR)/weir.yaml is there and stays as it is'; \
	else \
	    $(RELOCATE) conf/weir.yaml >'$(DESTDIR)$(CONFDIR)/weir.yaml' && \
	    chmod 644 '$(DESTDIR)$(CONFDIR)/weir.yaml'; \
	fi

# The configuration belongs to the operator and stays.
uninstall:
	rm -f '$(DESTDIR)$(SBINDIR)/weir' \
	    $(PAGES5:man/%='$(DESTDIR)$(MANDIR)/man5/%') \
	    $(PAGES8:man/%='$(DESTDIR)$(MANDIR)/man8/%') \
	    '$(DESTDIR)$(UNITDIR)/weir.service' \
	    '$(DESTDIR)$(LOGROTATEDIR)/weir' \
	    '$(DESTDIR)$(DATADIR)/weir.schema.json' \
	    $(WELCOME:conf/%='$(DESTDIR)$(DATADIR)/%')
	-rmdir '$(DESTDIR)$(DATADIR)/welcome' '$(DESTDIR)$(DATADIR)' 2>/dev/null
	@echo 'kept: $(DESTDIR)$(CONFDIR)'

# The same commit gives the same bytes: git takes the dates from the commit,
# gzip -n writes none of its own.
dist:
	@version=$$(cat VERSION) && \
	git archive --format=tar --prefix="weir-$$version/" HEAD | \
	    gzip -9n >"weir-$$version.tar.gz" && \
	echo "weir-$$version.tar.gz"

clean:
	rm -rf build build-*

help:
	@echo 'make             builds $(BUILD)/weir'; \
	echo 'make run         installs what is missing, builds, runs the quickstart'; \
	echo 'make check       installs what is missing, builds, runs every test'; \
	echo 'make lint        the checks of the source only'; \
	echo 'make bench       side by side with nginx, haproxy and h2o'; \
	echo 'make torture     what takes minutes: storms, thousands of transfers'; \
	echo 'make fuzz T=60   every fuzz driver for T seconds (clang)'; \
	echo 'make campaign T=3600   likewise, in pieces until each had T seconds'; \
	echo 'make docs        the manual page and the schema, from the binary'; \
	echo 'make format      what clang-format would change'; \
	echo 'make install     DESTDIR=... is respected; the configuration is kept'; \
	echo 'make uninstall   removes what install wrote, but the configuration'; \
	echo 'make dist        the sources of the last commit as a tarball'; \
	echo 'make clean       removes build directories'; \
	echo; \
	echo 'V=1 shows commands, WERROR=1 makes warnings errors, BUILD=DIR and'; \
	echo 'SANITIZE=address,undefined build elsewhere.'
