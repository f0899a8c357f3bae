# flashQ: `make` lists the targets. Each makes what it needs, from a clean clone on.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin
# Servers that the tests start inherit the sanitizer from here. Its quarantine is small because tests bound resident memory.
ASAN_LIB = build/asan/lib
ASAN_ENV = LD_PRELOAD="$$(gcc -print-file-name=libasan.so)" PYTHONMALLOC=malloc \
	ASAN_OPTIONS=detect_leaks=0:quarantine_size_mb=8:abort_on_error=1:allocator_may_return_null=1:detect_stack_use_after_return=1 \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1 PYTHONPATH=$(CURDIR)/$(ASAN_LIB) FLASHQ_ASAN=1

# What an extension is made from; a change of any of these builds again, and only then.
SOURCES := setup.py pyproject.toml $(shell find flashq include -name '*.pyx' -o -name '*.pxd' -o -name '*.h' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run build test test-asan test-full torture bench bench-commands bench-durability bench-python bench-peers lint format docs generate clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  Arguments: make run ARGS='--port 7000', make test ARGS='-k heap'; another interpreter: make PYTHON=python3.12 ..."

run: build ## serve on port 6789
	@exec $(BIN)/flashq serve $(ARGS)

build: build/.built ## compile the extensions in place

test: lint build ## lint, then all tests
	$(BIN)/python -m pytest $(ARGS)

test-full: lint build ## lint, then all tests with many more generated examples, the slow ones too
	FLASHQ_TEST_PROFILE=full $(BIN)/python -m pytest -m "" $(ARGS)

test-asan: build/.asan ## all tests on a build with AddressSanitizer and UBSan
	$(ASAN_ENV) $(BIN)/pytest -s -p no:cacheprovider $(ARGS)

torture: build ## minutes of thousands of hostile connections and damaged requests
	$(BIN)/python -m pytest -s -m torture $(ARGS) tests/torture

bench: build ## measure the server beside a bare echo server, the journal beside the disk, the Python side, other queues
	@status=0; $(BIN)/python perf/run.py $(ARGS) || status=1; \
	$(BIN)/python perf/durability.py $(ARGS) || status=1; \
	$(BIN)/python perf/python.py $(filter --write-docs,$(ARGS)) || status=1; \
	if command -v redis-server >/dev/null; then $(BIN)/python perf/peers/run.py $(filter --write-docs,$(ARGS)) || status=1; \
	else echo "left out: bench-peers needs redis-server (Debian: apt-get install redis-server)" >&2; fi; exit $$status

bench-durability: build ## measure the journal beside the memory mode and the disk
	$(BIN)/python perf/durability.py $(ARGS)

bench-commands: build ## measure single jobs, pages, ties and bulk removal beside a million jobs
	$(BIN)/python perf/commands.py $(ARGS)

bench-python: build ## measure the Python client, a Worker and the import
	$(BIN)/python perf/python.py $(ARGS)

bench-peers: build ## measure one worker beside Celery, RQ, arq and Dramatiq; needs redis-server, installs them under build/
	$(BIN)/python perf/peers/run.py $(ARGS)

lint: $(VENV)/.installed ## ruff, cython-lint, mypy
	$(BIN)/ruff check .
	PATH="$(abspath $(BIN)):$$PATH" cython-lint flashq
	$(BIN)/mypy

format: $(VENV)/.installed ## put imports and layout in order
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .

docs: build/docs/.installed ## the pages of docs/ as a site in build/site; every link is checked
	NO_MKDOCS_2_WARNING=1 build/docs/venv/bin/mkdocs build $(ARGS)
	@echo "open build/site/index.html"

generate: build ## write again what is made from the tables: reference pages, parts of the client
	$(BIN)/python -m flashq.generate

clean: ## remove what the other targets made
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis $(VENV)
	find flashq perf tests examples -name '*.so' -delete
	find flashq perf tests examples .ci -name __pycache__ -prune -exec rm -rf {} +

# The dependencies are written in pyproject.toml only. The package itself is linked, not compiled, here: build_ext does that.
$(VENV)/.installed: pyproject.toml .ci/preflight.py
	@command -v $(PYTHON) >/dev/null || { echo "flashQ cannot be built here: $(PYTHON) is missing. On Debian: apt-get install python3 python3-venv python3-dev" >&2; exit 1; }
	@$(PYTHON) .ci/preflight.py
	@echo "installing build tools and libraries into $(VENV), about a minute"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb")); print(*p["build-system"]["requires"], *p["project"]["dependencies"], *p["project"]["optional-dependencies"]["dev"], sep="\n")' > $(VENV)/requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check -r $(VENV)/requirements.txt
	@FLASHQ_MODULES=none $(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

# An environment of its own: the server and its tests need none of this.
build/docs/.installed: pyproject.toml
	@echo "installing mkdocs into build/docs/venv"
	@mkdir -p build/docs
	@$(PYTHON) -m venv --clear build/docs/venv
	@$(PYTHON) -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["docs"], sep="\n")' > build/docs/requirements.txt
	@build/docs/venv/bin/pip install --quiet --disable-pip-version-check -r build/docs/requirements.txt
	@touch $@

build/.built: $(VENV)/.installed $(SOURCES)
	@if test -d build/cython; then echo "compiling the extensions that changed"; \
		else echo "compiling $(words $(filter %.pyx,$(SOURCES))) extensions, about a minute"; fi
	@mkdir -p build
	@$(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

# A tree of its own, so that the normal extensions stay as they are; build_py copies the Python files beside them.
build/.asan: $(VENV)/.installed $(SOURCES) $(shell find flashq -name '*.py' 2>/dev/null)
	@test -e "$$(gcc -print-file-name=libasan.so)" || { echo "make test-asan needs gcc and its libasan" >&2; exit 1; }
	@echo "compiling for the sanitizers, a few minutes"
	@mkdir -p build
	@FLASHQ_ASAN=1 $(BIN)/python setup.py --quiet build --build-base build/asan --build-lib $(ASAN_LIB)
	@touch $@
