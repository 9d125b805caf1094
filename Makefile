# make demo: install, train a plain and an equivariant network on rotated digits, audit both.
# make test: everything that CI runs.
# make thorough: the tests with all their cases; where there are many, or costly ones, make test runs some.
# Every target creates .venv when it is missing. Set EQUIVISION_DATA to a folder of real data for the tests that use it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= 2
DEMO_DIR ?= runs/demo
# What is never imported need not be compiled: a minute less.
PIP_OPTIONS := --quiet --disable-pip-version-check --no-compile -c constraints.txt
export TOKENIZERS_PARALLELISM := false

.PHONY: demo test thorough lint types contracts unit compile doctest readme docs bench clean help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile
	@echo "also: lint, docs, bench, clean"

# torch first, from the constraints, so that nothing else chooses another build of it.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else f"Python 3.11 or newer is needed, this is {v[0]}.{v[1]}: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_OPTIONS) torch
	$(BIN)/pip install $(PIP_OPTIONS) -e ".[all]"
	@touch $@

demo: $(VENV)/installed
	$(BIN)/python examples/demo.py --output $(DEMO_DIR)

# What uses one core goes side by side, the others have workers of their own.
test: $(VENV)/installed
	$(MAKE) -j $(WORKERS) lint contracts types doctest docs
	$(MAKE) unit compile readme
	@echo "all checks passed"

thorough: $(VENV)/installed
	$(BIN)/pytest -n $(WORKERS) tests

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/pyright

contracts: $(VENV)/installed
	$(BIN)/lint-imports --no-cache

# Shapes and types of every annotation are checked while a sample of the cases runs (tests/conftest.py): it doubles their time.
unit: $(VENV)/installed
	$(BIN)/pytest -n $(WORKERS) -m "not compile" --ignore=tests/docs --cases sample \
		--jaxtyping-packages=equivision,beartype.beartype tests
	$(BIN)/pytest -n $(WORKERS) -m "not compile" --ignore=tests/docs --cases others tests

# torch.compile does not go through the checking hook, hence a session without it.
compile: $(VENV)/installed
	$(BIN)/pytest -n $(WORKERS) -m compile --cases fewer tests/canonical tests/continuous tests/contract tests/functional tests/gauge tests/hyper tests/models tests/nn tests/permutation tests/scale tests/testing tests/volume

doctest: $(VENV)/installed
	$(BIN)/pytest --doctest-modules equivision

# The programs and commands that README, the documentation and examples/ show, run as they stand.
readme: $(VENV)/installed
	$(BIN)/pytest -n $(WORKERS) --cases fewer tests/docs

docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/installed
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) site runs .pytest_cache .ruff_cache
