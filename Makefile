# The commands of genregraph. They need Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.PHONY: help setup demo run test lint format bench schema train tune evaluate notebooks lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --extra dev --output-file

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Make the virtual environment from the hashed lock.

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genregraph needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## The main job: start, classify the sample songs, query them, stop.
	@$(BIN)/genregraph demo

run: setup ## Serve on http://127.0.0.1:8000/graphql until Ctrl-C.
	@$(BIN)/genregraph serve

test: setup ## Run the tests, with branch coverage.
	$(BIN)/pytest -n 2 --cov

lint: setup ## Check style, types, imports between rooms, and the lock.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@mkdir -p build && cp requirements.lock build/requirements.lock
	@$(LOCK) build/requirements.lock pyproject.toml
	@diff requirements.lock build/requirements.lock > /dev/null || { echo "requirements.lock does not match pyproject.toml: run make lock"; exit 1; }

format: setup ## Let ruff format and fix what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure prediction beside the plain recipe, and whole requests beside the floor.
	$(BIN)/python -m tests.benchmarks.prediction
	$(BIN)/python -m tests.benchmarks.classify_batch

schema: setup ## Export the GraphQL schema to schema.graphql.
	$(BIN)/genregraph schema --out schema.graphql

FEATURES ?= data/sample/features.csv
LABELS ?= data/sample/labels.csv
LYRICS ?=
OUT ?= build/model

train: setup ## Train a model: make train FEATURES=… LABELS=… [LYRICS=…] OUT=…
	$(BIN)/genregraph train --features $(FEATURES) --labels $(LABELS) $(if $(LYRICS),--lyrics $(LYRICS)) --out $(OUT)

TRIALS ?= 100

tune: setup ## Search for parameters: make tune FEATURES=… LABELS=… [LYRICS=…] TRIALS=…; again goes on.
	$(BIN)/genregraph tune --features $(FEATURES) --labels $(LABELS) $(if $(LYRICS),--lyrics $(LYRICS)) --trials $(TRIALS) --processes 2 --storage build/tuning.journal --out build/parameters.json

evaluate: setup ## Score the model in OUT: make evaluate FEATURES=… LABELS=… [LYRICS=…] OUT=…
	$(BIN)/genregraph evaluate --features $(FEATURES) --labels $(LABELS) $(if $(LYRICS),--lyrics $(LYRICS)) --model $(OUT)

notebooks: setup ## Execute the notebooks in place, on ../shared/data if it is there.
	$(BIN)/python notebooks/execute.py

lock: setup ## Write requirements.lock anew from pyproject.toml.
	$(LOCK) requirements.lock pyproject.toml

clean: ## Remove what the commands made, the embedded database included.
	rm -rf $(VENV) .genregraph build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
