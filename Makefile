# The one entry. `make help` lists what it can do; each target sets up what it needs first.
#
#   PYTHON=/path/to/python3.12 make demo     another Python for .venv (3.11 or later)
#   make unit ARGS='-k sigv4 -x'             arguments for pytest

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := src tests bench demo examples tools

.DEFAULT_GOAL := help
.PHONY: help demo serve test check lint fix types layers unit system bench thousand docs soak storm beside crash clean languages

help: ## what this Makefile can do
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1	\2/p' Makefile | expand -t 16

demo: $(READY) ## the walk-through on a fresh server, with the real aws command line
	@$(BIN)/python -m demo.walkthrough

serve: $(READY) ## a server on 127.0.0.1:4566 that stays; Ctrl+C stops it
	@$(BIN)/emberbox serve $(ARGS)

test: lint types layers languages ## all checks and all tests
	$(BIN)/pytest $(ARGS)

check: lint types layers unit ## what to run before each commit: all but the system tests

# boto3 is for the functions that run here: their runtime finds it, our code does not import it.
lint: $(READY) ## format, lint and declared dependencies
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/deptry src --optional-dependencies-dev-groups dev --per-rule-ignores DEP002=boto3 \
		--extend-exclude '.*/isolation/inside/' --extend-exclude '.*/runtimes/bootstrap/'

fix: $(READY) ## let the formatter and the linter mend what they can
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

types: $(READY) ## mypy, strict
	$(BIN)/mypy

layers: $(READY) ## who may import whom
	$(BIN)/lint-imports

unit: $(READY) ## tests of the parts
	$(BIN)/pytest tests/unit $(ARGS)

languages: # what functions of the tests are written in
	@bash tools/languages.sh

system: $(READY) languages ## tests of a whole server through stock clients
	$(BIN)/pytest tests/system $(ARGS)

bench: $(READY) ## measure a fresh server against the raw limits of this machine
	@$(BIN)/python -m compileall -q src/emberbox
	@$(BIN)/python -m bench $(ARGS)

thousand: $(READY) ## a thousand environments of one function, frozen, and what they take
	@$(BIN)/python -m bench.thousand $(ARGS)

soak: $(READY) ## ten thousand invocations with failures mixed in, then look for leaks
	@$(BIN)/python -m bench.soak $(ARGS)

storm: $(READY) languages ## half an hour of all languages while their processes are killed
	@$(BIN)/python -m bench.mixed_soak $(ARGS)

beside: $(READY) ## queues beside those of other servers, as far as they are installed
	@$(BIN)/python -m bench.beside $(ARGS)

crash: $(READY) ## events, messages, uploads and schedules of a server that is killed again and again
	@$(BIN)/python -m bench.crash $(ARGS)
	@$(BIN)/python -m bench.message_crash $(ARGS)
	@$(BIN)/python -m bench.crash_push $(ARGS)

docs: $(READY) ## write the generated reference pages anew and check every link
	$(BIN)/python -m tools.exercised
	$(BIN)/python -m tools.reference
	$(BIN)/pytest tests/unit/style $(ARGS)

clean: ## remove the virtual environment, caches and results
	rm -rf $(VENV) .cache build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f bench/results/*.json
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt tools/setup.sh
	@PYTHON='$(PYTHON)' bash tools/setup.sh $(VENV)
	@touch $@
