# Two commands do everything on a fresh machine with Rust and Python: `make demo` and `make test`.
.PHONY: demo test bench bench-policies fuzz models fmt agreement quality nightly-access

demo:
	@scripts/demo.sh

test:
	@scripts/test.sh

bench:
	@scripts/bench.sh

# The part of it about policies: evaluations, comparisons and lint beside their peers.
bench-policies:
	@scripts/bench_policies.sh

# How we agree with others' verdicts, each disagreement with its reason (needs ../shared): on policies, file by file, and on
# templates.
agreement:
	cargo build --quiet --package yagura-access --example answers
	python3 tests/agreement/vectors.py "$${CARGO_TARGET_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/yagura/target}/debug/examples/answers" ../shared/datasets/iam-vectors
	python3 tests/agreement/registry.py "$${CARGO_TARGET_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/yagura/target}/debug/yagura" ../shared/datasets/guard-rules-registry/cases.jsonl.gz

# How well the detections find labelled attacks, and how often they cry wolf (needs ../shared).
quality:
	@cargo build --quiet --package yagura-detect --example quality
	@python3 tests/quality/quality.py "$${CARGO_TARGET_DIR:-$${XDG_CACHE_HOME:-$$HOME/.cache}/yagura/target}/debug/examples/quality"

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

# Whether the core that decides for all requests agrees with the one that decides for one: PAIRS random pairs of policies.
PAIRS ?= 1000000
SEED ?= 1
nightly-access:
	cargo run --release --package yagura-access --example two_cores -- $(PAIRS) $(SEED)
