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
	@echo 'make slow-test            those that take a minute or so each: chaos, replays, workers that die'
	@echo 'make lint                 ruff and mypy'
	@echo 'make kafka-test           pipeline and Kafka tests on Apache Kafka (needs Java 17 and Maven)'
	@echo 'make sdk-test             the SDK in an environment of its own, with the real clients of providers'
	@echo 'make export-test          the readers of exports: datasets, TRL, openai/evals, and promptfoo where npm is (2 GB)'
	@echo 'make otel-test            real clients that export to a running Mirante, in an environment of their own'
ifneq ($(wildcard tests/bench),)
	@echo 'make sdk-bench            what a guarded call of the SDK costs'
	@echo 'make bench [ARGS="..."]   measure throughput'
	@echo 'make bench-smoke          run every benchmark for some seconds, to see that it works'
endif
ifneq ($(wildcard tests/chaos),)
	@echo 'make chaos [ARGS="..."]   kill things while events flow, then compare (ARGS="--seed N --minutes M")'
endif
	@echo 'make browser-test         the dashboard in Chromium (Debian: apt install chromium)'
	@echo 'make grafana-types        what `make test` then holds the Grafana boards to (needs npm)'
	@echo 'make models               make the models of guards and tones anew (ten minutes; fetches packages to train on)'
	@echo '                          with VECTORS=... the embedding (see its card)'
	@echo 'make docs                 the documentation as a site, in site/'
	@echo 'make setup                only create or update $(VENV)'
	@echo 'make clean                remove $(VENV), $(SDK_VENV), $(OTEL_VENV), $(EXPORT_VENV) and caches; data in .mirante stays'

.PHONY: setup
setup: $(STAMP)

# `exec`, so that make waits for the program itself: it stops in order on Ctrl-C and ends with 0, and make says nothing.
.PHONY: run
run: $(STAMP)
	@exec $(BIN)/mirante up $(ARGS)

.PHONY: test
test: $(STAMP)
	@exec $(PYTEST) -m 'not slow' $(TESTS)

# Kills, replays and races that take a minute or so each.
.PHONY: slow-test
slow-test: $(STAMP)
	@exec $(PYTEST) -m slow $(TESTS)

.PHONY: lint
lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: kafka-test
kafka-test: $(STAMP)
	@exec env MIRANTE_TEST_KAFKA=apache $(PYTEST) tests/pipeline tests/kafka

# The SDK is a distribution of its own: its environment holds the providers' clients that it wraps, and not Mirante.
SDK_VENV := .venv-sdk
SDK_STAMP := $(SDK_VENV)/.ready-$(firstword $(shell printf '%s' "$(CURDIR)" | cksum))

.PHONY: sdk-test
sdk-test: $(SDK_STAMP)
	@$(SDK_VENV)/bin/python -m pytest -c tests/sdk/pytest.ini tests/sdk $(ARGS)
	@cd sdk && ../$(SDK_VENV)/bin/ruff check . && ../$(SDK_VENV)/bin/mypy

ifneq ($(wildcard tests/bench),)
.PHONY: sdk-bench
sdk-bench: $(SDK_STAMP)
	@exec $(SDK_VENV)/bin/python -m tests.bench.sdk $(ARGS)
endif

$(SDK_STAMP): sdk/pyproject.toml sdk/constraints.txt $(if $(wildcard $(SDK_VENV)/bin/python),,FORCE)
	@echo 'Installing the SDK and the clients that it is tested with into $(SDK_VENV) ...'
	@$(PYTHON) -m venv --clear $(SDK_VENV)
	@$(SDK_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c sdk/constraints.txt -e './sdk[schema,kafka,test]'
	@touch $@

# Instrumentations replace parts of the clients that they watch: they have an environment of their own, and npm packages.
OTEL_VENV := .venv-otel
OTEL_STAMP := $(OTEL_VENV)/.ready-$(firstword $(shell printf '%s' "$(CURDIR)" | cksum))

.PHONY: otel-test
otel-test: $(STAMP) $(OTEL_STAMP) $(if $(shell command -v npm),tests/otel/vercel/node_modules/.package-lock.json)
	@exec $(OTEL_VENV)/bin/python -m pytest -c tests/otel/pytest.ini tests/otel $(ARGS)

$(OTEL_STAMP): tests/otel/requirements.txt tests/otel/constraints.txt sdk/pyproject.toml $(if $(wildcard $(OTEL_VENV)/bin/python),,FORCE)
	@echo 'Installing instrumentations and their clients into $(OTEL_VENV) ...'
	@$(PYTHON) -m venv --clear $(OTEL_VENV)
	@$(OTEL_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c tests/otel/constraints.txt -r tests/otel/requirements.txt
	@touch $@

tests/otel/vercel/node_modules/.package-lock.json: tests/otel/vercel/package.json
	@npm install --prefix tests/otel/vercel --silent --no-audit --no-fund --no-package-lock --ignore-scripts
	@touch $@

# TRL and openai/evals without what they would install of models: PyTorch is not needed to read a data set. With it in
# $(EXPORT_VENV) the trainer itself is tested too.
EXPORT_VENV := .venv-export
EXPORT_STAMP := $(EXPORT_VENV)/.ready-$(firstword $(shell printf '%s' "$(CURDIR)" | cksum))

.PHONY: export-test
export-test: $(EXPORT_STAMP) $(if $(shell command -v npm),tests/export/node_modules/.package-lock.json)
	@exec $(EXPORT_VENV)/bin/python -m pytest -c tests/export/pytest.ini tests/export $(ARGS)

$(EXPORT_STAMP): tests/export/requirements.txt tests/export/readers.txt $(if $(wildcard $(EXPORT_VENV)/bin/python),,FORCE)
	@echo 'Installing the readers of exports into $(EXPORT_VENV) ...'
	@$(PYTHON) -m venv --clear $(EXPORT_VENV)
	@$(EXPORT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/export/requirements.txt
	@$(EXPORT_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps -r tests/export/readers.txt
	@touch $@

tests/export/node_modules/.package-lock.json: tests/export/package.json
	@npm install --prefix tests/export --silent --no-audit --no-fund --no-package-lock --ignore-scripts
	@touch $@

# One process: the stack, its half an hour of traffic and the browser are shared by all tests.
.PHONY: browser-test
browser-test: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[browser,notebook]'
	@exec $(BIN)/python -m pytest tests/browser

# Types only: of TypeScript and of Grafana, nothing of which runs but the compiler.
.PHONY: grafana-types
grafana-types:
	@npm install --prefix tests/grafana --silent --no-audit --no-fund --no-package-lock --ignore-scripts

# The same sources and versions give the same cues, and the same weights but for their last thousandths.
# Refusals are trained on the development data too, where they are, and on packages that
# are fetched; translating takes a quarter of an hour.
SHARED ?= $(or $(MIRANTE_SHARED),../shared)

.PHONY: models
models: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
ifneq ($(wildcard $(SHARED)/data),)
	$(BIN)/python -m pip download --quiet --no-deps -d build/wheels pyrit==1.1.0 chatterbot-corpus==1.3.3
	MIRANTE_SHARED=$(SHARED) $(BIN)/python -m training.refusals.translated build/translations.jsonl build/wheels
	MIRANTE_SHARED=$(SHARED) $(BIN)/python -m training.refusals.train build/translations.jsonl build/wheels
	MIRANTE_SHARED=$(SHARED) $(BIN)/python -m training.refusals.cues build/wheels
endif
	$(BIN)/python -m training.attacks.packages
	$(BIN)/python -m training.attacks.questions --write
	$(BIN)/python -m training.attacks.documents --write
	$(BIN)/python -m training.labels.tone $(if $(TRANSLATIONS),--translations '$(TRANSLATIONS)')
ifneq ($(VECTORS),)
	$(BIN)/python -m training.embedding.train '$(VECTORS)'
endif

.PHONY: docs
docs: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

ifneq ($(wildcard tests/bench),)
.PHONY: bench
bench: $(STAMP)
	@exec $(BIN)/python -m tests.bench.throughput $(ARGS)

.PHONY: bench-smoke
bench-smoke: $(STAMP)
	@exec $(PYTEST) tests/bench
endif

ifneq ($(wildcard tests/chaos),)
.PHONY: chaos
chaos: $(STAMP)
	@exec $(BIN)/python -m tests.chaos $(ARGS)
endif

.PHONY: clean
clean:
	rm -rf $(VENV) $(SDK_VENV) $(OTEL_VENV) $(EXPORT_VENV) tests/export/node_modules tests/grafana/node_modules tests/otel/vercel/node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info

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
