#!/usr/bin/env bash
# Measures; never fails a build over a number. See scripts/bench.py for what is measured and beside what.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_rust
python_environment
say "release build"
cargo build --locked --release --package yagura --package xtask
if [ ! -d "$shared/sandbox" ]; then
  skipped "the scan of the sandbox, because ../shared/sandbox is not here"
fi
exec "$venv/bin/python" scripts/bench.py "$CARGO_TARGET_DIR/release" "$shared/sandbox" "$@"
