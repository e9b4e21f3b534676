# make             install, run the study of config.yaml, print the result
# make toy         install, run the 2-D Gaussian studies, print their result
# make collapse  install, run the studies of self-consuming loops, print what they say
# make families    install, study every family of models on the digits, three self-trainings each, and print the page's path
# make plan        install, tell which jobs make would run
# make estimate    tell what the study will ask for, in GPU-hours and core-hours (ARGS="--device A100")
# make test        install, run all tests
# make faults      all of what docs/faults.md tells, some fifteen minutes; make test runs the quick part
# make test-slurm  install Slurm where it is missing (Debian, as root), run the tiny study on a cluster of this machine
# make test-kubernetes  the plan for Kubernetes, and the tiny study with its files in an S3 server on this machine
# make test-diffusers  the tests that need diffusers, in an environment of their own
# make check       install, run the linters
# make EXPERIMENT=NAME      the study of experiments/NAME.yaml instead
# make ARGS="..."           further arguments for snakemake, such as --cores 1

EXPERIMENT ?= digits
ARGS ?=
PYTHON ?= python3
BIN := .venv/bin
quote = '$(subst ','\'',$(1))'
ifneq ($(words $(value EXPERIMENT)) $(shell printf '%s' $(call quote,$(value EXPERIMENT)) | grep -cxE '[A-Za-z0-9][A-Za-z0-9._-]*'),1 1)
$(error EXPERIMENT: give the name of an experiment, of letters, digits, '.', '_' and '-')
endif
FAMILIES := edm flow var xar imm
override RESULTS := results/$(EXPERIMENT)
OVERLAY := $(if $(filter-out digits,$(EXPERIMENT)),--configfile experiments/$(EXPERIMENT).yaml)

# Snakemake's own words for a faulty overlay don't name the file.
CHECK = $(if $(OVERLAY),@$(BIN)/adaptive-neon check config.yaml experiments/$(EXPERIMENT).yaml >/dev/null)

.PHONY: study toy collapse families plan estimate test faults test-slurm test-kubernetes test-diffusers check docs clean
.DEFAULT_GOAL := study

study: .venv/installed
	$(CHECK)
	@$(BIN)/snakemake $(OVERLAY) --quiet all --logger adaptive-neon $(ARGS)
	@$(BIN)/adaptive-neon show $(RESULTS)

toy: .venv/installed
	@$(BIN)/snakemake toy --quiet all --logger adaptive-neon $(ARGS)
	@$(BIN)/adaptive-neon show results/toy

# One study after the other; each uses all cores. make --jobs=2 families ARGS="--cores 1" runs two at a time, on a core each.
families: $(FAMILIES:%=families-%)
	@$(BIN)/snakemake compare --quiet all $(ARGS)
	@echo "families: results/compare/report.html"

families-%: .venv/installed
	@$(BIN)/snakemake --configfile $(if $(filter-out edm,$*),experiments/digits-$*.yaml) experiments/families.yaml \
	  --config experiment=families-$* --quiet all --logger adaptive-neon $(ARGS)
	@$(BIN)/adaptive-neon show results/families-$*

collapse: .venv/installed
	@$(BIN)/snakemake collapse --quiet all --logger adaptive-neon $(ARGS)
	@$(BIN)/adaptive-neon show results/collapse

plan: .venv/installed
	$(CHECK)
	@$(BIN)/snakemake $(OVERLAY) --dry-run --quiet host reason $(ARGS)

estimate: .venv/installed
	@$(BIN)/adaptive-neon estimate config.yaml $(if $(OVERLAY),experiments/$(EXPERIMENT).yaml) $(ARGS)

test: .venv/installed
	$(BIN)/pytest
	@echo "skipped: make test-slurm, a real Slurm, which it may install; make test-kubernetes; make test-diffusers; make faults, what takes minutes"

faults: .venv/installed
	$(BIN)/pytest -n 0 -m "slow or not slow" tests/jobs/test_full_disk.py tests/workflow/test_faults.py tests/workflow/test_interrupt.py

test-slurm: .venv-slurm/installed
	tests/slurm/install.sh
	TEST_SLURM=1 .venv-slurm/bin/python -m pytest -n 0 tests/slurm

test-kubernetes: .venv-kubernetes/installed
	.venv-kubernetes/bin/pip install --quiet --requirement tests/kubernetes/requirements.txt
	TEST_KUBERNETES=1 .venv-kubernetes/bin/python -m pytest -n 0 tests/kubernetes

test-diffusers: .venv-diffusers/installed
	.venv-diffusers/bin/python -m pytest -n 0 tests/families/pipelines tests/models tests/commands/test_new.py tests/data/test_hub.py

# The plugins stand in environments of their own, on top of .venv, so that .venv remains what requirements.txt says.
.venv-%/installed: .venv/installed requirements-%.txt
	$(BIN)/python -m venv .venv-$*
	@$(BIN)/python -c "import sysconfig; base = sysconfig.get_path('purelib'); \
	  print(f'import site; site.addsitedir({base!r})', file=open(base.replace('/.venv/', '/.venv-$*/') + '/base.pth', 'w'))"
	.venv-$*/bin/pip install --quiet --requirement requirements-$*.txt
	@touch $@

# Formatting, imports, the workflow's own linter.
check: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

docs: .venv-docs/installed
	.venv-docs/bin/python -m mkdocs build --quiet

.venv/installed: requirements.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --requirement requirements.txt --editable .
	@touch $@

clean:
	rm -rf $(RESULTS)
