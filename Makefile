# Two commands matter: `make run` does the main job, `make test` passes the tests.
# Both install what is missing first and need nothing else.

CARGO ?= cargo
SERIES ?= v6
ARGS ?=

.PHONY: help run test test-lab faults check deps deps-full deps-test build bench clean

help:
	@echo 'make run        install what is missing, build, run `orchestrator run series $(SERIES)`'
	@echo 'make test       install what is missing, pass all tests, the real kernel included'
	@echo 'make test-lab   pass those tests of the lab, too, that take long: v6 on a box, crashes of Slurm'
	@echo 'make faults     do faults to real runs: hundreds of kills, full disks, damaged files, dying tools'
	@echo 'make check      formatting, lints and the tests that need no kernel'
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make deps-full  the same, with the compilers of the profiles full and nightly, and sparse'
	@echo 'make deps-test  the same, with the servers that only the tests talk to'
	@echo 'make bench      measure what docs/performance.md states'

run: deps build
	target/debug/orchestrator run series $(SERIES) $(ARGS)

build:
	$(CARGO) build --locked

deps:
	@scripts/deps

deps-test:
	@scripts/deps --test

deps-full:
	@scripts/deps --full

check:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	$(CARGO) test --locked --workspace

# What needs a kernel, a mail server, an archive, cron, b4, labgrid, Slurm or a box behind a BMC; each of them the real one.
test: deps-test check build
	$(CARGO) test --locked --package orchestrator --test real_lists -- --ignored
	if scripts/has-pip; then \
	    $(CARGO) test --locked --package orchestrator --test real_places --test real_labgrid -- --ignored; \
	else echo 'the tests of KCIDB, b4 and labgrid are left out: pip cannot install their packages'; fi
	if [ -x /usr/sbin/exim4 ] && [ "$$(id -u)" = 0 ]; then \
	    $(CARGO) test --locked --package orchestrator --test real_mail -- --ignored --test-threads=1; \
	else echo 'the tests of mail are left out: they need root and Exim'; fi
	$(CARGO) test --locked --package orchestrator --test real_nightly -- --ignored $(if $(filter 0,$(shell id -u)),,--skip cron_starts_it)
	$(CARGO) test --locked --package orchestrator --test real_kernel -- --ignored --nocapture --test-threads=1
	$(CARGO) test --locked --package orchestrator --test real_faults -- --ignored --nocapture --test-threads=1 short
	$(CARGO) test --locked --package orchestrator --test real_hostile -- --ignored
	$(CARGO) test --locked --package orchestrator --test real_lava -- --ignored --test-threads=1
	$(CARGO) test --locked --package orchestrator --test real_slurm -- --ignored --test-threads=1 two_runs
	if scripts/has-pip; then \
	    $(CARGO) test --locked --package orchestrator --test real_box -- --ignored --nocapture --test-threads=1 b_a_panic e_one; \
	else echo 'the tests of boxes are left out: pip cannot install their Redfish service'; fi

# The whole lab: v6, a hang, a wrong kernel and a dead BMC on a box, crashes of Slurm and of its nodes. Half an hour more.
test-lab: deps-test build
	scripts/lab/selftest
	$(CARGO) test --locked --package orchestrator --test real_slurm -- --ignored --test-threads=1
	$(CARGO) test --locked --package orchestrator --test real_box -- --ignored --nocapture --test-threads=1

# All faults of docs/reliability.md. The kills alone take an hour and more: FAULTS_KILLS and FAULTS_SEED say how many.
faults: deps-test build
	$(CARGO) test --locked --package orchestrator --test real_faults -- --ignored --nocapture --test-threads=1

bench: deps build
	scripts/bench

clean:
	$(CARGO) clean
