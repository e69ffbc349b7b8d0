# kubeling: `make up` starts a cluster on a fresh Debian, `make test` checks everything.
#
#   make up       install what is missing, start the cluster, wait until its node is ready
#                 (options for the cluster: make up UP_FLAGS="--port 0"; see .venv/bin/kubeling up --help)
#   make down     stop it; its state stays
#   make clean    stop it and remove its state
#   make check    the fast checks: formatting, types, layers, unit tests
#   make test     the fast checks, then conformance/ against a cluster of its own, with real containers
#   make lock     pin the dependencies anew (UPGRADE=1: to their newest versions)

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
KUBELING := $(BIN)/kubeling
RUN_STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PYTHON ?= $(shell sh scripts/find-python)
UP_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help up down clean check test lint unit conformance lock system system-test

help:
	@sed -n 's/^#   //p' Makefile

up: system $(RUN_STAMP)
	@$(KUBELING) up --detach $(UP_FLAGS)

down:
	@if [ -x $(KUBELING) ]; then $(KUBELING) down; else echo "Nothing has been installed here."; fi

clean:
	@if [ -x $(KUBELING) ]; then $(KUBELING) clean --yes; else echo "Nothing has been installed here."; fi

system:
	@sh scripts/install-packages node

system-test:
	@sh scripts/install-packages node test

# Repeating is instant: a stamp stands for an installation of exactly this lock. The developers' lock holds all
# that the other one holds, so it stands for both.
$(RUN_STAMP): requirements.lock pyproject.toml
	@sh scripts/install-python "$(PYTHON)" requirements.lock
	@touch $@

$(DEV_STAMP): requirements-dev.lock requirements.lock pyproject.toml
	@sh scripts/install-python "$(PYTHON)" requirements-dev.lock
	@touch $(RUN_STAMP) $@

check: $(DEV_STAMP) lint unit

test: system-test check conformance

lint: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

unit: $(DEV_STAMP)
	$(BIN)/pytest --numprocesses auto --dist worksteal

# Two processes, each with clusters of its own: most of the time they wait for containers.
conformance: $(DEV_STAMP)
	$(BIN)/pytest conformance --numprocesses 2 --dist loadfile

COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header $(if $(UPGRADE),--upgrade)

lock: $(DEV_STAMP)
	$(COMPILE) --extra build --output-file requirements.lock
	$(COMPILE) --extra build --extra dev --constraint requirements.lock --output-file requirements-dev.lock
	@touch $(RUN_STAMP) $(DEV_STAMP)
