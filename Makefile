# Two commands matter: `make demo` and `make test`. Each sets up what is missing.
PYTHON ?= python3
BIN := .venv/bin
# The demo needs the package and .onnx files; the tests need all extras and the tools of development too.
PLAIN := .venv/.installed
STAMP := .venv/.installed-dev
INSTALL = $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

# Data and schemas that tests and benchmarks read and the project does not ship; without them those tests are skipped.
export DOVETAIL_DATA ?= $(wildcard $(abspath ../shared/data))
export DOVETAIL_SCHEMAS ?= $(wildcard $(abspath ../shared/schemas))

.PHONY: demo test test-slow test-gpu fuzz check bench clean
.DEFAULT_GOAL := demo

$(PLAIN): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) '.[onnx]'
	touch $@

$(STAMP): $(PLAIN)
	$(INSTALL) '.[dev]'
	touch $@

demo: $(PLAIN)
	$(BIN)/plan examples/voice_agent

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m 'not slow and not gpu and not fuzz'

test-slow: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m 'slow and not gpu and not fuzz'

test-gpu: $(STAMP)
	$(BIN)/python -m pytest -m gpu

# pyright resolves `import dovetail` in tests through this link: the repository root is the package.
.venv/typing/dovetail: $(STAMP)
	mkdir -p .venv/typing
	ln -sfn $(CURDIR) $@

fuzz: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m fuzz

check: $(STAMP) .venv/typing/dovetail
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(STAMP)
	$(BIN)/python benchmarks/plan_speed.py

clean:
	rm -rf .venv build dist *.egg-info
