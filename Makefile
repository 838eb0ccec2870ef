# Muster. Everything that a newcomer types; each verb sets up what it needs.
#   make demo   the main job on this machine (needs Python >= 3.11 and pip, nothing else)
#   make test   lint, types, architecture and all tests with real parts
#   make bottoms  the tests of each dependency against its lowest version; make dist  wheel and sdist
#   make docs   write the generated pages; make guide   write the outputs of docs/guide.md anew
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
JOBS   ?= 2

.PHONY: demo test bottoms dist lint bench torture mutants fmt docs docs-check vectors guide picture parts clean lock deb packages

$(VENV)/.run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Muster needs Python 3.11 or newer; say 'make PYTHON=python3.12 …'"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || $(PYTHON) -m virtualenv $(VENV) || { echo "no virtual environment could be made: install python3-venv, or 'pip install virtualenv'"; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(VENV)/.run
	$(BIN)/muster demo

# Debian packages that the tests need; installs them when root, otherwise says which.
parts:
	@sh tests/parts.sh

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# What tries and judges deploy/ has an environment of its own, too.
$(VENV)/.deploy: requirements/deploy.txt $(VENV)/.run
	@test -x $(VENV)/deploy/bin/python || $(PYTHON) -m venv $(VENV)/deploy || $(PYTHON) -m virtualenv $(VENV)/deploy
	$(VENV)/deploy/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/deploy.txt
	@touch $@

test: $(VENV)/.dev $(VENV)/.deploy parts lint docs-check
	$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m "not torture"
	@$(BIN)/python tests/house/mirror.py

# The lowest versions that pyproject.toml allows, under the tests that touch each package.
BOTTOMS := $(VENV)/bottoms
BOTTOM_TESTS := tests/net/test_dns.py tests/net/test_dns_peers.py tests/net/test_dnsupdate.py \
	tests/net/test_tls.py tests/system/test_keyfile.py tests/system/test_qr.py \
	tests/lease/test_jws.py tests/lease/test_jws_public_keys.py \
	tests/db/test_engine.py tests/db/test_postgres_stall.py tests/cli/client \
	tests/net/test_page.py tests/host/test_metrics.py \
	tests/cli/test_main_everywhere.py tests/cli/test_shapes_plays.py tests/cli/test_slmgr.py

$(VENV)/.bottoms: requirements/bottoms.txt $(VENV)/.run
	@test -x $(BOTTOMS)/bin/python || $(PYTHON) -m venv $(BOTTOMS) || $(PYTHON) -m virtualenv $(BOTTOMS)
	$(BOTTOMS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bottoms.txt
	$(BOTTOMS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

bottoms: $(VENV)/.bottoms parts
	$(BOTTOMS)/bin/python -m pytest -n $(JOBS) --dist loadgroup -m "not torture" $(BOTTOM_TESTS)

# Wheel and sdist, judged as an index would; the judges have an environment of their own.
JUDGES := $(VENV)/judges

$(VENV)/.judges: requirements/dist.txt $(VENV)/.run
	@test -x $(JUDGES)/bin/python || $(PYTHON) -m venv $(JUDGES) || $(PYTHON) -m virtualenv $(JUDGES)
	$(JUDGES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dist.txt
	@touch $@

dist: $(VENV)/.judges
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist
	$(JUDGES)/bin/python -m twine check --strict dist/*
	$(JUDGES)/bin/check-wheel-contents dist/*.whl

torture: $(VENV)/.dev parts
	$(BIN)/python -m pytest -m torture --timeout 3000
	HYPOTHESIS_PROFILE=fresh $(BIN)/python -m pytest -n $(JOBS) --dist loadgroup -m hypothesis --timeout 3000

# Breaks pure rooms on purpose, one place at a time, and names what no test notices.
mutants: $(VENV)/.dev
	$(BIN)/python tests/house/mutants.py --jobs $(JOBS)

# Debian and RPM packages of each role, into dist/ (packaging/recipe.toml).
deb: $(VENV)/.dev
	$(BIN)/python packaging/build.py deb

packages: $(VENV)/.dev parts
	$(BIN)/python packaging/build.py deb rpm

bench: $(VENV)/.run
	$(BIN)/python bench/run.py

docs: $(VENV)/.run
	$(BIN)/python docs/generate.py

# Runs every command of the guide in a network namespace (as root) and writes what it printed.
guide: $(VENV)/.dev parts
	$(BIN)/python tests/docs/console.py --write

# Runs the demo at a terminal and draws what it showed.
picture: $(VENV)/.dev
	$(BIN)/python tests/docs/picture.py --write

docs-check: $(VENV)/.run
	$(BIN)/python docs/generate.py --check

vectors: $(VENV)/.run
	$(BIN)/python tests/vectors/make.py

fmt: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock files name no index.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: $(VENV)/.dev
	$(COMPILE) requirements/run.in -o requirements/run.txt
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/dist.in -c requirements/dev.txt -o requirements/dist.txt
	$(COMPILE) requirements/deploy.in -c requirements/dev.txt -o requirements/deploy.txt
	$(COMPILE) requirements/bottoms.in -o requirements/bottoms.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache
