# make             install, run the study of config.yaml, print the result
# make toy         install, run the 2-D Gaussian studies, print their result
# make plan        install, tell which jobs make would run
# make test        install, run all tests
# make check       install, run the linters
# make EXPERIMENT=NAME      the study of experiments/NAME.yaml instead
# make ARGS="..."           further arguments for snakemake, such as --cores 1

EXPERIMENT ?= digits
ARGS ?=
PYTHON ?= python3
BIN := .venv/bin
RESULTS := results/$(EXPERIMENT)
OVERLAY := $(if $(filter-out digits,$(EXPERIMENT)),--configfile experiments/$(EXPERIMENT).yaml)

.PHONY: study toy plan test check clean
.DEFAULT_GOAL := study

study: .venv/installed
	@$(BIN)/snakemake $(OVERLAY) --quiet all $(ARGS)
	@$(BIN)/adaptive-neon show $(RESULTS)

toy: .venv/installed
	@$(BIN)/snakemake toy --quiet all $(ARGS)
	@$(BIN)/adaptive-neon show results/toy

plan: .venv/installed
	@$(BIN)/snakemake $(OVERLAY) --dry-run --quiet host reason $(ARGS)

test: .venv/installed
	$(BIN)/pytest

# Formatting, imports, the workflow's own linter.
check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	@touch $@

clean:
	rm -rf $(RESULTS)
