# Needs Python >= 3.11 and make; everything else goes into .venv.  `make help` lists the targets.

PYTHON ?= python3
LOCK_PYTHON ?= python3.11
IMAGE ?= psd2-signing-proxy
LOCK_FLAGS ?=
PYTEST_FLAGS ?=
WORKERS ?= 2
FUZZ_SECONDS ?= 60
FUZZ_FLAGS ?=

PIP := .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input
PACKAGE := --no-deps --no-build-isolation --editable .
RUN_STAMP := .venv/.stamp-run
DEV_STAMP := .venv/.stamp-dev
FUZZ_STAMP := .venv/.stamp-fuzz

.DEFAULT_GOAL := help
.PHONY: help run test torture fuzz check audit demo bench docs lock image image-test clean

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

run: $(RUN_STAMP)  ## a signing proxy in front of an embedded stand-in for the bank
	@.venv/bin/signing-proxy run --with-emulator || [ $$? -eq 130 ]  # Ctrl-C is how it ends

# Tests start hundreds of processes: none of them should compile all modules for itself.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV_STAMP)  ## all tests
	@.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist worksteal --durations 15 $(PYTEST_FLAGS)

torture: $(DEV_STAMP)  ## the two laws at full size: a table of figures and limits (three quarters of an hour)
	@.venv/bin/python -m tests.torture $(TORTURE_FLAGS)

fuzz: $(FUZZ_STAMP)  ## every reader of foreign bytes, guided by coverage; FUZZ_SECONDS=60 for each
	@.venv/bin/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_FLAGS)

check: $(DEV_STAMP)  ## ruff, mypy --strict, import-linter, dependencies
	@.venv/bin/ruff check --quiet proxy tests
	@.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-cache >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }
	@.venv/bin/python -m tests.dependencies
	@echo "check: ruff, mypy --strict, import-linter and the list of dependencies found nothing"

audit: .run/audit/bin/pip-audit  ## known weaknesses of all locked dependencies; needs network
	@for lock in requirements*.lock; do \
	  .run/audit/bin/pip-audit --strict --progress-spinner off --disable-pip --require-hashes --requirement $$lock || exit 1; \
	done

demo: $(DEV_STAMP)  ## a walk-through that ends by itself
	@.venv/bin/python tests/demo.py

bench: $(DEV_STAMP)  ## CPU, latency, memory, start-up; beside nginx + Lua and mitmproxy where installed
	@.venv/bin/python -m tests.bench

docs: $(DEV_STAMP)  ## write anew what the documents take from the code
	@.venv/bin/python -m proxy.config.reference
	@.venv/bin/python -m tests.errors_table
	@.venv/bin/python -m tests.deploy.chart_schema
	@.venv/bin/python -m tests.causes_table

image:  ## build the container image with docker
	@docker build --tag $(IMAGE) .

image-test: $(DEV_STAMP)  ## build the image twice, without a registry, and run pods of it
	@bash tests/deploy/build_image.sh

clean:  ## remove what the other targets made
	@rm -rf .venv .run build dist *.egg-info .mypy_cache .ruff_cache .import_linter_cache .hypothesis .pytest_cache
	@find proxy tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@for candidate in "$(PYTHON)" python3.13 python3.12 python3.11; do \
	  "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  rm -rf .venv; \
	  "$$candidate" -m venv .venv >/dev/null 2>&1 && exit 0; \
	  rm -rf .venv; \
	  echo "$$candidate cannot make a virtual environment: install its venv module (Debian: apt-get install python3-venv)." >&2; \
	  exit 1; \
	done; \
	echo "Python 3.11 or newer is needed and none was found: install it, or name it with 'make PYTHON=/path/to/python3 ...'." >&2; \
	exit 1

$(RUN_STAMP): requirements.lock requirements-build.lock pyproject.toml | .venv/bin/python
	@echo "installing the locked dependencies into .venv (once)" >&2
	@$(PIP) install --require-hashes -r requirements-build.lock
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install $(PACKAGE)
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(RUN_STAMP)
	@echo "installing the locked development tools into .venv (once)" >&2
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

$(FUZZ_STAMP): requirements-fuzz.lock $(DEV_STAMP)
	@echo "installing the fuzzer into .venv (once)" >&2
	@$(PIP) install --require-hashes -r requirements-fuzz.lock
	@touch $@

# The lock is made by the oldest supported Python, so that it names what any of them needs.
PIP_COMPILE = .run/lock/bin/pip-compile --quiet --no-config --generate-hashes --no-header --no-emit-options \
              --strip-extras --annotation-style line $(LOCK_FLAGS)
LOCK_HEADER = "\# Made by 'make lock' from pyproject.toml; not edited by hand."

lock: .run/lock/bin/pip-compile  ## make the lock files anew; LOCK_FLAGS=--upgrade takes the newest versions
	@$(PIP_COMPILE) --output-file requirements.lock pyproject.toml
	@$(PIP_COMPILE) --extra dev --allow-unsafe --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@$(PIP_COMPILE) --extra browser --allow-unsafe --constraint requirements-dev.lock --output-file requirements-browser.lock pyproject.toml
	@$(PIP_COMPILE) --extra deploy --allow-unsafe --constraint requirements-dev.lock --output-file requirements-deploy.lock pyproject.toml
	@$(PIP_COMPILE) --extra fuzz --allow-unsafe --constraint requirements-dev.lock --output-file requirements-fuzz.lock pyproject.toml
	@$(PIP_COMPILE) --extra brotli --extra otel --extra otel-grpc --extra pkcs11 --constraint requirements-dev.lock \
	  --output-file requirements-extras.lock pyproject.toml
	@$(PIP_COMPILE) --only-build-deps --build-deps-for editable --allow-unsafe \
	  --constraint requirements-dev.lock --output-file requirements-build.lock pyproject.toml
	@for lock in requirements*.lock; do \
	  { echo $(LOCK_HEADER); grep -v '^# Made by' $$lock; } >$$lock.new && mv $$lock.new $$lock; \
	done

.run/audit/bin/pip-audit: | .venv/bin/python
	@.venv/bin/python -m venv .run/audit
	@.run/audit/bin/python -m pip --quiet --disable-pip-version-check install 'pip-audit>=2.9'

.run/lock/bin/pip-compile:
	@$(LOCK_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "'make lock' needs Python 3.11: name it with 'make lock LOCK_PYTHON=/path/to/python3.11'." >&2; exit 1; }
	@$(LOCK_PYTHON) -m venv .run/lock
	@.run/lock/bin/python -m pip --quiet --disable-pip-version-check install 'pip-tools>=7.5'
