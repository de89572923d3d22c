# Two commands do everything on a fresh machine with Rust and Python: `make demo` and `make test`.
.PHONY: demo test bench models fmt agreement

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

bench:
	@scripts/bench.sh

# How our controls agree with others' verdicts on templates, each disagreement with its reason (needs ../shared).
agreement:
	python3 tests/agreement/registry.py "$${CARGO_TARGET_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/yagura/target}/debug/yagura" ../shared/datasets/guard-rules-registry/cases.jsonl.gz

models:
	cargo xtask models

fmt:
	cargo fmt --all
