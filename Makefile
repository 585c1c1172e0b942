# `make` checks and tests everything; `make help` lists the rest.

VERSION       := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_BUILD      := CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)'
LINT_VERSION  := v2.15.0
LINT          := bin/tools/golangci-lint-$(LINT_VERSION)

# Packages whose tests run Docker hosts of the lab: one at a time, without -race
# (the cluster in them is a binary of its own), and as root.
LAB_PACKAGES  := integration/lab integration/failover integration/faults integration/lifecycle integration/networks integration/rollouts

SEEDS         ?= 500
FUZZTIME      ?= 10s
RUNS          ?= 5
PART          ?= 1
MUTANTS       ?=
MINUTES       ?= 5
JSON          ?=
TRACES        ?= ../shared/traces
VARIANTS      ?=
ONLY          ?=

# The virtual ring runs without -race: hours of virtual time in one process
# exhaust the detector's clocks, and it aborts (tsan_rtl.cpp, kEpochLast).
VIRTUAL       := integration/virtual

# unit_packages sets $$packages in a recipe: all but those of the lab.
empty         :=
apart         := /($(subst $(empty) $(empty),|,$(LAB_PACKAGES) $(VIRTUAL)))$$
unit_packages  = packages=$$(go list ./...) && packages=$$(echo "$$packages" | grep -vE '$(apart)')

.PHONY: all
all: check test

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: build
build: ## bin/muster, static
	$(GO_BUILD) -o bin/muster ./cmd/muster

.PHONY: check
check: $(LINT) ## format, vet, lint, fences between packages, go.mod
	$(LINT) fmt --diff
	go vet ./...
	$(LINT) run
	go test -count=1 .
	go mod tidy -diff

$(LINT):
	@echo "building golangci-lint $(LINT_VERSION), once"
	GOBIN=$(CURDIR)/bin/tools GOFLAGS= go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/tools/golangci-lint $@

.PHONY: test
test: unit fuzz-short virtual sim mutants-listed lab chaos ## unit tests with -race, short fuzzing, the virtual ring, the simulator, five mutants, the lab, chaos

.PHONY: unit
unit: tools
	@$(unit_packages) && set -x && go test -race -shuffle=on $$packages

.PHONY: virtual
virtual: ## real agents, raft and gossip in virtual time
	go test -shuffle=on ./$(VIRTUAL)

.PHONY: sim
sim: ## the simulator over SEEDS=n seeds, or over one SEED=n (SIM=flags)
	go run ./integration/sim/cmd/sim $(if $(SEED),-seed $(SEED),-seeds $(SEEDS)) $(SIM)

.PHONY: mutants
mutants: ## break the code on purpose, one check at a time: all must be caught (MUTANTS=words)
	go run ./integration/mutants -run '$(MUTANTS)'

.PHONY: mutants-listed
mutants-listed: # the few that every run of the tests tries
	go run ./integration/mutants -listed

.PHONY: lab
lab: tools ## tests on real Docker hosts (as root)
	@if [ "$$(id -u)" -eq 0 ]; then \
		set -x; go test -p 1 -count=1 -timeout 30m $(LAB_PACKAGES:%=./%); \
	else \
		echo "lab tests skipped: they make network namespaces and run Docker engines, which needs root"; \
	fi

.PHONY: chaos
chaos: tools ## faults on real Docker hosts for MINUTES=n (5), of SEED=n (CHAOS_SEED or 1), as root
	@if [ "$$(id -u)" -eq 0 ]; then \
		set -x; go run ./integration/chaos/cmd/chaos -minutes $(MINUTES) -seed $(or $(SEED),$(CHAOS_SEED),1); \
	else \
		echo "chaos skipped: it makes network namespaces and runs Docker engines, which needs root"; \
	fi

PREFIX ?= /usr/local

.PHONY: install
install: build ## muster and its systemd units, below PREFIX (/usr/local) and DESTDIR
	install -D -m 755 bin/muster '$(DESTDIR)$(PREFIX)/bin/muster'
	install -D -m 644 -t '$(DESTDIR)/etc/systemd/system' configs/systemd/muster.service configs/systemd/muster-dataplane.service

.PHONY: tools
tools: # what the lab needs; says nothing if nothing is missing
	@if [ "$$(id -u)" -eq 0 ]; then integration/lab/install/install.sh; fi

# fuzz_targets lists every package with each of its fuzz targets.
fuzz_targets = grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*_test.go:func | |' | sort -u

# A package is built once, for all of its targets: linking takes longer than a
# short run, and so would making each new input small. What fails is kept in the
# package's testdata/fuzz.
.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (10s, or a number of inputs: 100000x)
	@mkdir -p bin/fuzz; built=; $(fuzz_targets) | while read -r package target; do \
		binary=$(CURDIR)/bin/fuzz/$$(echo "$$package" | tr / -).test; \
		if [ "$$package" != "$$built" ]; then go test -c -fuzz . -o "$$binary" "$$package" || exit 1; built=$$package; fi; \
		echo "$$package $$target"; \
		(cd "$$package" && "$$binary" -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(FUZZTIME) -test.fuzzminimizetime 100x -test.parallel 2 \
			-test.fuzzcachedir "$$(go env GOCACHE)/fuzz/$$(go list -f '{{.ImportPath}}' .)") || exit 1; \
	done

# A number of runs, not a time: what is in flight when a time is over can be taken
# for a failure (go.dev/issue/75804, mended in Go 1.27).
.PHONY: fuzz-short
fuzz-short: ## every fuzz target with 65000 inputs
	@$(MAKE) --no-print-directory fuzz FUZZTIME=65000x

.PHONY: bench
bench: bench-micro bench-failover bench-rollout bench-placement ## all benchmarks

.PHONY: bench-micro
bench-micro: ## Go benchmarks of single packages
	@$(unit_packages) && go test -run '^$$' -bench . -benchmem $$packages | grep -v 'no test files'

.PHONY: bench-failover
bench-failover: build root tools ## seconds until all runs again after a host's death (RUNS=n, JSON=FILE)
	go run ./integration/bench/failover -runs $(RUNS) -json '$(JSON)'

.PHONY: bench-rollout
bench-rollout: build root tools ## requests that fail while a service is updated, drained and killed (PART=0.2, JSON=FILE)
	go run ./integration/bench/rollout -part $(PART) -json '$(JSON)'

.PHONY: bench-placement
bench-placement: ## how well placement uses hosts, on recorded workloads, and how fast it is (TRACES=DIR, ONLY=A,B,..., RUNS=n, JSON=FILE, VARIANTS=1)
	go run ./integration/bench/placement -traces '$(TRACES)' -runs $(RUNS) -only '$(ONLY)' -json '$(JSON)' $(if $(VARIANTS),-variants)

.PHONY: demo
demo: build root tools ## three Docker hosts here, a cluster, a deploy, a host's death
	@go run ./integration/demo

.PHONY: demo-up
demo-up: build root tools ## the same without the death, left up
	@go run ./integration/demo -up

.PHONY: demo-down
demo-down: root ## takes down what demo-up left
	@go run ./integration/demo -down

.PHONY: root
root:
	@if [ "$$(id -u)" -ne 0 ]; then \
		echo "this target runs Docker hosts, which needs root: sudo env \"PATH=\$$PATH\" make $(MAKECMDGOALS)" >&2; exit 1; \
	fi
