# Requires Python 3.11 or newer and make.
.DEFAULT_GOAL := help
.PHONY: help setup frontend demo run test slowtests screenshots coverage audit lint lintfrontend format bench schema train tune evaluate notebooks docs release lock deploychecks clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
SERVING := $(VENV)/serving
CHECK_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "genregraph needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 setup")'
LOCK := $(PYTHON) deploy/install.py $(VENV) compile --quiet --universal --generate-hashes --no-header --no-annotate --extra dev --output-file
SERVING_LOCKS := deploy/requirements.lock deploy/local-requirements.lock deploy/build-requirements.lock
# The image's subset of the lock with the same versions, and its build requirements.
IMAGE_LOCK := $(PYTHON) deploy/install.py $(VENV) compile --quiet --universal --generate-hashes --no-header --no-annotate --constraints requirements.lock --output-file

# The browser pages. Without npm, a plain form replaces them.
PAGES := app/playground
PAGE_SOURCES := $(wildcard $(addprefix $(PAGES)/,*.html *.ts package-lock.json public/* src/*/*))
HAS_NODE := node -e 'const [major, minor] = process.versions.node.split("."); process.exit(+(major < 20 || (major == 20 && minor < 19)))' 2> /dev/null && command -v npm > /dev/null

help: ## Print this help.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) $(VENV)/pages ## Install the hashed lock into .venv; build the browser pages if npm is there.

# Neither resolves dependencies: see deploy/install.py.
$(INSTALLED): requirements.lock deploy/install.py
	@$(CHECK_PYTHON)
	@$(PYTHON) deploy/install.py $(VENV) requirements.lock --project
	@touch $@ $(SERVING)

# What serving needs. After `make setup`, update the complete installation instead.
$(SERVING): $(SERVING_LOCKS) deploy/install.py
	@$(CHECK_PYTHON)
	@if test -f $(INSTALLED); then \
		$(MAKE) --no-print-directory $(INSTALLED); \
	else \
		$(PYTHON) deploy/install.py $(VENV) $(SERVING_LOCKS) --project; \
	fi
	@touch $@

# Without npm, or if the build fails, the browser gets the plain form.
$(VENV)/pages: $(PAGE_SOURCES) | $(SERVING)
	@if ! { $(HAS_NODE); }; then \
		echo "Browsers get a plain form: the full pages need npm and Node.js 20.19 or newer. Then run: make frontend"; \
	elif ! $(MAKE) --no-print-directory frontend; then \
		echo "The pages could not be built; browsers get a plain form. To try again, run: make frontend"; \
	fi
	@touch $@

frontend: $(PAGES)/dist/index.html ## Build the browser pages. Needs npm.

$(PAGES)/dist/index.html: $(PAGE_SOURCES) $(PAGES)/node_modules/.package-lock.json
	npm run --silent --prefix $(PAGES) build

$(PAGES)/node_modules/.package-lock.json: $(PAGES)/package-lock.json
	npm ci --silent $(if $(wildcard $(PAGES)/node_modules/@biomejs),,--omit=dev) --prefix $(PAGES)
	@touch $@

demo: $(SERVING) ## Start the service, classify the sample songs, query them, stop.
	@$(BIN)/genregraph demo

run: $(SERVING) $(VENV)/pages ## Serve on http://127.0.0.1:8000/graphql until Ctrl-C.
	@$(BIN)/genregraph serve

# Two processes; each takes neighbouring tests, which share services, and at the end some of the other's.
PYTEST := $(BIN)/pytest -n 2 --dist worksteal

test: setup ## Run the tests except the slow ones.
	$(PYTEST) -m 'not slow'

slowtests: setup ## Run the slow tests: faults, deployments, browsers, notebooks, more examples.
	HYPOTHESIS_PROFILE=thorough $(PYTEST) -m 'slow or hypothesis'

screenshots: setup ## Update the screenshots in docs/. Needs Chromium.
	$(BIN)/pytest -q tests/browser -k 'sample or phone] or test_the_playground[playground]'
	cp build/screenshots/page-desktop.png docs/page.png
	cp build/screenshots/page-phone.png docs/page-phone.png
	cp build/screenshots/playground-desktop.png docs/playground.png

coverage: setup ## Run all tests with branch coverage, which takes twice as long.
	$(PYTEST) --cov

audit: setup ## Run security scanners against a local service, and check for known vulnerabilities.
	@$(BIN)/python -m tests.audit

lint: setup lintfrontend ## Check style, types, import rules, the locks and, with npm, the pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@mkdir -p build && cp requirements.lock build/requirements.lock
	@$(LOCK) build/requirements.lock pyproject.toml
	@diff requirements.lock build/requirements.lock > /dev/null || { echo "requirements.lock does not match pyproject.toml: run make lock"; exit 1; }
	@cp deploy/requirements.lock build/image.lock && cp deploy/build-requirements.lock build/image-build.lock && cp deploy/local-requirements.lock build/local.lock
	@$(IMAGE_LOCK) build/image.lock --extra otel pyproject.toml
	@$(IMAGE_LOCK) build/image-build.lock deploy/build-requirements.in
	@$(IMAGE_LOCK) build/local.lock deploy/local-requirements.in
	@diff deploy/requirements.lock build/image.lock > /dev/null && diff deploy/build-requirements.lock build/image-build.lock > /dev/null && diff deploy/local-requirements.lock build/local.lock > /dev/null || { echo "the locks in deploy/ do not match requirements.lock: run make lock"; exit 1; }

lintfrontend:
	@if ! { $(HAS_NODE); }; then \
		echo "Skipped the checks of the browser pages: they need npm and Node.js 20.19 or newer."; \
	elif ! test -d $(PAGES)/node_modules/@biomejs && ! npm ci --silent --prefix $(PAGES); then \
		echo "Skipped the checks of the browser pages: npm could not install their dependencies."; \
	else \
		npm run --silent --prefix $(PAGES) check; \
	fi

format: setup ## Format and fix the code with ruff.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Benchmark startup, prediction, reads against peers, batches, parallelism, throughput and bulk.
	$(BIN)/python -m tests.benchmarks.startup
	$(BIN)/python -m tests.benchmarks.prediction
	$(BIN)/python -m tests.benchmarks.reads
	$(BIN)/python -m tests.benchmarks.classify_batch
	$(BIN)/python -m tests.benchmarks.parallelism
	$(BIN)/python -m tests.benchmarks.throughput
	$(BIN)/python -m tests.benchmarks.reclassification
	$(BIN)/python -m tests.benchmarks.bulk

schema: setup ## Export the GraphQL schema to schema.graphql.
	$(BIN)/genregraph schema --out schema.graphql

FEATURES ?= data/sample/features.csv
LABELS ?= data/sample/labels.csv
LYRICS ?=
FURTHER ?=
OUT ?= build/model
TRAINING_FILES = --features $(FEATURES) --labels $(LABELS) $(if $(LYRICS),--lyrics $(LYRICS)) $(if $(FURTHER),--further $(FURTHER))

train: setup ## Train a model: make train FEATURES=… LABELS=… [LYRICS=…] [FURTHER=…] OUT=…
	$(BIN)/genregraph train $(TRAINING_FILES) --out $(OUT)

TRIALS ?= 100

tune: setup ## Search for parameters: make tune FEATURES=… LABELS=… [LYRICS=…] [FURTHER=…] TRIALS=…; run again to continue.
	$(BIN)/genregraph tune $(TRAINING_FILES) --trials $(TRIALS) --storage build/tuning.journal --out build/parameters.json

evaluate: setup ## Score the model in OUT: make evaluate FEATURES=… LABELS=… OUT=…
	$(BIN)/genregraph evaluate --features $(FEATURES) --labels $(LABELS) --model $(OUT)

notebooks: setup ## Execute the notebooks in place, with ../shared/data if available.
	$(BIN)/python notebooks/execute.py

release: setup docs ## Build and check the wheel, source distribution and release notes in dist/.
	@deploy/release.sh

# Mermaid draws the site's diagrams; npm verifies the download. Without npm, the site shows their source.
MERMAID := mermaid@12.3.0

docs: setup ## Build the documentation site into build/site.
	@if command -v npm > /dev/null && ! test -d build/mermaid/package; then \
		mkdir -p build/mermaid && cd build/mermaid && npm pack --silent $(MERMAID) > /dev/null && tar --extract --gzip --file mermaid-*.tgz package/dist/mermaid.min.js; \
	fi
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --config-file deploy/site/mkdocs.yml

lock: setup ## Update requirements.lock and the locks in deploy/ from pyproject.toml.
	$(LOCK) requirements.lock pyproject.toml
	$(IMAGE_LOCK) deploy/requirements.lock --extra otel pyproject.toml
	$(IMAGE_LOCK) deploy/build-requirements.lock deploy/build-requirements.in
	$(IMAGE_LOCK) deploy/local-requirements.lock deploy/local-requirements.in

CHECKS := deploy/checks

deploychecks: $(CHECKS)/.venv/installed ## Install the tools with which tests/deploy checks the Docker and Kubernetes files.
	@if command -v npm > /dev/null; then npm ci --silent --prefix $(CHECKS); fi

$(CHECKS)/.venv/installed: $(CHECKS)/requirements.lock
	@$(PYTHON) deploy/install.py $(CHECKS)/.venv $<
	@touch $@

clean: ## Remove everything that the commands created, including the embedded database.
	rm -rf $(VENV) $(PAGES)/node_modules $(PAGES)/dist .genregraph build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
