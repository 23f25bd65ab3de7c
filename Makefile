# One command does one thing, also on a fresh machine: every target that needs the environment makes it first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup test test-fast lint format quickstart contest benchmark wheel clean

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTHONS := python3.11 python3.12 python3.13 python3
QUICKSTART_ARGS ?=
CONTEST_ARGS ?= --help
BENCHMARK_ARGS ?= --help
PYTEST_ARGS ?=
# two processes with one thread each: the tests are small, and threads would wait for each other
PYTEST = OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_PROGRESS_BAR := off

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP)  ## create the environment in .venv, or update it when pyproject.toml has changed

# A pyenv shim may point to a missing version, and a system Python may lack ensurepip: run it to find out.
$(STAMP): pyproject.toml
	@if ! $(PY) -m pip --version >/dev/null 2>&1; then \
	  for python in $(PYTHONS); do \
	    if $$python -c 'import ensurepip, sys, venv; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' \
	      >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$${found-}" ]; then \
	    echo "No Python 3.11, 3.12 or 3.13 with the venv module among: $(PYTHONS). Install one." >&2; exit 1; \
	  fi; \
	  echo "Creating $(VENV) with $$found"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	@echo "Installing anemoi-ailand and its dependencies into $(VENV); the first time takes some minutes"
	@$(PY) -m pip install --quiet --editable '.[dev]'
	@touch $@

test: lint  ## run all checks: style, types, fast tests, slow tests
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)
	$(PYTEST) -m slow --no-loadscope-reorder $(PYTEST_ARGS)

test-fast: $(STAMP)  ## run the fast tests only
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

lint: $(STAMP)  ## check style and types
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(STAMP)  ## fix the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

quickstart: $(STAMP)  ## run sample -> dataset -> training -> one year -> report, in build/quickstart
	$(VENV)/bin/anemoi-ailand quickstart $(QUICKSTART_ARGS)

contest: $(STAMP)  ## compare recipes: CONTEST_ARGS='reference dataset=reference.zarr'
	$(PY) -m benchmarks.contest $(CONTEST_ARGS)

benchmark: $(STAMP)  ## measure speed: BENCHMARK_ARGS='training --dataset dataset.zarr', or 'rollout ...'
	$(PY) -m benchmarks.speed $(BENCHMARK_ARGS)

wheel: $(STAMP)  ## build the wheel in dist
	$(PY) -m build --wheel --no-isolation --outdir dist .

clean:  ## remove the outputs of all targets except .venv
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
