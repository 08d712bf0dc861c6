# make book   rerun the headline claim on this machine and build the site at _build/html/index.html
# make test   run every test
# Both set up .venv first (hash-locked, once). Nothing but Python 3.11-3.13, make and git is needed.
PYTHON ?= python3
PRESET ?= laptop
BIN := .venv/bin
# Tiny matrices on few cores: idle OpenMP threads that spin cost up to ten times the work itself.
export OMP_WAIT_POLICY = PASSIVE
export GOMP_SPINCOUNT = 0

.PHONY: setup book site test lint lock clean
setup:
	@$(PYTHON) src/beyondbase/bootstrap.py

book: setup
	$(BIN)/beyondbase run passk-reversal --preset $(PRESET)
	$(BIN)/beyondbase site

site: setup
	$(BIN)/beyondbase site

test: setup lint
	$(BIN)/python -m pytest

lint: setup
	$(BIN)/ruff check src tests

lock:
	$(BIN)/python -m uv pip compile pyproject.toml --universal --python-version 3.11 --extra dev --no-emit-package torch --generate-hashes --no-emit-find-links --no-header -q -o requirements.lock

clean:
	rm -rf _build runs
