# qrpay: everything a developer types. `make help` lists it.

VENV := .venv
PYTHON := $(VENV)/bin/python
SETUP := $(VENV)/.installed
UV := VIRTUAL_ENV=$(CURDIR)/$(VENV) $(VENV)/bin/uv
PACKAGES := chassis gateway wallet_svc payment_svc ledger_svc barcode_svc cli embedded bench
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup up down test test-unit test-integration test-e2e check gen lock chaos zones fuzz bench bench-barcodes \
    image-check k8s-check sbom clean

help:  ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(SETUP)  ## Install everything into .venv, pinned with hashes.

$(SETUP): requirements.lock pyproject.toml
	test -x $(PYTHON) || python3 -m venv $(VENV)
	@# uv first, at its place in the lock: it installs the rest in a third of pip's time.
	sed -n '/^uv==/,/^    #/p' requirements.lock > $(VENV)/uv.lock
	$(PYTHON) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.lock
	$(UV) pip install --quiet --require-hashes -r requirements.lock
	$(UV) pip install --quiet --no-deps --no-build-isolation --editable .
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
	hadolint Dockerfile
	ruff check .
	ruff format --check .
	mypy $(PACKAGES) tests protos/generate.py k8s
	lint-imports --no-cache

gen: $(SETUP)  ## Compile the contracts to Python, and make the dashboards.
	$(PYTHON) protos/generate.py
	$(PYTHON) -m k8s.observability.generate

COMPILE := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(SETUP)  ## Pin all dependencies anew, with hashes: ours, the image's, those of its build, the checkers'.
	$(COMPILE) --upgrade --all-extras --output-file requirements.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file requirements.image.lock pyproject.toml
	$(COMPILE) --constraint requirements.lock --output-file k8s/image/build.lock k8s/image/build.in
	$(COMPILE) --upgrade --output-file k8s/check/tools.lock k8s/check/tools.in

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

image-check: $(SETUP)  ## Build what the image holds, without an engine, and run it as the image would be.
	$(PYTHON) -m k8s.image.check

k8s-check: $(SETUP)  ## Look at the Kubernetes manifests: schemas, checkov, kube-score.
	$(PYTHON) -m k8s.check

sbom: $(SETUP)  ## Write dist/qrpay.cdx.json: what the image holds of Python packages (CycloneDX).
	$(PYTHON) -m k8s.image.sbom dist/qrpay.cdx.json

clean:  ## Remove what can be made again. Keeps the data in .qrpay.
	rm -rf $(VENV) .venv-k8s .k8s-check .mypy_cache .ruff_cache .pytest_cache .hypothesis dist
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
