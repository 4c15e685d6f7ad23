# The commands of genregraph. They need Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.PHONY: help setup frontend demo run test slowtests coverage audit lint lintfrontend format bench schema train tune evaluate notebooks lock deploychecks clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --extra dev --output-file
# The image's part of the lock, in the same versions, and what builds it.
IMAGE_LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --constraints requirements.lock --output-file

# The browser pages. Without npm a plain form takes their place.
PAGES := app/playground
PAGE_SOURCES := $(wildcard $(addprefix $(PAGES)/,*.html *.ts package-lock.json public/* src/*/*))
HAS_NODE := node -e 'const [major, minor] = process.versions.node.split("."); process.exit(+(major < 20 || (major == 20 && minor < 19)))' 2> /dev/null && command -v npm > /dev/null

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(VENV)/pages ## Make the virtual environment from the hashed lock; build the browser pages where npm is.

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genregraph needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 setup")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# A failure to build the pages is no reason to have no service: it is told, and the plain form stays.
$(VENV)/pages: $(INSTALLED) $(PAGE_SOURCES)
	@if ! { $(HAS_NODE); }; then \
		echo "The browser gets a plain form: its full pages need Node.js 20.19 or newer and npm; then run make frontend."; \
	elif ! $(MAKE) --no-print-directory frontend; then \
		echo "The pages could not be built, and the browser gets a plain form. To try again: make frontend."; \
	fi
	@touch $@

frontend: $(PAGES)/dist/index.html ## Build the browser pages: the one for people and the playground. Needs npm.

$(PAGES)/dist/index.html: $(PAGE_SOURCES) $(PAGES)/node_modules/.package-lock.json
	npm run --silent --prefix $(PAGES) build

$(PAGES)/node_modules/.package-lock.json: $(PAGES)/package-lock.json
	npm ci --silent $(if $(wildcard $(PAGES)/node_modules/@biomejs),,--omit=dev) --prefix $(PAGES)
	@touch $@

demo: setup ## The main job: start, classify the sample songs, query them, stop.
	@$(BIN)/genregraph demo

run: setup ## Serve on http://127.0.0.1:8000/graphql until Ctrl-C.
	@$(BIN)/genregraph serve

test: setup ## Run the tests, but for the slow ones.
	$(BIN)/pytest -n 2 -m 'not slow'

slowtests: setup ## Run the slow ones: faults, deployments, browsers, notebooks.
	$(BIN)/pytest -n 2 -m slow

coverage: setup ## Run all tests with branch coverage, which takes twice as long.
	$(BIN)/pytest -n 2 --cov

audit: setup ## Attack a service of its own with the tools there are, and look for known vulnerabilities.
	@$(BIN)/python -m tests.audit

lint: setup lintfrontend ## Check style, types, imports between rooms, the lock, and the pages where npm is.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@mkdir -p build && cp requirements.lock build/requirements.lock
	@$(LOCK) build/requirements.lock pyproject.toml
	@diff requirements.lock build/requirements.lock > /dev/null || { echo "requirements.lock does not match pyproject.toml: run make lock"; exit 1; }
	@cp deploy/requirements.lock build/image.lock && cp deploy/build-requirements.lock build/image-build.lock
	@$(IMAGE_LOCK) build/image.lock --extra otel pyproject.toml
	@$(IMAGE_LOCK) build/image-build.lock deploy/build-requirements.in
	@diff deploy/requirements.lock build/image.lock > /dev/null && diff deploy/build-requirements.lock build/image-build.lock > /dev/null || { echo "the locks in deploy/ do not match requirements.lock: run make lock"; exit 1; }

lintfrontend:
	@if ! { $(HAS_NODE); }; then \
		echo "The browser pages are not checked: that needs Node.js 20.19 or newer and npm."; \
	elif ! test -d $(PAGES)/node_modules/@biomejs && ! npm ci --silent --prefix $(PAGES); then \
		echo "The browser pages are not checked: npm could not install what that needs."; \
	else \
		npm run --silent --prefix $(PAGES) check; \
	fi

format: setup ## Let ruff format and fix what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure prediction, requests, batches of up to a million songs, growth to ten million, and bulk.
	$(BIN)/python -m tests.benchmarks.prediction
	$(BIN)/python -m tests.benchmarks.classify_batch
	$(BIN)/python -m tests.benchmarks.parallelism
	$(BIN)/python -m tests.benchmarks.throughput
	$(BIN)/python -m tests.benchmarks.bulk
	$(BIN)/python -m tests.benchmarks.growth

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

lock: setup ## Write requirements.lock anew from pyproject.toml, and the image's part of it.
	$(LOCK) requirements.lock pyproject.toml
	$(IMAGE_LOCK) deploy/requirements.lock --extra otel pyproject.toml
	$(IMAGE_LOCK) deploy/build-requirements.lock deploy/build-requirements.in

CHECKS := deploy/checks

deploychecks: $(CHECKS)/.venv/installed ## Install what tests/deploy looks at the files for Docker and Kubernetes with.
	@if command -v npm > /dev/null; then npm ci --silent --prefix $(CHECKS); fi

$(CHECKS)/.venv/installed: $(CHECKS)/requirements.lock
	$(PYTHON) -m venv $(CHECKS)/.venv
	$(CHECKS)/.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

clean: ## Remove what the commands made, the embedded database included.
	rm -rf $(VENV) $(PAGES)/node_modules $(PAGES)/dist .genregraph build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
