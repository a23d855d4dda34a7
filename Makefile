# Two commands do all the set-up on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAMPLE := tests/sounds/demo.flac
TINY := tests/fixtures/tinywhisper
AUDIO ?= $(SAMPLE)
URL ?= http://127.0.0.1:8000

.PHONY: help install demo run console test check lint bench clean

help:
	@echo "make demo              a server on a sample recording, and the console attached to it"
	@echo "make demo AUDIO=path   the same with a recording of yours"
	@echo "make run               the server with this machine's microphone"
	@echo "make console [URL=…]   the console"
	@echo "make test              the tests"
	@echo "make check             lint, types, import contracts and tests: what CI runs"
	@echo "make bench             the benchmarks"

# The environment, without and with what development needs.
install: $(VENV)/installed

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which with make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV); the first time takes a minute or two"
	@PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[mlx-cpu,wake,sinks,keyring]'
	@touch $@

$(VENV)/developed: $(VENV)/python pyproject.toml constraints.txt
	@echo "installing into $(VENV); the first time takes a minute or two"
	@PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[mlx-cpu,wake,sinks,keyring,dev]'
	@touch $@ $(VENV)/installed

# The sample is read by mlx_whisper with the test model that lies in this repository; any other
# recording by the engine that `auto` finds.
demo: install
ifeq ($(AUDIO),$(SAMPLE))
	@$(BIN)/stt-server demo $(SAMPLE) --engine mlx_whisper --model $(TINY) --language en \
		--about "a synthetic voice; the engine is real, its small test model knows 42 words: those of this sample"
else
	@$(BIN)/stt-server demo "$(AUDIO)"
endif

run: install
	@$(BIN)/stt-server --auto-start

console: install
	@$(BIN)/stt-console --url $(URL)

# Real processes, sound in real time, a busy machine: what fails is tried once more, and an "R" says so.
test: $(VENV)/developed
	$(BIN)/pytest -n 4 --dist worksteal --reruns 1 --rerun-show-tracebacks

lint: $(VENV)/developed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

$(VENV)/benched: $(VENV)/developed
	@PYTHONWARNINGS=ignore $(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[mlx-cpu,wake,sinks,keyring,dev,bench]'
	@touch $@ $(VENV)/developed $(VENV)/installed

bench: $(VENV)/benched
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.accuracy
	$(BIN)/python -m benchmarks.hearing --wake
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.fixture
	$(BIN)/python -m benchmarks.fanout
	$(BIN)/python -m benchmarks.fanout --stuck
	$(BIN)/python -m benchmarks.streams
	$(BIN)/python -m benchmarks.rest
	$(BIN)/python -m benchmarks.slow_reader
	$(BIN)/python -m benchmarks.console
	$(BIN)/python -m benchmarks.kill
	$(BIN)/python -m benchmarks.sinks

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
