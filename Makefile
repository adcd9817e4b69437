PYTHON ?= python3
VENV := .venv
VLLM := .venv-vllm
BIN := $(VENV)/bin

.PHONY: plan test check lint types docs vllm-env figure bench clean

plan: $(VENV)/installed  ## Plan for the setting of the paper and print it
	$(BIN)/moeconomics plan --train-flops 5.15e21 --gpu A100-SXM-40GB --max-gpus 8 --experts 1,4,8,16,32 -o plan

test: $(VENV)/installed-dev  ## Run the tests
	$(BIN)/pytest -n auto

check: lint types docs vllm-env test  ## What CI runs

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev
	$(BIN)/mypy

# Material prints that it will not work with MkDocs 2, which pyproject.toml excludes.
docs: $(VENV)/installed-dev  ## Write the documentation to site/; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/installed
	$(BIN)/python benchmarks/plan.py
	$(BIN)/python benchmarks/serving.py

vllm-env: $(VLLM)/installed  ## Install vLLM (CPU, 3.4 GB) in an environment of its own, for `verify-export`

figure: $(VENV)/installed-dev  ## Draw the README's figure anew (needs Chromium or Chrome)
	$(BIN)/python docs/figure.py

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ $(VENV)/installed

$(VLLM)/installed: tools/vllm-env.sh
	tools/vllm-env.sh $(PYTHON) $(VLLM)
	touch $@

clean:
	rm -rf $(VENV) $(VLLM)
