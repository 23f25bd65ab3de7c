# One command does one thing, also on a fresh machine: every target that needs the environment makes it first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup test test-fast test-newest lint format docs notebooks quickstart results contest benchmark wheel clean

VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
PYTHONS := python3.11 python3.12 python3.13 python3
NEWEST := .venv-newest
QUICKSTART_ARGS ?=
ONLY ?=
CONTEST_ARGS ?= --help
BENCHMARK_ARGS ?= --help
PYTEST_ARGS ?=
ALSO ?=
# the files with slow tests, as reading all files takes longer; none if arguments may name files
SLOW = $(if $(PYTEST_ARGS),,$(sort $(shell grep -rl --include='test_*.py' 'mark\.slow' tests)))
# two processes with one thread each: the tests are small, and threads would wait for each other
PYTEST = OMP_NUM_THREADS=1 $(PY) -m pytest -n 2 --dist loadfile

# all requirements of pyproject.toml, extras included, one a line, without "<"
define WITHOUT_BOUNDS
import re, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
lines = [*project["dependencies"], *sum(project["optional-dependencies"].values(), [])]
print(*(re.sub(",?<[^,]*", "", line) for line in lines if not line.startswith(project["name"])), sep="\n")
endef
export WITHOUT_BOUNDS

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
	@# bytecode of all 26,000 modules takes a minute: Python makes that of the modules which it imports
	@$(PY) -m pip install --quiet --no-compile --editable '.[dev]'
	@touch $@

# ALSO: further targets for the time before the tests, when a core would be free, such as `quickstart`
test: $(STAMP)  ## run all checks: style, types, documentation, fast tests, slow tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync $(ALSO) lint docs
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)
	$(PYTEST) -m slow --no-loadscope-reorder $(SLOW) $(PYTEST_ARGS)

test-fast: $(STAMP)  ## run the fast tests only
	$(PYTEST) -m "not slow" $(PYTEST_ARGS)

# Anemoi moves fast: this tells early what its next version breaks. Not a part of CI, as it may fail at any time.
test-newest: $(STAMP)  ## run the fast tests with the newest of everything, without our upper bounds, in .venv-newest
	@test -x $(NEWEST)/bin/python || $(PY) -m venv $(NEWEST)
	@mkdir -p build
	@$(PY) -c "$$WITHOUT_BOUNDS" > build/newest.txt
	$(NEWEST)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --requirement build/newest.txt
	$(NEWEST)/bin/python -m pip install --quiet --no-deps --editable .
	OMP_NUM_THREADS=1 $(NEWEST)/bin/python -m pytest -n 2 --dist loadfile -m "not slow" $(PYTEST_ARGS)

lint: $(STAMP)  ## check style and types
	$(PY) -m ruff check --quiet .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(STAMP)  ## fix the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: $(STAMP)  ## build the documentation site in build/docs/html; a warning is an error
	$(PY) -m sphinx --quiet --fail-on-warning --keep-going -d build/docs/doctrees docs build/docs/html

notebooks: $(STAMP)  ## execute the notebooks and store their output
	@mkdir -p build/notebooks && cp notebooks/*.ipynb build/notebooks/
	cd build/notebooks && PATH="$(CURDIR)/$(VENV)/bin:$$PATH" OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore \
	  jupyter execute --inplace *.ipynb
	@cp build/notebooks/*.ipynb notebooks/

quickstart: $(STAMP)  ## run sample -> dataset -> training -> one year -> report, in build/quickstart
	$(VENV)/bin/anemoi-ailand quickstart $(QUICKSTART_ARGS)

# Data: $AILAND_REFERENCE (the dataset), $AILAND_TOWERS, $AILAND_REAL and $AILAND_NATURE (folders), and
# $AILAND_DIFFERENCES (ecLand's finite differences); a part without its data is skipped.
results: $(STAMP)  ## renew docs/results and the numbers of README.md: ONLY='real-weather site'
	$(PY) -m tools.results $(ONLY)

contest: $(STAMP)  ## compare recipes: CONTEST_ARGS='reference dataset=reference.zarr'
	$(PY) -m benchmarks.contest $(CONTEST_ARGS)

benchmark: $(STAMP)  ## measure speed: BENCHMARK_ARGS='training --dataset dataset.zarr', or 'rollout ...'
	$(PY) -m benchmarks.speed $(BENCHMARK_ARGS)

wheel: $(STAMP)  ## build the wheel in dist
	$(PY) -m build --wheel --no-isolation --outdir dist .

clean:  ## remove the outputs of all targets except .venv
	rm -rf build dist docs/api/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
