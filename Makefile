# Four words for people: run, test, check, bench; and prove, the long one.
.PHONY: run test check prove bench outages format lock generate
.DEFAULT_GOAL := help

PY := .venv/bin/python

help:
	@echo "make run     bring the platform up on this machine (gateway on port 8000); UP='--fresh' passes options"
	@echo "make test    the test suite, on real PostgreSQL, Valkey and RabbitMQ"
	@echo "make check   format, lint, types, import rules, generated files, stale proofs"
	@echo "make prove   the long tier: kill matrix, mutants and mutations; resumable; writes docs/proofs/"
	@echo "make bench   performance, as ratios within one run"
	@echo "make outages parts of a platform are down in turn; what clients see goes to docs/resilience.md"

run:
	@scripts/setup run
	@exec $(PY) -m baluarte up $(UP)

# Three processes on two cores, because most tests wait (tests/sharing.py); ARGS="-n0 …" takes one, to debug.
test:
	@scripts/setup dev
	@scripts/servers
	@$(PY) -m pytest -n 3 --dist loadscope --no-loadscope-reorder $(ARGS)

check:
	@scripts/setup dev
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy .
	.venv/bin/lint-imports
	$(PY) -m tests.prove stale

prove:
	@scripts/setup dev
	@scripts/servers
	@$(PY) -m tests.prove run $(ARGS)

bench:
	@scripts/setup dev
	@scripts/setup bench
	@$(PY) -m benchmarks $(ARGS)

outages:
	@scripts/setup run
	@$(PY) -m scripts.outages --write

format:
	@scripts/setup dev
	$(PY) -m ruff format .
	$(PY) -m ruff check --fix .

lock:
	@scripts/setup dev
	scripts/lock

generate:
	@scripts/setup dev
	$(PY) -m scripts.known_names  # first: the schema of scenarios is made of them
	$(PY) -m scripts.generate
