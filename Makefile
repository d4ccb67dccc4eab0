# What people and CI call. `make` alone lists the targets.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup setup-build build install demo example test test-faults test-versions test-install test-packaging bench findings docs format lint clean
# One target at a time: they share .build, and a test run wants the machine for itself.
.NOTPARALLEL:

# Package.swift makes warnings errors in our own targets, not in dependencies, where this is 1. One value for all
# targets, so that none of them builds again what another has built.
export CHAT_ADMIN_WARNINGS_AS_ERRORS ?= 1

# A target that imports what it doesn't declare in Package.swift, such as one above it, doesn't build.
BUILD = swift build --explicit-target-dependency-import-check error

SWIFT_SOURCES = Sources Tests Plugins Examples Package.swift

# So many tests at once: each has servers of its own, or shares some, and a few more starve those that are about time.
AT_ONCE = --experimental-maximum-parallelization-width 6

# Tests find the server's program, the independent witness and promtool through these. Looked up when a recipe runs, after setup.
TOOLS = CHAT_ADMIN_MONGOD="$$(scripts/mongod.sh path)" CHAT_ADMIN_PYTHON="$${CHAT_ADMIN_PYTHON:-$(CURDIR)/.tools/venv/bin/python}" \
	CHAT_ADMIN_PROMTOOL="$${CHAT_ADMIN_PROMTOOL:-$(CURDIR)/.tools/promtool/promtool}"

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what is missing: C libraries, a Python environment, a mongod of each version that is tested
	@$(if $(CHAT_ADMIN_PHASES),scripts/timed.sh setup) scripts/setup.sh

# What needs no other server than the first of scripts/mongodb.txt.
setup-build:
	@scripts/setup.sh build

# Swift's own libraries are linked in, so that the program runs where Swift isn't.
build: setup-build ## Build chat-admin for release
	@scripts/timed.sh 'build (release)' $(BUILD) -c release --product chat-admin --static-swift-stdlib

PREFIX ?= /usr/local

install: ## Install what `make build` has built: PREFIX=/usr/local, and DESTDIR for packages
	@test -x .build/release/chat-admin || { echo 'make build comes first' >&2; exit 1; }
	@install -D --strip .build/release/chat-admin '$(DESTDIR)$(PREFIX)/bin/chat-admin'
	@install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/chat-admin/incident' fixtures/incident/*.jsonl

demo: build ## Repair a damaged chat database on a throwaway server, and watch it happen
	@$(TOOLS) scripts/demo.sh

example: setup-build ## Build the program with steps of its own, and run it on a throwaway server
	@$(TOOLS) scripts/timed.sh example scripts/example.sh

lint: ## Check the layout and the style of the sources
	@scripts/timed.sh lint scripts/lint.sh $(SWIFT_SOURCES)

test: setup ## Build with warnings as errors, lint, test, and test BSON under AddressSanitizer
	@scripts/timed.sh 'build (tests)' $(BUILD) --build-tests
	@scripts/timed.sh lint scripts/lint.sh $(SWIFT_SOURCES)
	@$(TOOLS) scripts/timed.sh 'test (packaging)' scripts/test-packaging.sh
	@$(TOOLS) scripts/timed.sh test scripts/swift-test.sh $(AT_ONCE) --skip FaultTests
	@$(TOOLS) scripts/timed.sh example scripts/example.sh
	@$(TOOLS) scripts/timed.sh 'test (faults)' scripts/swift-test.sh --skip-build --disable-xctest $(AT_ONCE) --filter FaultTests
	@$(TOOLS) scripts/timed.sh 'test (AddressSanitizer)' \
		env CHAT_ADMIN_DRIVER_ONLY=1 scripts/swift-test.sh --disable-xctest $(AT_ONCE) --sanitize=address --scratch-path .build-asan

# The tool as it is released: it is what takes the time. CHAT_ADMIN_FAULTS_ONLY (Tests/FaultTests/Effort.swift) picks a part.
test-faults: setup build ## Kill the tool at every write, and fail its every command: hours, where `make test` runs a sample
	@scripts/timed.sh 'build (tests)' $(BUILD) --build-tests
	@$(TOOLS) CHAT_ADMIN_BIN=$(CURDIR)/.build/release/chat-admin CHAT_ADMIN_FAULTS=all scripts/timed.sh 'test (all faults)' scripts/swift-test.sh --skip-build --disable-xctest $(AT_ONCE) --filter FaultTests

test-versions: setup ## Run the tests of commands and faults on every other MongoDB that is supported: half an hour or more
	@scripts/timed.sh 'build (tests)' $(BUILD) --build-tests
	@$(TOOLS) scripts/test-versions.sh

test-install: build ## Install into a Debian 12 without Swift, and work with it there; needs root and debootstrap
	@scripts/timed.sh 'test (install)' scripts/test-install.sh

test-packaging: setup ## Hold packaging/ against systemd, promtool, the schemas of Kubernetes, a shell
	@$(TOOLS) scripts/timed.sh 'test (packaging)' scripts/test-packaging.sh

bench: setup-build ## Measure against what the server itself and plain scripts need
	@$(TOOLS) Benchmarks/run.sh

# The plugin that does it is fetched for this alone.
findings: setup-build ## Write docs/findings.md from what `explain` says
	@$(BUILD) --product chat-admin && .build/debug/chat-admin explain --page > docs/findings.md

docs: setup-build ## Write the library's documentation, to be served from .build-docs/site
	@CHAT_ADMIN_DOCS=1 scripts/timed.sh docs swift package --scratch-path .build-docs --allow-writing-to-directory .build-docs/site \
		generate-documentation $(addprefix --target ,BSON MongoDriver Journal MigrationEngine StepFiles) \
		--enable-experimental-combined-documentation --warnings-as-errors --output-path .build-docs/site

format: ## Lay the sources out as .swift-format says
	@swift format format --in-place --recursive $(SWIFT_SOURCES)

clean: ## Remove build products; what setup installed stays in .tools
	@rm -rf .build .build-*
