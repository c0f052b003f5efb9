# `make run` starts everything on this machine; `make test` and `make check` say whether it is right.

# The first Python that is new enough; `make PYTHON=... install` takes another one.
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && exit; \
	done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
PIP_COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --strip-extras --no-header \
	--no-emit-index-url --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help install run test test-scaled bench journeys drill check cases guards requirements clean

help:
	@echo "make run           start the app with a simulator of Podero on http://localhost:8000"
	@echo "make test          run the tests; ARGS=... goes to pytest"
	@echo "make test-scaled   the same on PostgreSQL and Redis instead of SQLite and files"
	@echo "make bench         the figures of docs/benchmarks.md; ARGS=\"--only one --small\" for a part"
	@echo "make journeys      200 journeys, and what the app adds to Podero's two calls"
	@echo "make drill         break everything for half an hour and audit what became of 20,000 attempts"
	@echo "make check         format, lint, types, layers, migrations, deployment, vulnerabilities"
	@echo "make cases         play every case of trust and write down what happens: docs/cases.md"
	@echo "make guards        take each guard away once and see that a test notices: docs/guards.md"
	@echo "make install       only make the virtual environment"
	@echo "make requirements  compile requirements*.txt from requirements*.in"
	@echo "make clean         remove the virtual environment and caches; var/ with its data stays"

install: $(VENV)/.installed

$(VENV)/.installed: requirements.txt requirements-dev.txt
	@$(PYTHON) scripts/make_venv.py $(VENV) requirements.txt requirements-dev.txt

run: install
	@$(BIN)/python -m scripts.run

test: install
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-scaled: install
	@$(BIN)/python -m tests.servers postgres -- $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: install
	@$(BIN)/python -m scripts.bench $(ARGS)

journeys: install
	@$(BIN)/python -m scripts.journeys $(ARGS)

drill: install
	@$(BIN)/python -u -m drill $(ARGS)

check: install
	@$(BIN)/python -m scripts.check

cases: install
	@$(BIN)/python -m scripts.cases $(ARGS)

guards: install
	@$(BIN)/python -m scripts.guards $(ARGS)

requirements: install
	@$(PIP_COMPILE) --output-file requirements.txt requirements.in
	@$(PIP_COMPILE) --allow-unsafe --output-file requirements-dev.txt requirements-dev.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
