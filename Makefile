# Everything runs in .venv, which each target makes for itself.
#
#   make demo                            upload sample photos to the file system, print their thumbs, serve a gallery
#   make demo PHOTOS=~/Pictures          the same with photos of your own (files or folders)
#   make demo STORAGE=s3                 the same with an S3 server started for it
#   make demo PORT=8000 DEMO_ARGS=--no-serve
#   make test TEST_ARGS="-k naming -x"
#   make lint
#   make bench PHOTOS=~/Pictures
#   make soak SOAK_ARGS="--server gthread --outage"   put real web servers under load
#   make clean

PYTHON ?= python3
PHOTOS ?=
STORAGE ?= file
PORT ?= 0
DEMO_ARGS ?=
TEST_ARGS ?=
# Processes that run tests side by side; much of their time they wait for the S3 server, and each has one of its own.
WORKERS ?= 3
SOAK_ARGS ?=

BIN := .venv/bin

.PHONY: demo test lint bench soak clean

demo: .venv/.installed-demo
	$(BIN)/python testproject/demo.py --storage $(STORAGE) --port $(PORT) $(if $(PHOTOS),--photos "$(PHOTOS)") $(DEMO_ARGS)

test: .venv/.installed-test
	$(BIN)/python -m pytest -n $(WORKERS) $(TEST_ARGS)

lint: .venv/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.installed-test
	$(BIN)/python -m tests.benchmarks $(PHOTOS)

soak: .venv/.installed-test .venv/.installed-load
	$(BIN)/python -m tests.benchmarks.soak $(SOAK_ARGS)

clean:
	rm -rf .venv .bench .mypy_cache .pytest_cache .ruff_cache .tox build dist htmlcov .coverage testproject/var *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed-%: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable ".[$*]"
	touch $@
