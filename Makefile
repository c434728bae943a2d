# Each target makes what it needs first, and says what it is doing in one line. PYTHON=… chooses the interpreter.

VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Tests that start brokers or whole workers, or play the alert rules; `check` leaves them to `test`. They wait more than
# they work: two files at once, each process with brokers of its own.
SLOW := tests/kafka tests/contract tests/integration tests/crash tests/prometheus tests/demo/test_demo.py
# Tests that need programs of others beside Kafka; each has a target of its own.
APART := tests/gateway tests/browser tests/newcomer
UNIT := $(addprefix --ignore=,$(SLOW) $(APART))

once_more = { echo "== ONCE MORE, what has failed: if it passes now it is a flake, and a defect of the test all the same"; \
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(1); }

# Releases of Kafka that the integration tests run against, one after the other; `newest` is what Maven Central serves.
RELEASES ?= 3.9.1 4.1.0 newest

# Tests start hundreds of interpreters: each would compile everything anew where bytecode is not kept.
unexport PYTHONDONTWRITEBYTECODE

STEADY ?= 1800
FAULTS ?= 3600
SEED ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo check test newcomer gateway containers crash brokers soak lint bench browser pictures generated vendor tools lock site release clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements/test.lock requirements/venv pyproject.toml
	@echo "== installing into $(VENV) from requirements/test.lock (about a minute, once)"
	@requirements/venv $(VENV) requirements/test.lock
	@touch $@

demo: $(READY) ## see events become requests and results, on this machine alone
	@$(BIN)/sms-connector demo

lint: $(READY) ## style, types, import directions
	@echo "== ruff: style"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .
	@echo "== mypy --strict: types"
	@$(BIN)/mypy --no-error-summary
	@echo "== import-linter: which room imports which"
	@$(BIN)/lint-imports --no-logo 2>&1 > $(VENV)/imports.txt || { cat $(VENV)/imports.txt; exit 1; }

check: lint ## lint, generated files, unit tests: under 90 seconds
	@echo "== unit tests"
	@$(BIN)/python -m pytest -q --numprocesses=auto $(UNIT) || $(call once_more,$(UNIT))

# More examples and seeds of the same tests: tests/thorough.py.
test: export THOROUGH ?= 1

test: check ## check, then everything against a real Kafka: contracts, integration, crashes
	@echo "== tests with Kafka (KAFKA_BOOTSTRAP, a container, local Java or, with less proven, the embedded broker)"
	@$(BIN)/python -m pytest -q --numprocesses=2 --dist=loadfile $(wildcard $(SLOW)) || $(call once_more,$(wildcard $(SLOW)))

gateway: $(READY) ## events through a real SMS gateway (Debian's Kannel) to a mobile network: two minutes
	@echo "== a real SMS gateway: Kannel, unpacked into .cache/"
	@$(BIN)/python -m pytest -q tests/gateway

newcomer: $(READY) ## the quick start, an own provider from a curl command, an upgrade from 0.1 and back, as the pages say it
	@echo "== a newcomer's path, as docs/quickstart.md and docs/upgrading.md say it"
	@$(BIN)/python -m pytest -q tests/newcomer

crash: $(READY) ## every fault and every mutation against real brokers: most of an hour
	@$(BIN)/python -m tests.crash
	@echo "== lanes at full size"
	@LANES_SCALE=25 $(BIN)/python -m pytest tests/integration/test_lanes.py tests/integration/test_steering_on_kafka.py \
		-k "is_down or low_limit or backlog or cancel"
	@$(MAKE) --no-print-directory brokers

brokers: $(READY) ## contracts and integration against each release of Kafka, on local Java (RELEASES="3.9.1 4.1.0 newest")
	@for release in $(RELEASES); do \
		echo "== Kafka $$release: harness, contracts, integration"; \
		KAFKA_RELEASE=$$release $(BIN)/python -m pytest -q --numprocesses=2 --dist=loadfile tests/kafka tests/contract tests/integration \
			|| exit 1; \
	done

browser: $(READY) ## the console's pages in Debian's Chromium: every page, theme and width, and what people do there (needs Node)
	@echo "== pages in a real browser, beside a real Kafka"
	@$(BIN)/python -m tests.browser.programs
	@$(BIN)/python -m pytest -q tests/browser

# Pictures are for people: they are made, looked at and not compared.
PICTURES ?= build/pictures

pictures: $(READY) ## pictures of the console's pages, both themes and three widths, into build/pictures (PICTURES=folder)
	@echo "== pictures into $(PICTURES)"
	@$(BIN)/python -m tests.browser.programs
	@mkdir -p $(PICTURES)
	@PICTURES=$(abspath $(PICTURES)) $(BIN)/python -m pytest -q -p no:cacheprovider tests/browser/take_pictures.py

containers: $(READY) ## image, compose file and manifests on a Docker engine of their own (Linux, root): some minutes
	@$(BIN)/python -m tests.containers

soak: $(READY) ## steady load, then faults at random (STEADY=1800 FAULTS=3600 seconds, SEED=1)
	@echo "== $(STEADY) s at 70 % of what a worker can do: memory, lag and open files have to stay what they are"
	@$(BIN)/python -m bench soak --seconds $(STEADY)
	@echo "== $(FAULTS) s of faults at random (SEED=$(SEED))"
	@$(BIN)/python -m tests.crash --soak $(FAULTS) --seed $(SEED)

bench: $(READY) ## what a message costs on this machine, and how that grows: some minutes (SECTIONS="job load")
	@$(BIN)/python -m bench $(SECTIONS)

vendor: ## bundle the libraries of the console's pages again, by npm: nobody else needs Node
	@echo "== bundling vendor/ into connector/web/static/vendor"
	@cd vendor && npm ci --no-fund --no-audit --ignore-scripts --silent && node build.mjs

generated: $(READY) ## write again what is made from others: schemas/, docs/configuration.md, the list in docs/architecture.md, deploy/kubernetes
	@echo "== writing schemas/, docs/configuration.md, the list of files in docs/architecture.md, deploy/kubernetes"
	@$(BIN)/sms-connector schemas
	@$(BIN)/sms-connector config reference > $(VENV)/reference.md && mv $(VENV)/reference.md docs/configuration.md
	@$(BIN)/python -m tests.docs.rooms
	@$(BIN)/python -m tests.deploy.plain

tools: $(READY) ## helm and kubeconform into .cache/, with which the Helm chart is tested (needs Go; minutes, once)
	@echo "== building helm and kubeconform from their Go modules"
	@$(BIN)/python -m tests.deploy.tools

lock: $(READY) ## resolve pyproject.toml into requirements/*.lock
	@echo "== resolving requirements/*.lock"
	@requirements/lock $(BIN)/python

site: $(READY) ## the documentation as a site with search, in build/site: needs no network
	@echo "== building the site; a link or an anchor that leads nowhere fails"
	@$(BIN)/python -m website

release: $(READY) ## wheel, sdist and SBOM in dist/: reproducible, licences checked, tried in an empty environment: a minute
	@$(BIN)/python -m release

clean: ## remove what make has made, but for downloaded jars
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
