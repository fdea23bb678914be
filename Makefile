# qrpay: everything a developer types. `make help` lists it.

VENV := .venv
PYTHON := $(VENV)/bin/python
SETUP := $(VENV)/.installed
PACKAGES := chassis gateway wallet_svc payment_svc ledger_svc barcode_svc cli embedded bench
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup up down test test-unit test-integration test-e2e check gen lock chaos zones fuzz bench bench-barcodes clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP)  ## Install everything into .venv, pinned with hashes.

$(SETUP): requirements.lock pyproject.toml
	test -x $(PYTHON) || python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --require-hashes -r requirements.lock
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

up: $(SETUP)  ## Start the whole system here and stay with it; Ctrl-C stops it.
	qrpay up

down: $(SETUP)  ## Stop what `qrpay up --detach` started.
	qrpay down

test: $(SETUP)  ## All tests: unit, integration with real servers, end to end.
	@{ command -v prometheus && command -v promtool; } >/dev/null || \
	    echo "NOTE: no prometheus here (apt-get install prometheus): alerts and --observe are not tested."
	$(PYTHON) -m pytest --numprocesses 2 --dist loadfile tests/e2e tests/integration tests/unit
	$(PYTHON) -m pytest tests/chaos

test-unit: $(SETUP)  ## Tests without I/O: seconds.
	$(PYTHON) -m pytest tests/unit

test-integration: $(SETUP)  ## Tests with real PostgreSQL, NATS and Valkey.
	$(PYTHON) -m pytest tests/integration

test-e2e: $(SETUP)  ## Tests of the whole system, its processes killed and recovered.
	$(PYTHON) -m pytest tests/e2e

check: $(SETUP)  ## Contracts, stubs, style, types, who may import whom.
	cd protos && buf lint
	$(PYTHON) protos/generate.py --check
	$(PYTHON) -m k8s.observability.generate --check
	ruff check .
	ruff format --check .
	mypy $(PACKAGES) tests protos/generate.py k8s
	lint-imports --no-cache

gen: $(SETUP)  ## Compile the contracts to Python, and make the dashboards.
	$(PYTHON) protos/generate.py
	$(PYTHON) -m k8s.observability.generate

lock: $(SETUP)  ## Pin all dependencies anew, with hashes.
	uv pip compile --quiet pyproject.toml --python-version 3.11 --all-extras --generate-hashes \
	    --no-emit-index-url --no-header --upgrade --output-file requirements.lock

SEED ?= 1
MINUTES ?= 5
chaos: $(SETUP)  ## Break everything under load and count every cent: make chaos SEED=7 MINUTES=10.
	$(PYTHON) -m tests.chaos --seed $(SEED) --minutes $(MINUTES)

zones: $(SETUP)  ## Lose one of three zones in each way, as root on Linux: make zones SEED=7.
	$(PYTHON) -m tests.zones --seed $(SEED)

fuzz: $(SETUP)  ## Change payment codes at random and see that none is misread: make fuzz MINUTES=10.
	$(PYTHON) -m tests.fuzz --seed $(SEED) --minutes $(MINUTES)

bench: $(SETUP)  ## Measure a running system (start it with `qrpay up --detach`).
	qrpay bench

bench-barcodes: $(SETUP)  ## Measure issuing and redeeming of barcodes on a running system.
	$(PYTHON) -m bench.barcodes

clean:  ## Remove what can be made again. Keeps the data in .qrpay.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
