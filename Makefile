# On a fresh machine with make and Python >= 3.12: `make demo` shows the server at work, `make test` tests it.
# Everything goes into .venv, installed once; `make help` lists the rest. PYTHON=/path/to/python chooses the interpreter.

VENV := .venv
RUN := $(VENV)/bin/python
# Every distribution whose source is here; an unpacked sdist of the server has no siblings.
SIBLINGS := $(patsubst %/pyproject.toml,%,$(wildcard hogql/pyproject.toml sandbox/pyproject.toml))
PROJECTS := pyproject.toml $(SIBLINGS:%=%/pyproject.toml)
CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3 python \
	"$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.*/bin/python3 "$$HOME"/.local/share/uv/python/cpython-3.*/bin/python3)
# The prepared data of the sandbox are made again when the code that generates them has changed.
GENERATOR := $(wildcard sandbox/src/posthog_sandbox/dataset/*.py sandbox/src/posthog_sandbox/dataset/*/*.py)
PREPARED := $(if $(GENERATOR),$(VENV)/.prepared)
ARGS ?=
SEEDS ?= 5
SOAK_MINUTES ?= 30

.DEFAULT_GOAL := help
.PHONY: help demo test oracle check coverage mutations bench soak hosts snapshots format clean

help:  ## Show this list.
	@sed -n 's/^\([a-z]*\):.*  ## /make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 18

demo: $(VENV)/.installed-demo $(PREPARED)  ## Watch an MCP client use the server on synthetic data; no account needed.
	@$(RUN) -m maton_posthog.server demo

test: $(VENV)/.installed-dev $(PREPARED)  ## Run the tests; ARGS="-k flags" goes to pytest.
	@$(RUN) .ci/suites.py $(ARGS)

oracle: $(VENV)/.installed-dev  ## Run recounts, combinations and property tests in full, with SEEDS=5 seeds.
	@ORACLE_SEEDS=$(SEEDS) $(RUN) .ci/suites.py -m "oracle or hypothesis" --hypothesis-profile=drawn $(ARGS)

check: $(VENV)/.installed-dev  ## Format, lint, types, and imports that go down the floors only.
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m pyright
	$(RUN) -m pytest -q tests/repository/test_floors.py

coverage: $(VENV)/.installed-dev  ## Run the tests with branch coverage; fails below 95%.
	@$(RUN) .ci/suites.py --cov --cov-report=term --cov-fail-under=95 $(ARGS)

mutations: $(VENV)/.installed-dev  ## Remove each protection in turn: its tests have to fail; ARGS="--only NAME".
	@$(RUN) -m tests.mutations $(ARGS)

bench: $(VENV)/.installed-dev $(PREPARED)  ## Print costs as ratios; ARGS="--only hogql --events 5000000" measures HogQL.
	@$(RUN) -m bench $(ARGS)

soak: $(VENV)/.installed-dev  ## Run many clients over faults for 30 minutes; SOAK_MINUTES=2 makes it shorter.
	@SOAK_MINUTES=$(SOAK_MINUTES) $(RUN) -m bench.soak

hosts: $(VENV)/.installed-dev  ## Run real hosts and frameworks against the server; ARGS="--quick" runs a few.
	@$(RUN) -m hosts $(ARGS)

# The first run writes the list of tools, which the second one reads when it starts.
snapshots: $(VENV)/.installed-dev  ## Accept changes: tool schemas, responses, and what the docs render from the code.
	UPDATE_SNAPSHOTS=1 $(RUN) -m pytest -q -m snapshot tests/test_operations.py
	UPDATE_SNAPSHOTS=1 $(RUN) -m pytest -q -m snapshot tests/server/starting/test_ready.py tests/repository/test_readme.py tests/repository/test_docs.py tests/test_responses.py

format: $(VENV)/.installed-dev  ## Format the code and sort its imports.
	$(RUN) -m ruff check --select I --fix .
	$(RUN) -m ruff format .

clean:  ## Remove what tests and builds leave behind; .venv stays.
	for folder in . $(SIBLINGS); do \
	    (cd $$folder && rm -rf dist build .pytest_cache .ruff_cache .hypothesis .coverage .coverage.*); \
	done

# A candidate may be there and still not run (a pyenv shim whose version is not selected), or run without being able to
# make environments (Debian ships those parts separately): so each one is tried.
$(RUN):
	@incomplete=; \
	for python in $(CANDIDATES); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue; \
	    if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$python" -V) ($$python)."; \
	        "$$python" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	    incomplete=$$python; \
	    package=$$("$$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	done; \
	if [ -n "$$incomplete" ]; then \
	    echo "$$incomplete cannot make environments: install its venv module (Debian, Ubuntu: apt install $$package)." >&2; \
	else \
	    echo "Python 3.12 or newer was not found: install it, or name one with make PYTHON=/path/to/python." >&2; \
	fi; \
	exit 1

$(VENV)/.installed-demo: $(PROJECTS) constraints.txt | $(RUN)
	@$(call install,demo,300 MB,1 GB)
	@touch $@

$(VENV)/.installed-dev: $(PROJECTS) constraints.txt | $(RUN)
	@$(call install,dev,430 MB,1.4 GB)
	@touch $@ $(VENV)/.installed-demo

# The installation makes these data, so this does nothing until the generator is changed.
$(VENV)/.prepared: $(GENERATOR) | $(RUN)
	@PYTHONPATH=sandbox/src $(RUN) -m posthog_sandbox.dataset.prepared
	@touch $@

# $(1) the extra, $(2) what it downloads on an empty machine, $(3) what it takes on disk.
define install
ls -d $(VENV)/lib/python3.*/site-packages/chdb >/dev/null 2>&1 \
    || echo "The first time this downloads about $(2), most of it ClickHouse for the sandbox; it takes $(3) in $(VENV)."; \
$(RUN) -m pip install --disable-pip-version-check -c constraints.txt $(SIBLINGS:%=-e %) -e '.[$(1)]' \
    || { echo "The installation failed, for the reason above: check network and disk space, then run make again." >&2; \
         exit 1; }
endef
