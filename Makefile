# Needs python3 (3.11 or newer) and make; everything else is installed into .venv from the hashed requirements.lock.
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv pip

.DEFAULT_GOAL := install
.PHONY: install lock lint test docs demo bench bench-peers bench-anomaly long test-snowflake test-spark

install: .venv/installed

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dqmon needs Python 3.11 or newer; run: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

.venv/installed: pyproject.toml requirements.lock | .venv/bin/uv
	$(UV) install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(UV) install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# The newest versions that pyproject.toml admits, for every platform, with hashes.
lock: | .venv/bin/uv
	$(UV) compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --all-extras --group dev \
		--no-emit-index-url --no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements.lock

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/validate-pyproject pyproject.toml
	$(BIN)/python docs/generate.py --check

test: install
	$(BIN)/python -m pytest -n 3 --dist worksteal -m "not long"

docs: install
	$(BIN)/python docs/generate.py

demo: install
	$(BIN)/dqmon demo

# The suite against statements written by hand; figures go to docs/benchmarks.md. BENCH="--rows 1000000" makes it shorter.
bench: install
	$(BIN)/python -m pytest -m "not long" -s tests/benchmarks
	$(BIN)/python tests/benchmarks/suite/run.py --write $(BENCH)

# The same against other tools, which pip installs into environments of their own under .bench/.
bench-peers: install
	$(BIN)/python tests/benchmarks/suite/run.py --peers --write $(BENCH)

# Anomaly detection on the project's own series, and on a labelled split where one is: BENCH="--split FOLDER", or ANOMALY_SPLIT.
bench-anomaly: install
	$(BIN)/python tests/benchmarks/anomaly/bench.py --write $(BENCH)

# The contract suite against a stand-in of Snowflake, whose server needs an environment of its own (its connector is an older one).
.venv-snowflake/installed: | .venv/bin/uv
	$(PYTHON) -m venv .venv-snowflake
	$(UV) install --quiet --python .venv-snowflake/bin/python "fakesnow[server]==0.12.1" "snowflake-connector-python<5"
	@touch $@

test-snowflake: install .venv-snowflake/installed
	$(BIN)/python -m pytest -n 0 tests/contract/test_snowflake_server.py tests/contract/test_check_cases.py tests/contract/test_mirror.py tests/contract/test_same_suite.py -k snowflake

# The same against a real Spark: its Thrift server, from pyspark, in an environment of its own; needs Java 17.
.venv-spark/installed: | .venv/bin/uv
	$(PYTHON) -m venv .venv-spark
	$(UV) install --quiet --python .venv-spark/bin/python "pyspark==4.3.*"
	@touch $@

test-spark: install .venv-spark/installed
	$(BIN)/python -m pytest -n 0 tests/contract/test_check_cases.py tests/contract/test_spark_server.py tests/contract/test_same_suite.py -k spark

# Minutes of chaos and load: 1,000 kill -9 cycles, 100,000 random sequences, the 5-minute lateness run; and all random tables.
long: install
	$(BIN)/python -m pytest -m long -s tests
	DQMON_ALL_EXAMPLES=1 $(BIN)/python -m pytest -n 2 -m random tests
