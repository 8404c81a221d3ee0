# Préau. `make` prints this help.
.DEFAULT_GOAL := help
.SHELLFLAGS := -eu -o pipefail -c
SHELL := bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

help: ## print what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.demo ## set everything up and start the demo: hub :8000, demo service :8001, worker
	@exec $(BIN)/preau demo

test: $(VENV)/.dev ## run the whole suite, real servers included
	@tools/debian-packages tests
	@$(BIN)/pytest $(PYTEST)

check: $(VENV)/.dev ## lint and types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.dev ## figures, as ratios within one run
	@$(BIN)/python -m tests.bench

report: $(VENV)/.dev ## catalogue and feature ids with their tests and verdict
	@$(BIN)/python -m tests.report

docs: $(VENV)/.dev ## write the generated reference pages
	@$(BIN)/python -m tools.reference

lock: ## pin the dependencies again, with hashes
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet uv
	@$(VENV)-lock/bin/uv pip compile setup.cfg --extra demo --universal --python-version 3.11 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock" -o requirements.txt
	@$(VENV)-lock/bin/uv pip compile setup.cfg --extra demo --extra dev --universal --python-version 3.11 --generate-hashes --no-annotate --quiet \
		--custom-compile-command "make lock" -o requirements-dev.txt

clean: ## remove the virtual environment and the demo instance
	rm -rf $(VENV) $(VENV)-lock var

$(VENV)/.base:
	@tools/debian-packages run $(PYTHON)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.base requirements.txt setup.cfg
	@echo "Installing Préau (first run: a minute or two)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements-dev.txt setup.cfg
	@echo "Installing Préau and its test tools (first run: a minute or two)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.demo

.PHONY: help run test check bench report docs lock clean
