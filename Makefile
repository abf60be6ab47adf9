# make demo    serve the atlas on 127.0.0.1:8000 (PORT=9000 make demo for another port)
# make trace   what happens under the hood of that page, while the demo runs (URL=example.org make trace for another)
# make test    all tests             make check   lint, types, structure
# make bench   us beside our peers   make clean   remove what make made
#
# GNU make and Python >= 3.11 are all it needs: the rest goes into .venv. A second run installs nothing.

PORT ?= 8000
VENV := .venv
BIN  := $(VENV)/bin
ATLAS := examples/atlas

# The first Python that is new enough; PYTHON=/path/to/python3.12 make ... chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help demo trace test check bench clean
.DELETE_ON_ERROR:

help:
	@sed -n 's/^# \{0,1\}//p;/^$$/q' Makefile

# -- the environment: one stamp for each set of packages, made again when pyproject.toml changes

$(VENV)/made:
	@test -n "$(PYTHON)" || { echo "Pellucid needs Python 3.11 or newer, and found none: install python3, or say PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "$(PYTHON) cannot make virtual environments: install its venv package (Debian: python3-venv)" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'
	@touch $@

$(VENV)/installed: $(VENV)/made pyproject.toml
	@echo "Installing Pellucid"
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

$(VENV)/installed-%: $(VENV)/installed pyproject.toml
	@echo "Installing what \`make $*\` needs"
	@$(BIN)/python -m pip install -qq --group $*
	@touch $@

.PRECIOUS: $(VENV)/installed-%

# -- the demo: the atlas, loaded once. A load that fails leaves no half database behind.

$(ATLAS)/data.db: | $(VENV)/installed
	@rm -f $(ATLAS)/loading.db*
	@$(BIN)/pellucid load $(ATLAS)/app.py --database $(ATLAS)/loading.db $(ATLAS)/data/continents.csv $(ATLAS)/data/countries.csv $(ATLAS)/data/cities.csv
	@mv $(ATLAS)/loading.db $@

demo: $(VENV)/installed $(ATLAS)/data.db
	@exec $(BIN)/pellucid dev $(ATLAS)/app.py --port $(PORT)

URL ?= http://127.0.0.1:$(PORT)/

trace: $(VENV)/installed
	@$(BIN)/pellucid trace '$(URL)' $(ARGS)

# -- the checks

test: $(VENV)/installed-test
	$(BIN)/python -m pytest -q -rs $(ARGS)

check: $(VENV)/installed-test $(VENV)/installed-check
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python -m pytest -q tests/structure

bench: $(VENV)/installed
	$(BIN)/python bench/run.py $(ARGS)

clean:
	rm -rf $(VENV) $(ATLAS)/data.db* $(ATLAS)/loading.db* .mypy_cache .ruff_cache .pytest_cache .hypothesis
