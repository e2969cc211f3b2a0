# Needs python3 (3.11 or newer) and make; everything else is installed into .venv from the hashed uv.lock.
PYTHON ?= python3
BIN := .venv/bin
# uv keeps the interpreter of .venv and never looks for another one.
UV := UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never $(BIN)/uv

.DEFAULT_GOAL := install
.PHONY: install lint test docs demo bench long

install: .venv/installed

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dqmon needs Python 3.11 or newer; run: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# --inexact: uv itself stands in .venv and is not in the lock.
.venv/installed: pyproject.toml uv.lock | .venv/bin/uv
	$(UV) sync --locked --inexact --all-extras --quiet
	@touch $@

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/python docs/generate.py --check

test: install
	$(BIN)/python -m pytest -n 2 -m "not long" --ignore=tests/benchmarks

docs: install
	$(BIN)/python docs/generate.py

demo: install
	$(BIN)/dqmon demo

bench: install
	$(BIN)/python -m pytest -m "not long" -s tests/benchmarks

# Minutes of chaos and load: 1,000 kill -9 cycles, 100,000 random sequences, the 5-minute lateness run.
long: install
	$(BIN)/python -m pytest -m long -s tests
