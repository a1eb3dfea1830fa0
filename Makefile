# The two commands that matter: `make serve` and `make test`. `make help` lists the others.
.DEFAULT_GOAL := help
SHELL := /bin/sh

# The first Python that is new enough; name another with `make PYTHON=…`.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
PORT ?= 8000
NODE := tests/support/node
HOST_TOOLS := tests/support/host_tools
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Without compiled modules each test process rewrites the assertions of all test files, for ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/pyvenv.cfg:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: .venv/pyvenv.cfg pyproject.toml requirements-dev.lock
	$(BIN)/python -m pip install --quiet --constraint requirements-dev.lock --editable '.[serve]'
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/python -m pip install --quiet --constraint requirements-dev.lock --editable '.[dev,s3,serve,sql,tables]'
	@touch $@

$(NODE)/node_modules/.installed: $(NODE)/package-lock.json | test-tools
	npm ci --prefix $(NODE) --ignore-scripts --loglevel=error --no-audit --no-fund || npm ci --prefix $(NODE) --ignore-scripts --loglevel=error --no-audit --no-fund
	@touch $@

$(HOST_TOOLS)/node_modules/.installed: $(HOST_TOOLS)/package-lock.json | test-tools
	npm ci --prefix $(HOST_TOOLS) --ignore-scripts --loglevel=error --no-audit --no-fund || npm ci --prefix $(HOST_TOOLS) --ignore-scripts --loglevel=error --no-audit --no-fund
	@touch $@

# For programs of tests that are large, or whose dependencies conflict with those of this program.
.venv-tools/.installed: tests/support/exchange_tools/requirements.txt | .venv/.installed-dev
	$(BIN)/python -m venv .venv-tools
	.venv-tools/bin/python -m pip install --quiet --requirement tests/support/exchange_tools/requirements.txt
	@touch $@

.PHONY: serve
serve: .venv/.installed ## build this repository's own registry and serve it on http://127.0.0.1:8000
	$(BIN)/registry serve --port $(PORT)

.PHONY: test-tools
test-tools:
	@scripts/install-test-tools

.PHONY: lint
lint: .venv/.installed-dev ## format, lint, types, import layers
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: test
test: lint test-tools $(NODE)/node_modules/.installed ## lint, types, layers, unit, integration and browser tests
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder -m 'not engine and not soak'

.PHONY: test-engines
test-engines: .venv/.installed-dev .venv-tools/.installed $(HOST_TOOLS)/node_modules/.installed ## SQL tables on MariaDB and PostgreSQL, the site on Caddy, Apache and programs of Cloudflare and Netlify, publishing to sshd and Ceph, exports in systemd, supervisord, honcho, docker-compose, cwltool and Slurm; installs them where they are missing
	@scripts/install-engines
	$(BIN)/pytest -m engine

.PHONY: coverage
coverage: .venv/.installed-dev test-tools $(NODE)/node_modules/.installed ## the same tests with branch coverage, which takes a third longer
	$(BIN)/coverage erase
	$(BIN)/pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder -m 'not engine and not soak' --cov --cov-branch --cov-report=term

.PHONY: test-fast
test-fast: .venv/.installed-dev ## the tests that take under a minute: no browser, no server, no long histories
	$(BIN)/pytest --quiet --numprocesses=auto --dist=loadfile -m 'not slow and not engine and not soak'

.PHONY: accept
accept: .venv/.installed-dev ## write generated documents and expected outputs again; read the difference
	$(BIN)/python scripts/generate_docs.py
	$(BIN)/registry schema --write
	$(BIN)/python -m tests.changes.golden
	$(BIN)/python -m tests.cli.golden_help
	$(BIN)/ruff format --quiet

.PHONY: screenshots
screenshots: .venv/.installed-dev test-tools ## save a picture of every type of page in both themes and two sizes in screenshots/
	$(BIN)/python scripts/screenshots.py

.PHONY: soak
soak: .venv/.installed-dev ## test ids in 1,000 generated histories and 200 killed indexers, 10,000 edits under a server, killed write servers, mixed requests, killed publications, more random sequences (hours; SOAK="--histories 50" for less)
	$(BIN)/python tests/histories/soak.py $(SOAK)
	$(BIN)/python -m tests.server.edits
	$(BIN)/python -m tests.writes.faults.soak
	$(BIN)/python -m tests.writes.http.soak
	$(BIN)/python -m tests.publish.soak
	$(BIN)/pytest -m soak

.PHONY: bench
bench: .venv/.installed-dev ## measure builds beside their floor, checks beside check-jsonschema, the server beside nginx (30 minutes)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/serve.py --definitions 1000 --commits 5000
	$(BIN)/python benchmarks/serve.py

.PHONY: bench-writes
bench-writes: .venv/.installed-dev ## measure writes over HTTP beside SQLite on the same disk (20 minutes)
	$(BIN)/python benchmarks/writes.py

.PHONY: lock
lock: .venv/.installed-dev ## resolve the development dependencies again
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --upgrade --no-header --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-emit-options --output-file requirements-dev.lock pyproject.toml

.PHONY: shape
shape: .venv/.installed-dev ## compare measures of the code with two similar projects
	@$(BIN)/python scripts/shape.py registry

.PHONY: release
release: ## check version, change log and tag name, then print the command that makes the tag
	@scripts/release

.PHONY: clean
clean: ## remove what was built and installed
	rm -rf .venv .venv-tools screenshots site .site.generations .registry $(NODE)/node_modules $(HOST_TOOLS)/node_modules .pytest_cache .mypy_cache .ruff_cache .coverage*
