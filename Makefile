# make run: set everything up and open the chat. make test: set everything up and check style, types and behaviour.
# The newest that works here: a name on PATH may stand for nothing (pyenv).
PYTHON ?= $(firstword $(foreach python,python3.13 python3.12 python3.11 python3,$(shell \
	$(python) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $(python))))
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test style types tests coverage clean setup faults soak attacks screenshots bench bench-quick
.SILENT: run setup $(READY)

run: setup
	exec $(BIN)/pyrochat

test: style types tests

setup: $(READY)

$(READY): pyproject.toml
	command -v "$(PYTHON)" >/dev/null || { echo "PyroChat needs Python 3.11, 3.12 or 3.13: install it, or name one with make PYTHON=..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	echo "setting up $(VENV) (once) ..." >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' >&2
	touch $@

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/mypy

tests: setup
	$(BIN)/pytest -n 6 --dist worksteal

coverage: setup
	$(BIN)/pytest --cov --cov-report=term-missing
	$(BIN)/coverage report --include='pyrochat/core/*,pyrochat/values/*' --fail-under=95

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Faults in real processes, then the history checker; see docs/reliability.md.
MINUTES ?= 10

faults: setup
	$(BIN)/python -m lab faults run --seconds 120

soak: setup
	$(BIN)/python -m lab faults run --seconds $$(( $(MINUTES) * 60 ))

# What strangers and members could try, against a real server; see docs/security.md.
attacks: setup
	$(BIN)/python -m lab attacks run
	$(BIN)/python -m lab attacks clients
	$(BIN)/python -m lab attacks hold
	$(BIN)/python -m lab attacks fuzz --frames 100000
	$(BIN)/python -m lab attacks flood

# The pictures in the README, drawn anew from a real room.
screenshots: setup
	$(BIN)/python -m screenshots
	$(BIN)/python -m screenshots.recording

# PyroChat beside what people would use instead; the results are in lab/benchmarks/results.
BENCH_READY := $(VENV)/.bench-ready

bench: $(BENCH_READY)
	$(BIN)/python -m lab benchmarks $(BENCH_OPTIONS)

bench-quick: $(BENCH_READY)
	$(BIN)/python -m lab benchmarks --quick $(BENCH_OPTIONS)

$(BENCH_READY): $(READY) lab/benchmarks/install.sh
	PYTHON=$(BIN)/python lab/benchmarks/install.sh
	touch $@
