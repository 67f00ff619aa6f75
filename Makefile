# Every target sets up what it needs by itself; see tools/setup.sh and tools/ci.sh.
# ARGS are handed on: make demo ARGS="--on sim", make test ARGS="tests/unit -k password".

ARGS ?=
CI := sh tools/ci.sh

# CI may start us with an empty environment.
ifeq ($(origin PATH),undefined)
export PATH := /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo quick test check docs picture firmware size bench renode powercut nightly fuzz killsweep mutation clean distclean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

setup:  ## Install tools and packages, nothing else
	@$(CI) setup dev

demo:  ## A device from bare board to end of support, on the emulated board
	@$(CI) demo $(ARGS)

quick:  ## Format, lint, architecture and dual tests, in under a minute
	@$(CI) quick $(ARGS)

test:  ## All tests: unit, dual, property, power cut, interop, emulated board, demo
	@$(CI) test $(ARGS)

check:  ## Format, lint, types, import rules, MicroPython dialect
	@$(CI) check

docs:  ## The documentation site, in build/site; a broken link fails
	@$(CI) docs $(ARGS)

picture:  ## The picture of the demo, docs/assets/demo.svg, from a run on the simulator
	@$(CI) picture $(ARGS)

firmware:  ## Build boot ROM and firmware for the emulated board
	@$(CI) firmware $(ARGS)

size:  ## Firmware size by part
	@$(CI) size $(ARGS)

bench:  ## Instructions and bytes beside the best known figures (ARGS="--json FILE"; --station: the factory)
	@$(CI) bench $(ARGS)

renode:  ## The board's scenarios under Renode, where it is installed
	@$(CI) renode $(ARGS)

powercut:  ## Power cuts at every flash operation of every flow, in the simulator
	@$(CI) powercut $(ARGS)

fuzz:  ## Every parser of foreign bytes, coverage-guided, 20 s each (ARGS=60: seconds)
	@$(CI) fuzz $(ARGS)

nightly:  ## The tests with long property runs and full power-cut sweeps
	@$(CI) nightly $(ARGS)

killsweep:  ## A thousand stations killed at every step, on SQLite and PostgreSQL
	@$(CI) killsweep $(ARGS)

mutation:  ## Change one place at a time of what a unit trusts: does a test notice? (ARGS=device/trust/keyset.py)
	@$(CI) mutation $(ARGS)

clean:  ## Remove build output
	@$(CI) clean

distclean:  ## Remove build output, environment and downloads
	@$(CI) distclean
