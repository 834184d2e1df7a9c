# What a developer needs, with GNU make (3.81 or later) and Python 3.11 or later. `make` alone lists the targets.
#
#   make run ARGS="--traffic none"       other options of `mirante up`
#   make test TESTS=tests/unit           some of the tests
#   make test PYTHON=python3.12          another Python for a new .venv

PYTHON ?= python3
ARGS ?=
TESTS ?= tests/unit tests/pipeline
WORKERS ?= 3

VENV := .venv
BIN := $(VENV)/bin
# Named after the folder: a virtual environment does not survive being moved or copied.
STAMP := $(VENV)/.ready-$(firstword $(shell printf '%s' "$(CURDIR)" | cksum))

PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help

.PHONY: help
help:
	@echo 'make run [ARGS="..."]     start everything on this machine (mirante up ARGS); Ctrl-C stops it'
	@echo 'make test                 unit and pipeline tests, on the embedded broker and ClickHouse engine'
	@echo 'make lint                 ruff and mypy'
	@echo 'make kafka-test           pipeline and Kafka tests on Apache Kafka (needs Java 17 and Maven)'
ifneq ($(wildcard tests/bench),)
	@echo 'make bench [ARGS="..."]   measure throughput'
endif
ifneq ($(wildcard tests/chaos),)
	@echo 'make chaos [ARGS="..."]   kill things while events flow, then compare (ARGS="--seed N --minutes M")'
endif
	@echo 'make setup                only create or update $(VENV)'
	@echo 'make clean                remove $(VENV) and caches; data in .mirante stays'

.PHONY: setup
setup: $(STAMP)

# `exec`, so that make waits for the program itself: it stops in order on Ctrl-C and ends with 0, and make says nothing.
.PHONY: run
run: $(STAMP)
	@exec $(BIN)/mirante up $(ARGS)

.PHONY: test
test: $(STAMP)
	@exec $(PYTEST) $(TESTS)

.PHONY: lint
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: kafka-test
kafka-test: $(STAMP)
	@exec env MIRANTE_TEST_KAFKA=apache $(PYTEST) tests/pipeline tests/kafka

ifneq ($(wildcard tests/bench),)
.PHONY: bench
bench: $(STAMP)
	@exec $(BIN)/python -m tests.bench.throughput $(ARGS)
endif

ifneq ($(wildcard tests/chaos),)
.PHONY: chaos
chaos: $(STAMP)
	@exec $(BIN)/python -m tests.chaos $(ARGS)
endif

.PHONY: clean
clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

# Also when the interpreter of the environment has gone.
$(STAMP): pyproject.toml constraints.txt $(if $(wildcard $(BIN)/python),,FORCE)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'Mirante needs Python 3.11 or later; $(PYTHON) is' "$$($(PYTHON) --version 2>/dev/null || echo missing)." >&2; \
		echo 'Install it (Debian, Ubuntu: apt install python3 python3-venv; macOS: brew install python)' >&2; \
		echo 'or name another one: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot create virtual environments: its modules venv and ensurepip are missing.' >&2; \
		echo "Install them (Debian, Ubuntu: apt install python3-venv, or the python3.X-venv of your version)." >&2; \
		exit 1; }
	@if ! grep -qsF "$(CURDIR)/$(VENV)" $(BIN)/activate || ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		echo "Creating $(VENV) with $$($(PYTHON) --version) ..."; \
		$(PYTHON) -m venv --clear $(VENV) || exit 1; \
	fi
	@echo 'Installing the packages Mirante needs into $(VENV) (1.2 GB on disk; the first time takes a minute or two) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[embedded,dev]' || { \
		echo 'The packages could not be installed; what pip says is above. Check the network, then try again.' >&2; \
		exit 1; }
	@touch $@
	@echo '$(VENV) is ready.'

.PHONY: FORCE
FORCE:
