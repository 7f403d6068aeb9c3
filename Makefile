# Two commands matter: `make run` does the main job, `make test` passes the tests.
# Both install what is missing first and need nothing else.

CARGO ?= cargo
SERIES ?= v6
ARGS ?=

.PHONY: help run test test-lab faults check fuzz mutants coverage deps deps-full deps-test build deb package-files bench clean

help:
	@echo 'make run        install what is missing, build, run `orchestrator run series $(SERIES)`'
	@echo 'make test       install what is missing, pass all tests, the real kernel included'
	@echo 'make test-lab   pass those tests of the lab, too, that take long: v6 on a box, crashes of Slurm'
	@echo 'make faults     do faults to real runs: hundreds of kills, full disks, damaged files, dying tools'
	@echo 'make check      formatting, lints and the tests that need no kernel'
	@echo 'make fuzz       fuzz every reader of what strangers write: FUZZ_SECONDS=600 each, TARGETS="ktap klog" for some'
	@echo 'make mutants    does a unit test notice when the code that judges is changed? (needs cargo-mutants)'
	@echo 'make coverage   lines of the code that judges which its unit tests reach (needs cargo-llvm-cov)'
	@echo 'make deps       install the Debian packages that are missing'
	@echo 'make deps-full  the same, with the compilers of the profiles full and nightly, and sparse'
	@echo 'make deps-test  the same, with the servers that only the tests talk to'
	@echo 'make deb        make a Debian package (needs cargo-deb); docs/install.md'
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
	$(CARGO) test --locked --package orchestrator --test real_suites -- --ignored --nocapture --test-threads=1
	$(CARGO) test --locked --package orchestrator --test real_faults -- --ignored --nocapture --test-threads=1 short
	$(CARGO) test --locked --package orchestrator --test real_hostile -- --ignored
	$(CARGO) test --locked --package orchestrator --test real_lava -- --ignored --test-threads=1 --skip v6
	$(CARGO) test --locked --package orchestrator --test real_slurm -- --ignored --test-threads=1 two_runs a_fault
	if scripts/has-pip; then \
	    $(CARGO) test --locked --package orchestrator --test real_box -- --ignored --nocapture --test-threads=1 b_a_panic e_one g_a_box_boots_over; \
	else echo 'the tests of boxes are left out: pip cannot install their Redfish service'; fi

# The whole lab: v6, a hang, a wrong kernel and a dead BMC on a box, crashes of Slurm and of its nodes. Half an hour more.
test-lab: deps-test build
	scripts/lab/selftest
	$(CARGO) test --locked --package orchestrator --lib -- --ignored --nocapture --test-threads=1 memory_per_unit
	$(CARGO) test --locked --package orchestrator --test real_slurm -- --ignored --test-threads=1
	$(CARGO) test --locked --package orchestrator --test real_lava -- --ignored --nocapture --test-threads=1 v6
	$(CARGO) test --locked --package orchestrator --test real_box -- --ignored --nocapture --test-threads=1 \
	    $(if $(wildcard /usr/sbin/pdudaemon),,--skip pdudaemon)

# What a package has beside the program, made by the program itself.
package-files:
	$(CARGO) build --locked --release --package orchestrator
	rm -rf target/package
	target/release/orchestrator man target/package/man
	target/release/orchestrator completions bash >target/package/orchestrator.bash
	target/release/orchestrator completions zsh >target/package/_orchestrator
	target/release/orchestrator completions fish >target/package/orchestrator.fish

deb: package-files
	$(CARGO) deb --no-build --package orchestrator --output target/debian/

# A short run, which is the same every time, is among the tests.
fuzz: deps
	scripts/fuzz $(TARGETS)

mutants:
	scripts/mutants

coverage:
	@scripts/coverage

# All faults of docs/reliability.md. The kills alone take an hour and more: FAULTS_KILLS and FAULTS_SEED say how many.
faults: deps-test build
	$(CARGO) test --locked --package orchestrator --test real_faults -- --ignored --nocapture --test-threads=1

bench: deps build
	scripts/bench

clean:
	$(CARGO) clean
