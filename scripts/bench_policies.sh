#!/usr/bin/env bash
# Measures evaluations, comparisons and lint of policies beside their peers: the part of `make bench` that needs only
# crates/access to be built. Arguments go to scripts/bench_policies.py.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_rust
need_python
command -v npm >/dev/null || fail "npm is missing: install Node.js (Debian: apt-get install nodejs npm), then run this again"
cargo build --locked --release --package yagura-access --examples
if [ ! -d "$shared/datasets/iam-vectors" ]; then
  skipped "the comparison of policies with published verdicts, because ../shared/datasets is not here"
fi
python3 scripts/bench_policies.py "$CARGO_TARGET_DIR/release/examples" "$cache" --vectors "$shared/datasets/iam-vectors" "$@"
