# Two commands set up everything: `make demo` and `make test`. Only Python >= 3.11, git, make and the package
# indexes are needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test integration conformance lint format lock clean

demo: $(VENV)/.ready
	$(BIN)/builder demo

test: $(VENV)/.ready
	$(BIN)/pytest

# These need the package index and what .ci/run starts, and take some minutes.
integration: $(VENV)/.ready
	$(BIN)/pytest -m "network or integration" --ignore tests/conformance

conformance: $(VENV)/.ready
	$(BIN)/pytest -m "network or integration" tests/conformance

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The versions that CI and the two commands above use; users get the lower bounds of pyproject.toml.
lock: $(VENV)/.ready
	$(BIN)/uv pip compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-header --universal \
	  --python-version 3.11 --group dev pyproject.toml --output-file .ci/requirements.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache build dist

$(VENV)/.ready: pyproject.toml .ci/requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "builder needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python .ci/requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@
