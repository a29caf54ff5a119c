# Everything runs in .venv, which each target makes for itself.
#
#   make demo                            upload sample photos to the file system, print their thumbs, serve a gallery
#   make demo PHOTOS=~/Pictures          the same with photos of your own (files or folders)
#   make demo STORAGE=s3                 the same with an S3 server started for it
#   make demo PORT=8000 DEMO_ARGS=--no-serve
#   make s3                              start an S3 server with a bucket, and print the settings that lead to it
#   make test TEST_ARGS="-k naming -x"
#   make lint
#   make bench PHOTOS=~/Pictures
#   make gallery                        a page of thumbs beside those of others, .bench/gallery.html
#   make soak SOAK_ARGS="--server gthread --outage"   put real web servers under load
#   make constraints                     pin the newest releases that there are now
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

# An upstream release must not break what worked: only `make constraints` takes a new one in.
CONSTRAINTS := $(foreach part,django libraries tools,--constraint tests/constraints/$(part).txt)

.PHONY: demo s3 test lint bench gallery soak constraints clean

demo: .venv/.installed-demo
	$(BIN)/python testproject/demo.py --storage $(STORAGE) --port $(PORT) $(if $(PHOTOS),--photos "$(PHOTOS)") $(DEMO_ARGS)

s3: .venv/.installed-demo
	@$(BIN)/python testproject/seaweedfs.py

test: .venv/.installed-test
	@echo "All tests take about 6 minutes."
	$(BIN)/python -m pytest -n $(WORKERS) $(TEST_ARGS)

# The last two check the types of a project that uses the package, as its own developers would.
lint: .venv/.installed-test .venv/.installed-types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	cd tests/typing && ../../$(BIN)/mypy
	cd tests/typing && ../../$(BIN)/pyright

bench: .venv/.installed-test
	$(BIN)/python -m tests.benchmarks $(PHOTOS)

gallery: .venv/.installed-test
	PHOTOS="$(PHOTOS)" $(BIN)/python -m tests.benchmarks.gallery

soak: .venv/.installed-test .venv/.installed-load
	$(BIN)/python -m tests.benchmarks.soak $(SOAK_ARGS)

# Three files, since each corner of the matrix leaves out what it chooses itself.
constraints:
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --no-header \
		pyproject.toml | \
	awk 'BEGIN { for (n = split("django libraries tools", parts); n; n--) \
	             print "\43 Made anew by `make constraints`." > ("tests/constraints/" parts[n] ".txt") } \
	     { part = /^(django|djangorestframework)==/ ? "django" : \
	              /^(boto3|botocore|django-storages|pi-heif|pillow|s3transfer)==/ ? "libraries" : "tools"; \
	       print > ("tests/constraints/" part ".txt") }'

clean:
	rm -rf .venv .bench .mypy_cache .pytest_cache .ruff_cache .tox build dist htmlcov .coverage testproject/var *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.installed-%: pyproject.toml $(wildcard tests/constraints/*.txt)
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet $(CONSTRAINTS) --editable ".[$*]"
	touch $@
