# Two commands matter: `make run` does the main job, `make test` passes the tests.
# Both install what is missing first and need nothing else.

CARGO ?= cargo
SERIES ?= v6
ARGS ?=

.PHONY: help run test check deps build bench clean

help:
	@echo 'make run     install what is missing, build, run `orchestrator run series $(SERIES)`'
	@echo 'make test    install what is missing, pass all tests, the real kernel included'
	@echo 'make check   formatting, lints and the tests that need no kernel'
	@echo 'make deps    install the Debian packages that are missing'
	@echo 'make bench   measure what docs/performance.md states'

run: deps build
	target/debug/orchestrator run series $(SERIES) $(ARGS)

build:
	$(CARGO) build --locked

deps:
	@scripts/deps

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --workspace

test: deps check build
	$(CARGO) test --locked --package orchestrator --test real_kernel -- --ignored --nocapture --test-threads=1

bench: deps build
	scripts/bench

clean:
	$(CARGO) clean
