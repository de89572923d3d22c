# Two commands do everything on a fresh machine with Rust and Python: `make demo` and `make test`.
.PHONY: demo test bench fuzz models fmt agreement

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

bench:
	@scripts/bench.sh

# How our controls agree with others' verdicts on templates, each disagreement with its reason (needs ../shared).
agreement:
	python3 tests/agreement/registry.py "$${CARGO_TARGET_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/yagura/target}/debug/yagura" ../shared/datasets/guard-rules-registry/cases.jsonl.gz

# Each fuzz target for a while. There is no unsafe code here for a sanitizer to watch, and a stable compiler will do.
SECONDS ?= 20
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo "yagura: cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 1; }
	@for target in $$(cargo fuzz list); do echo "== $$target"; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run -s none "$$target" -- -max_total_time=$(SECONDS) -rss_limit_mb=2048 || exit 1; done

models:
	cargo xtask models

fmt:
	cargo fmt --all
