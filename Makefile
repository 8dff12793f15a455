# Commands for developers and CI. Every target creates the virtual environment if it is missing.

VENV := .venv
PYTHON ?= python3
TOOL := $(VENV)/bin/mlflow-compose
INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
UV := $(VENV)/bin/python -m uv

.DEFAULT_GOAL := help
.PHONY: help up down test soak lint format docs bench bench-backup bench-class bench-capacity bench-replicas lock golden clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.tool ## Create .env if there is none, start the stack, verify it
	@test -e .env || $(TOOL) init
	@$(TOOL) up

down: $(VENV)/.tool ## Stop the stack and keep its data
	@$(TOOL) down

test: $(VENV)/.dev ## Run all tests; without Docker, those that need it are skipped
	$(VENV)/bin/python -m pytest --numprocesses auto --dist loadgroup --no-loadscope-reorder $(ARGS)

soak: $(VENV)/.dev ## Kill servers for FAULTS_SECONDS (600) on each engine, and run all long scenarios on both
	STACK_SOAK=1 FAULTS_SECONDS=$${FAULTS_SECONDS:-600} FAULTS_SEED=$${FAULTS_SEED:-$$(date +%s)} \
		sh -c 'echo "FAULTS_SEED=$$FAULTS_SEED"; exec "$$@"' sh \
		$(VENV)/bin/python -m pytest tests/e2e -m soak --numprocesses 2 --dist loadgroup --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev ## Check style and types
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

format: $(VENV)/.dev ## Format the code and apply safe fixes
	$(VENV)/bin/python -m ruff check --fix .
	$(VENV)/bin/python -m ruff format .

docs: $(VENV)/.docs ## Build the documentation as a site in site/
	@# Without --quiet, with which --strict ignores warnings.
	NO_MKDOCS_2_WARNING=1 $(VENV)/docs/bin/python -m mkdocs build --strict

bench: $(VENV)/.dev ## Compare with a plain stack; ARGS="--quick" takes three minutes
	$(VENV)/bin/python -m bench $(ARGS)

bench-backup: $(VENV)/.dev ## Compare backup and restore with pg_dump and rclone; ARGS="--sizes 100MB" takes five minutes
	$(VENV)/bin/python -m bench.backup $(ARGS)

bench-class: $(VENV)/.dev ## Measure classes of 40 seats and of 60 people; ARGS="--seats 5 --clients 5 --seconds 20" is short
	$(VENV)/bin/python -m bench.classroom $(ARGS)

bench-capacity: $(VENV)/.dev ## Measure what requests cost, and how long they take under load
	$(VENV)/bin/python -m bench.capacity $(ARGS)

bench-replicas: $(VENV)/.dev ## Measure one, two and four tracking servers; ARGS="--rounds 1" is short
	$(VENV)/bin/python -m bench.replicas $(ARGS)

golden: $(VENV)/.dev ## Update compose/, .env.example, generated docs and golden trees
	$(VENV)/bin/python -m pytest tests/golden --update-golden $(ARGS)

lock: $(VENV)/.dev ## Update all pinned dependencies and their hashes
	requirements/lock "$(UV)"

clean: ## Delete the environment, caches and test output
	rm -rf $(VENV) site .logs .pytest_cache .mypy_cache .ruff_cache .hypothesis dist

# hatchling and editables come from the lock file, so that no unpinned package builds this one.
$(VENV)/.tool: requirements/tool.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.13 up")'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "Python's venv module is missing: on Debian and Ubuntu, apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes --requirement requirements/tool.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# pip would take most of a minute. uv does not read pip.conf: another index must be in the environment.
$(VENV)/.dev: $(VENV)/.tool requirements/dev.txt
	UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}" $(UV) pip install --quiet --python $(VENV)/bin/python \
		--require-hashes --requirement requirements/dev.txt
	@touch $@

$(VENV)/.docs: $(VENV)/.tool requirements/docs.txt
	$(UV) venv --quiet --clear --python $(VENV)/bin/python $(VENV)/docs
	UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$PIP_INDEX_URL}" $(UV) pip install --quiet --python $(VENV)/docs/bin/python \
		--require-hashes --requirement requirements/docs.txt
	@touch $@
