# make run    everything on this machine: installs, starts all servers, feeds a demo tenant
# make test   lint, types and every test, on real servers
# make setup  the installing part of both

.DEFAULT_GOAL := help
SHELL := /bin/sh
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON ?= python3
STAMP := .venv/.installed

.PHONY: help setup run test lint types fast browser clean

help:
	@sed -n 's/^# //p' Makefile

.uv/bin/uv:
	@echo "Getting uv into .uv"
	@$(PYTHON) -m venv .uv
	@.uv/bin/pip install --quiet --disable-pip-version-check "uv>=0.8"

$(STAMP): pyproject.toml uv.lock $(filter .uv/bin/uv,$(UV))
	@command -v cc >/dev/null || command -v gcc >/dev/null || { \
	  echo "There is no C compiler, which the rules engine is built with: install gcc (Debian: apt-get install gcc python3-dev)" >&2; exit 2; }
	@echo "Installing the Python packages into .venv"
	@$(UV) sync --frozen --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')"
	@touch $(STAMP)

setup: $(STAMP)

run: setup
	@exec .venv/bin/flowhub up --demo

lint: setup
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports

types: setup
	.venv/bin/mypy

browser:
	@command -v chromium >/dev/null || { \
	  echo "Installing chromium for the tests of the hub page"; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null || { \
	  echo "The tests of the hub page need chromium: install it (Debian: sudo apt-get install chromium)" >&2; exit 2; }; }

fast: setup
	.venv/bin/pytest -m "not slow"

test: setup browser lint types
	.venv/bin/python -m embedded.obtain
	.venv/bin/pytest

clean:
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis
