# The two commands: `make up` (the product) and `make test` (the proof). Both do all their own set-up.

PYTHON := .venv/bin/python
ARGS ?=
SERVERS ?= yes
SECONDS ?= 120
REV ?= HEAD
# Most tests wait for real servers: four at a time keep two processors busy. Each worker has namespaces of its own, so
# that tests see nothing of each other, nor of what this machine runs beside.
PARALLEL ?= --tx '4*popen//python=$(PYTHON) -m tests.support.isolation.namespace' --dist=worksteal
# These need the namespaces that the kernel began with.
EVENTS := tests/integration/test_exec_events.py tests/integration/test_lineage.py tests/e2e/test_example_orchestrator.py -m first_namespaces

.DEFAULT_GOAL := help
# Hundreds of Python processes run in the tests: each would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: up test check lint unit agents docs boards bench bench-compare check-tmux clean help

up: ## everything for a newcomer: exporter, live page, Prometheus and Alertmanager (SERVERS=no: without these two)
	@SERVERS='$(SERVERS)' deploy/setup run
	@exec .venv/bin/tmux-exporter up $(if $(filter no,$(SERVERS)),--no-servers) $(ARGS)

test: ## the whole proof: linters, types, floors, then all tests (about 7 minutes)
	@deploy/setup test
	@$(MAKE) --no-print-directory lint
	@$(if $(ARGS),,$(PYTHON) -m pytest -q $(EVENTS))
	@exec $(PYTHON) -m pytest -q $(PARALLEL) $(ARGS)

check: ## `make test`, what takes minutes by its nature, and `make test` again on a machine in use
	@deploy/setup check
	@$(MAKE) --no-print-directory lint
	@$(if $(ARGS),,$(PYTHON) -m tests.support.programs.fresh_agents)
	@$(if $(ARGS),,$(PYTHON) -m tests.support.programs.container_base)
	@$(if $(ARGS),,$(PYTHON) -m tests.support.programs.debian_root)
	@$(if $(ARGS),,$(PYTHON) -m pytest -q $(EVENTS))
	@TMUX_EXPORTER_EXAMPLES=all $(PYTHON) -m pytest -q $(PARALLEL) -m "not versions and not first_namespaces" $(ARGS)
	@$(if $(ARGS),,exec $(PYTHON) -m tests.support.isolation.machine_in_use $(PYTHON) -m pytest -q $(PARALLEL))

lint: ## ruff, mypy --strict, import-linter
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-cache >.venv/lint-imports.log 2>&1 || { cat .venv/lint-imports.log; exit 1; }

unit: ## the quick part of the tests
	@exec $(PYTHON) -m pytest -q tests/unit tests/property $(ARGS)

agents: ## real agent programs, offline, through all their states: the table of docs/agents.md (20 minutes; ARGS="--only codex pi")
	@deploy/setup check
	@$(PYTHON) -m tests.support.programs.fresh_agents
	@exec $(PYTHON) -m tests.support.isolation.namespace -m tests.support.real_agents --json docs/agents.json --page docs/agents.md $(ARGS)

docs: ## write again what is generated from code
	@$(PYTHON) -m tmux_exporter.metrics.docs_page >docs/metrics.md
	@$(PYTHON) -m tmux_exporter.config.reference markdown >docs/configuration.md
	@$(PYTHON) -m tmux_exporter.config.reference example >deploy/tmux-exporter.example.yml
	@$(PYTHON) -m tmux_exporter.remediator.policies.json_schema >deploy/policies.schema.json
	@$(PYTHON) -m tmux_exporter.remediator.policies.reference >docs/policies.md
	@$(PYTHON) -m alerts.generate
	@$(PYTHON) -m tests.support.alert_faults.tables >alerts/proof.md
	@$(PYTHON) -m tests.support.tmux.quirks_page >docs/tmux-versions.md
	@$(PYTHON) -m tmux_exporter.commands.views.agents >docs/agent-programs.md
	@$(PYTHON) -m tests.support.real_agents.table docs/agents.json docs/agents.md
	@$(PYTHON) -m tests.support.pages.man_page tmux-exporter >deploy/share/man/man1/tmux-exporter.1
	@$(PYTHON) -m tests.support.pages.man_page tmux-remediator >deploy/share/man/man1/tmux-remediator.1

boards: ## write Grafana's boards again from their code
	@$(PYTHON) -m dashboards

bench: ## what it costs beside others, ~39 minutes: writes docs/performance.md (ARGS="--quick --out DIR": 3 minutes)
	@deploy/setup test
	@exec $(PYTHON) -m bench run $(ARGS)

bench-compare: ## this checkout beside REV=…, in one run
	@deploy/setup test
	@exec $(PYTHON) -m bench compare $(ARGS) $(REV)

check-tmux: ## protocol, parser, resolver and sampler against real tmux 3.1c, 3.3a, 3.5a, 3.7c and 3.8, SECONDS=120 each
	@deploy/setup test
	@TMUX_EXPORTER_ASK_SECONDS=$(SECONDS) exec $(PYTHON) -m pytest -q -m versions tests/versions $(ARGS)

clean: ## remove the environment and caches, nothing else
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
