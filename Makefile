# `make demo` and `make test` do all the set-up on a fresh machine with Python 3.11+ and a C++ compiler.
VENV ?= .venv
PYTHON ?= python3
CORES ?= 2
BIN := $(abspath $(VENV))/bin
export PATH := $(BIN):$(PATH)
export OMP_WAIT_POLICY := PASSIVE

# Packages that torch can do without on a CPU, 1.5 GB; `make … WITH_GPU=1` installs them for other machines that have GPUs.
WITH_GPU ?= $(wildcard /dev/nvidiactl /dev/dxg $(VENV)/.installed-gpu)
LEFT_OUT := $(if $(WITH_GPU),,triton cuda-bindings cuda-pathfinder nvidia-cuda-cccl nvidia-cuda-cupti nvidia-cusolver \
	nvidia-nvjitlink nvidia-nvtx)
STAMP := $(VENV)/.installed$(if $(WITH_GPU),-gpu)

.PHONY: install demo test soak check generate bench lock clean

PIP := $(BIN)/python -m pip install --quiet --no-deps --require-hashes
BESIDE := beside=$$!; trap 'kill $$beside 2>/dev/null' EXIT INT TERM;

# What the other targets do first. Two pips install twice as fast on two cores, and both cores compile.
install: $(STAMP)

# The chain on composites, with a sweep of 2 pairs; then the score of each node and the path of the report page.
# Without a GPU, as many trainings at once as there are cores.
demo: $(STAMP)
	snakemake all sweep --cores $(CORES) $(if $(WITH_GPU),,--resources gpu=$(CORES))
	seedbed scores --sweep
	seedbed scores

# The workflow's tests wait for their jobs much of the time, so they run alongside the others, but for three files, which
# make both halves equally long; their output follows.
LAST := $(addprefix tests/workflow/,test_coco.py test_photographs.py test_pnoc_full.py)

test: $(STAMP) check
	@told=$$(mktemp); python -m pytest tests/workflow $(LAST:%=--ignore %) >"$$told" 2>&1 & beside=$$!; trap 'kill $$beside' INT TERM; \
	python -m pytest tests --ignore tests/workflow; library=$$?; python -m pytest $(LAST); last=$$?; \
	echo "waiting for tests/workflow"; wait $$beside; workflow=$$?; cat "$$told"; rm "$$told"; \
	test $$library -eq 0 && test $$last -eq 0 && test $$workflow -eq 0

# Every damaged input through the commands, counted; `make test` runs a sample of them.
soak: $(STAMP)
	PYTHONPATH=src:tests python -m hostile.soak

check: $(STAMP)
	ruff check .
	ruff format --check .
	mypy
	lint-imports
	snakefmt --check Snakefile rules
	snakemake --lint

# Every generated file: tables and stage pages of docs/, schemas/, the tests' record of defaults, dvc.yaml.
# None of them is merged by hand: take either side, then run this.
generate: $(STAMP)
	python docs/generate.py
	python -m tests.stages.record_defaults
	seedbed dvc

bench: $(STAMP)
	python -m pip install --quiet --no-deps --require-hashes -r envs/requirements-bench.lock
	python benchmarks/run_all.py

# compileall fails at templates that some packages ship as .py; what really cannot be compiled fails when it is imported.
$(STAMP): envs/requirements.lock envs/requirements-crf.lock pyproject.toml
	@echo "installing into $(VENV): more than 5 GB, some minutes"
	$(PYTHON) -m venv $(VENV)
	awk -v left_out=" $(LEFT_OUT) " -v parts=$(VENV)/requirements- '/^[a-z]/ {split($$1, name, "=="); \
		part = parts (name[1] ~ /^(nvidia|torch)/ ? "torch" : "other") ".lock"} !index(left_out, " " name[1] " ") {print > part}' \
		envs/requirements.lock
	$(PIP) --no-compile -r $(VENV)/requirements-torch.lock & $(BESIDE) $(PIP) --no-compile -r $(VENV)/requirements-other.lock && wait $$beside
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m compileall -q -j 0 $(VENV)/lib/python*/site-packages >$(VENV)/compileall.log || true
	$(BIN)/python -m seedbed.compile_kernels & $(BESIDE) $(PIP) --no-build-isolation -r envs/requirements-crf.lock && wait $$beside
	touch $@

# Needs uv; the lock carries pins and hashes, no addresses.
lock:
	uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --no-annotate --no-header \
		--no-emit-index-url -o envs/requirements.lock envs/requirements.in

clean:
	rm -rf results logs .snakemake
