# Every target installs what it needs; see tools/setup.sh and tools/ci.sh.
# ARGS are passed on: make demo ARGS="--on sim", make test ARGS="tests/unit -k password".

ARGS ?=
CI := sh tools/ci.sh

# CI may start make with an empty environment.
ifeq ($(origin PATH),undefined)
export PATH := /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo quick test check docs picture firmware size dist bench evidence renode powercut nightly fuzz killsweep mutation coverage clean distclean

help:  ## List the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 18

setup:  ## Install tools and packages, nothing else
	@$(CI) setup dev

demo:  ## Show a device's life, from bare board to end of support, on the emulated board
	@$(CI) demo $(ARGS)

quick:  ## Run format, lint, architecture and dual tests, in under a minute
	@$(CI) quick $(ARGS)

test:  ## Run all tests: unit, dual, property, power cut, interop, emulated board, demo
	@$(CI) test $(ARGS)

check:  ## Check format, lint, types, import rules, MicroPython dialect and prose
	@$(CI) check

docs:  ## Build the documentation site in build/site; a broken link fails
	@$(CI) docs $(ARGS)

picture:  ## Draw docs/assets/demo.svg from a run of the demo on the simulator
	@$(CI) picture $(ARGS)

firmware:  ## Build boot ROM and firmware for the emulated board
	@$(CI) firmware $(ARGS)

dist:  ## Source archive and wheel in build/dist, the same bytes on every machine
	@$(CI) dist

size:  ## Print the firmware size by part
	@$(CI) size $(ARGS)

bench:  ## Measure instructions and bytes (ARGS="--json FILE"; --station: the factory)
	@$(CI) bench $(ARGS)

evidence:  ## Show which requirement which test of this checkout shows (ARGS="--test tests/dual": a part)
	@$(CI) evidence $(ARGS)

renode:  ## Run the board's scenarios under Renode, if it is installed
	@$(CI) renode $(ARGS)

powercut:  ## Cut the power at every flash operation of every flow, in the simulator
	@$(CI) powercut $(ARGS)

fuzz:  ## Fuzz every parser of untrusted bytes, 20 s each (ARGS=60: seconds)
	@$(CI) fuzz $(ARGS)

nightly:  ## Run all tests, with long property runs and full power-cut sweeps
	@$(CI) nightly $(ARGS)

killsweep:  ## Kill a thousand stations at every step, on SQLite and PostgreSQL
	@$(CI) killsweep $(ARGS)

mutation:  ## Change one place at a time in the trust code; list changes that no test notices (ARGS=FILE)
	@$(CI) mutation $(ARGS)

coverage:  ## Lines of device/ that run on CPython and on the emulated board (ARGS="--json FILE")
	@$(CI) coverage $(ARGS)

clean:  ## Remove build output
	@$(CI) clean

distclean:  ## Remove build output, environment and downloads
	@$(CI) distclean
