# Two commands matter: `make demo` and `make test`. Each sets up what is missing.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
export DOVETAIL_DATA ?= $(wildcard $(abspath ../shared/data))
export DOVETAIL_SCHEMAS ?= $(wildcard $(abspath ../shared/schemas))

.PHONY: demo test test-slow test-gpu check bench clean
.DEFAULT_GOAL := demo

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/plan examples/voice_agent

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m 'not slow and not gpu'

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m 'slow and not gpu'

test-gpu: $(STAMP)
	$(BIN)/python -m pytest -m gpu

# pyright resolves `import dovetail` in tests through this link: the repository root is the package.
.venv/typing/dovetail: $(STAMP)
	mkdir -p .venv/typing
	ln -sfn $(CURDIR) $@

check: $(STAMP) .venv/typing/dovetail
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(STAMP)
	$(BIN)/python benchmarks/plan_speed.py

clean:
	rm -rf .venv build dist *.egg-info
