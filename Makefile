# The same commands at home and in CI. `make demo` and `make test` install what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# The tests start many processes: each would compile perpixel anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test long check slow docs docs-test test-numbers test-matrix measures clean

setup: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: setup
	$(BIN)/perpixel demo --overwrite

test: setup
	$(BIN)/pytest -n auto --dist worksteal

# Those that start processes or a browser, or run exported models in other runtimes.
long: setup
	$(BIN)/pytest -n auto --dist worksteal -m "long and not slow and not gpu"

slow: setup
	$(BIN)/pytest -m slow

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal -m "not slow and not gpu" --hypothesis-profile thorough --cov --cov-report=term

# How large and how tangled the code is, each measure with its limit.
measures: setup
	$(BIN)/pytest -s tests/test_measures.py

docs: setup
	$(BIN)/mkdocs build --strict

docs-test: setup
	$(BIN)/pytest -m "not gpu" tests/docs

# The tests as other processors and other numbers of threads would run them.
test-matrix: setup
	for isa in AVX2 AVX512_CORE AVX512_CORE_VNNI AVX512_CORE_BF16 DEFAULT; do \
	  for capability in default avx2 avx512; do \
	    echo "ONEDNN_MAX_CPU_ISA=$$isa ATEN_CPU_CAPABILITY=$$capability"; \
	    ONEDNN_MAX_CPU_ISA=$$isa ATEN_CPU_CAPABILITY=$$capability $(BIN)/pytest -n auto || exit 1; \
	  done; \
	done
	for threads in 1 2 4; do echo "OMP_NUM_THREADS=$$threads"; OMP_NUM_THREADS=$$threads $(BIN)/pytest -n auto || exit 1; done

# Those that compare numbers, as two other processors would run them; a part of CI.
NUMERICAL := tests/golden tests/losses tests/prediction/test_backends.py tests/training/test_trainer.py tests/models/test_unet.py
test-numbers: setup
	ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=default $(BIN)/pytest -n auto $(NUMERICAL)
	ONEDNN_MAX_CPU_ISA=AVX512_CORE ATEN_CPU_CAPABILITY=avx2 OMP_NUM_THREADS=2 $(BIN)/pytest -n auto $(NUMERICAL)

clean:
	rm -rf $(VENV) runs site .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
