# make demo    everything at once, offline, on the built-in data and model; again replaces what the last one wrote
# make dist    wheel and sdist in dist/, looked into and tried in an environment of their own
# make test    format, types, import direction and all tests
# make torture faults by the thousand: kills, stops, full disks, damaged files, mutated rows, large inputs; N=0.05 for a few
# Each makes the virtual environment .venv on first use, and installs again when the requirements change: demo the package
# alone, the others what its development needs too.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
PACKAGE := .venv/.installed-package
INSTALLED := .venv/.installed
# The oldest transformers that a checkpoint of ours has to open in, as a library tree of its own: one environment
# cannot hold two versions, so a test runs a subprocess with PYTHONPATH set to this folder.
OLD := .oracles/transformers-4.57.6
# Named, since .oracles is ignored by ruff in a git checkout only, not in an unpacked archive.
CODE := src tests $(wildcard benchmarks examples) scripts/make-dist scripts/make-stubs
DEMO_OPTIONS ?=
N ?= 1

.PHONY: help demo dist test torture check format clean

help:
	@sed -n 's/^# make /  make /p' Makefile

demo: $(PACKAGE)
	$(BIN)/rewardsmith demo --overwrite $(DEMO_OPTIONS)

dist: $(INSTALLED)
	$(BIN)/python scripts/make-dist dist

test: check $(OLD)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -q

torture: $(INSTALLED)
	$(BIN)/python benchmarks/torture --scale $(N)

check: $(INSTALLED)
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(INSTALLED)
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

clean:
	rm -rf dist .venv .oracles .pytest_cache .mypy_cache .ruff_cache .hypothesis

# pip reads the pinned torch from constraints.txt; -c (not -r) so that the environment stays what pyproject.toml asks for.
$(PACKAGE): pyproject.toml constraints.txt scripts/make-venv
	scripts/make-venv .venv
	$(PIP) install -q -c constraints.txt -e .
	@touch $@

$(INSTALLED): $(PACKAGE)
	$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $@

$(OLD)/.installed: $(INSTALLED)
	@test -f $@ || $(PIP) install -q --no-deps --target $(OLD) \
		transformers==4.57.6 tokenizers==0.22.1 huggingface_hub==0.36.0
	@touch $@
