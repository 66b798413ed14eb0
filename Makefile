# Everything one does with this project, by name. `make` alone lists the verbs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
REFERENCE := $(VENV)/.reference
SEED ?= 1
SCALE ?= 0.02
CLUSTER_SCALE ?= 0.004

.DEFAULT_GOAL := help
.PHONY: help setup reference test nightly check demo cluster-demo bench docs clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: $(INSTALLED) $(REFERENCE) ## virtual environment, pinned packages, reference data

$(BIN)/python:
	scripts/system_packages.sh
	$(PYTHON) -m venv $(VENV)

# The package is installed editable, and built with the setuptools pinned beside everything else.
$(INSTALLED): $(BIN)/python requirements.txt pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# Without these tables all works, and networks and countries are unknown: never a reason to stop. A failure
# leaves no stamp, so the next run tries again.
$(REFERENCE): scripts/fetch_reference.py | $(INSTALLED)
	@scripts/system_packages.sh
	@if $(BIN)/python scripts/fetch_reference.py; then touch $@; fi

reference: $(INSTALLED) ## fetch the tables of networks and countries again
	@$(BIN)/python scripts/fetch_reference.py --force

# The servers that the guard's tests start on loopback; installed once, never run as services.
$(VENV)/.servers: scripts/system_packages.sh | $(INSTALLED)
	@scripts/system_packages.sh servers
	@touch $@

test: setup $(VENV)/.servers ## run all tests
	$(BIN)/pytest

nightly: setup $(VENV)/.servers ## all tests, those of minutes too, and the cluster demo
	$(BIN)/pytest -m "nightly or not nightly"
	$(MAKE) cluster-demo

check: $(INSTALLED) ## lint, format, types, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: setup ## a small re-enactment: made, uncovered, scored (SCALE=0.02 SEED=1)
	rm -rf demo
	$(BIN)/thingwatch replay --scale $(SCALE) --seed $(SEED) --out demo/replay
	$(BIN)/thingwatch uncover demo/replay/mail.mbox --evidence demo/replay/evidence --out demo/case
	$(BIN)/thingwatch score demo/case demo/replay
	@echo
	@echo "look at    demo/case/report.html     open it in a browser; it needs no network"
	@echo "           demo/case/report.json     the same for programs"
	@echo "           demo/replay/truth.json    what was really in the mail"

cluster-demo: setup ## the same on a real Spark cluster on loopback, compared with DuckDB (CLUSTER_SCALE=0.004)
	$(BIN)/python scripts/cluster_demo.py --scale $(CLUSTER_SCALE) --seed $(SEED)

bench: setup ## measure speed and quality as docs/measure.md states them
	$(BIN)/python bench/run.py

docs: $(INSTALLED) ## write the generated reference pages again
	$(BIN)/python scripts/generate_docs.py

clean: ## remove what was made, but not the virtual environment
	rm -rf demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
