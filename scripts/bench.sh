#!/usr/bin/env bash
# Measures; never fails a build over a number. See scripts/bench.py for what is measured and beside what.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_rust
python_environment
say "release build"
# All at once: a build of some packages would build the heavy dependencies once more, with fewer features.
cargo build --locked --release --workspace --bins --examples
if [ ! -d "$shared/sandbox" ]; then
  skipped "the scan of the sandbox, because ../shared/sandbox is not here"
fi
scripts/bench_policies.sh
"$venv/bin/python" scripts/bench.py "$CARGO_TARGET_DIR/release" "$shared/sandbox" "$@"
if [ ! -f "$shared/sandbox/make_corpus.py" ]; then
  skipped "taking logs in and looking them up, because ../shared/sandbox/make_corpus.py is not here"
  exit
fi
say "logs"
others=()
if "$venv/bin/pip" --quiet --disable-pip-version-check install duckdb==2.0.0 deltalake==1.6.6; then
  others=(--python "$venv/bin/python")
else
  skipped "DuckDB and deltalake, because the package index did not give them"
fi
"$venv/bin/python" scripts/bench_lake.py "$cache/corpora" --yagura "$CARGO_TARGET_DIR/release/yagura" \
  --make "$shared/sandbox/make_corpus.py" --floor "$CARGO_TARGET_DIR/release/examples/floor" "${others[@]}"
say "detection"
exec "$venv/bin/python" scripts/bench_detect.py "$cache/corpora/1000000" --yagura "$CARGO_TARGET_DIR/release/yagura" \
  --rate "$CARGO_TARGET_DIR/release/examples/detect_rate"
