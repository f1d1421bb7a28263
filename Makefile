# make demo: set up, then train, judge and show a GAN on real data.   make test: set up, then run the fast suite.
PYTHON ?= python3
VENV ?= .venv
# Another package index for torch alone, for instance one that serves builds without CUDA:
#   make demo TORCH_INDEX=https://download.pytorch.org/whl/cpu
TORCH_INDEX ?=
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := $(VENV)/.tools
OUT ?= runs/demo

.PHONY: install demo test test-all lint docs bench clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "elegan needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[provenance]'
	touch $@

$(TOOLS): $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[provenance,test,lint]'
	touch $@

demo: install
	$(BIN)/elegan train cgan --data digits --minutes 4 --out $(OUT)

test: $(TOOLS)
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-all: $(TOOLS)
	$(BIN)/python -m pytest -n 2 --dist loadfile -m ''

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[provenance,docs]'
	$(BIN)/python -m sphinx -W -q docs docs/_build
	@echo "Open docs/_build/index.html"

bench: install
	$(BIN)/python benchmarks/digits_on_demand.py
	$(BIN)/python benchmarks/mixtures.py
	$(BIN)/python benchmarks/start_up.py

clean:
	rm -rf $(VENV) build *.egg-info src/*.egg-info
