# make book   rerun the headline claim on this machine and build the site at _build/html/index.html
# make test   run every test
# make bench  time the engine beside other libraries on this machine (keep it idle meanwhile)
# make test-vllm  the tests of sampling with vLLM, its CPU build installed first (0.9 GB to download, 3.1 GB on disk;
#             then two minutes on two cores): what it draws against exact probabilities
# All set up .venv first (hash-locked, once). Nothing but Python 3.11-3.13, make and git is needed.
PYTHON ?= python3
PRESET ?= laptop
BIN := .venv/bin
VLLM := src/beyondbase/workers/vllm_packages
# Tiny matrices on few cores: idle OpenMP threads that spin cost up to ten times the work itself.
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT = 0

.PHONY: setup book site test vllm test-vllm bench lint lock clean
setup:
	@$(PYTHON) src/beyondbase/bootstrap.py

book: setup
	$(BIN)/beyondbase run passk-reversal --preset $(PRESET)
	$(BIN)/beyondbase site

site: setup
	$(BIN)/beyondbase site

test: setup lint
	$(BIN)/python -m pytest

# The environment that `make bench` uses too, Linux only. It goes with `rm -rf .venv-vllm`.
vllm: setup
	$(BIN)/python -m beyondbase.workers.vllm_environment

test-vllm: vllm
	$(BIN)/python -m pytest -n 0 -m vllm tests/sampling

# BENCH passes options on: `make bench BENCH="--only sampling"`.
bench: setup
	$(BIN)/beyondbase bench $(BENCH)

lint: setup
	$(BIN)/ruff check src tests

lock:
	$(BIN)/python -m uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --no-emit-package torch --generate-hashes --no-emit-find-links --no-header -q -o requirements.lock
	$(BIN)/python -m uv pip compile $(VLLM)/requirements.in --override $(VLLM)/overrides.txt --universal --python-version 3.11 --no-emit-package torch --no-header --no-annotate -q -o $(VLLM)/requirements.lock

clean:
	rm -rf _build runs
