# The only commands a newcomer needs. Every target sets up what it needs itself.
SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
COMPILE := --quiet --upgrade --generate-hashes --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
# Everything that Ansible, Molecule and the collection tools would otherwise leave in the user's home stays in the checkout.
BUILD := $(CURDIR)/.build
export ANSIBLE_HOME := $(BUILD)/ansible
export MOLECULE_GLOB := molecule/*/molecule.yml
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help:  ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: venv
venv: $(VENV)/.locked  ## The Python environment in .venv, from hashed, locked versions

$(VENV)/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "Portside needs Python 3.11 to 3.13 on this machine; '$(PYTHON)' is $$($(PYTHON) --version). Try: make PYTHON=python3.12 venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.PHONY: audit-venv
audit-venv: $(BUILD)/audit/.locked

$(BUILD)/audit/.locked: requirements-audit.lock
	$(PYTHON) -m venv $(BUILD)/audit
	$(BUILD)/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	@touch $@

.PHONY: lock
lock:  ## Renew requirements.lock, requirements-audit.lock and the role certbot's
	$(PYTHON) -m venv $(BUILD)/pip-tools
	$(BUILD)/pip-tools/bin/pip install --quiet pip-tools
	$(BUILD)/pip-tools/bin/pip-compile $(COMPILE) --extra dev --output-file requirements.lock pyproject.toml
	$(BUILD)/pip-tools/bin/pip-compile $(COMPILE) --output-file requirements-audit.lock requirements-audit.in
	$(BUILD)/pip-tools/bin/pip-compile $(COMPILE) --output-file roles/certbot/files/certbot.txt roles/certbot/files/certbot.in

.PHONY: demo
demo: venv  ## All of it on a disposable local VPS with a test certificate authority
	$(BIN)/python -m lab demo

.PHONY: lab-down
lab-down: venv  ## Remove everything that demo and tests left on this machine
	$(BIN)/python -m lab down --all --images

.PHONY: lint
lint: venv  ## Style, types, Ansible's production profile
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/yamllint --strict .
	$(BIN)/ansible-lint --offline -q

.PHONY: unit
unit: venv  ## Unit tests, without a host
	$(BIN)/pytest

.PHONY: docs
docs: venv  ## Write the tables of options in READMEs and docs from the argument specs
	$(BIN)/python docs/generate.py

.PHONY: collection
collection: venv  ## Build the collection, install it elsewhere, and check every playbook and role from there
	$(BIN)/python tests/collection/check.py

.PHONY: test-fast
test-fast: lint unit collection  ## What needs no hosts

.PHONY: test
test: test-fast molecule  ## Everything: lint, unit tests, the collection, every Molecule scenario

.PHONY: molecule
molecule: venv audit-venv  ## Every Molecule scenario, or those named: make molecule SCENARIOS="ufw site"
	$(BIN)/python molecule/run.py $(SCENARIOS)

.PHONY: bench
bench: venv  ## How far the goals for speed are reached (an hour); parts: make bench PARTS="scale wire"
	$(BIN)/python -m bench $(PARTS)

.PHONY: clients
clients: venv  ## Which HTTP clients read which proxy variables, measured anew (then: make docs)
	$(BIN)/python -m clients

.PHONY: soak
soak: venv  ## 50 deploys on each Debian under 50,000 requests and more, with every failed one counted (an hour)
	$(BIN)/python -m soak

.PHONY: drift
drift: venv  ## Change 71 managed things by hand, one at a time: a run finds and mends each (a quarter of an hour)
	$(BIN)/python -m soak.drift

.PHONY: orders
orders: venv  ## 25 orders from an ACME server that rejects 20 % of all nonces, and 50 %, on each Debian
	$(BIN)/python -m soak.orders

.PHONY: clean
clean: lab-down  ## Remove the lab, the environment and every cache
	rm -rf $(VENV) $(BUILD) .lab .mypy_cache .ruff_cache .pytest_cache
