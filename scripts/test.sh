#!/usr/bin/env bash
# Everything that must pass: format, lints, unit and rule tests, the sandbox against a real moto server, the HTML report
# in headless Chromium.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_rust
need_python

say "format"
cargo fmt --all -- --check

say "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings

say "unit, property, protocol and rule tests"
if cargo nextest --version >/dev/null 2>&1; then
  cargo nextest run --locked --workspace --no-fail-fast
else
  cargo test --locked --workspace --no-fail-fast
fi
# The tests have built the program: a build of that one package would build the dependencies anew, with fewer features.
yagura="$CARGO_TARGET_DIR/debug/yagura"
"$yagura" rule test
scripts/figures.sh --check

say "the demo's scan and the HTML report in Chromium"
need_chromium
python_environment
"$venv/bin/python" tests/browser/report.py "$yagura"

say "SARIF against its published schema"
if command -v npm >/dev/null && schema="$(sarif_schema)"; then
  "$venv/bin/python" tests/formats/sarif.py "$yagura" "$schema"
else
  skipped "the validation of SARIF, because npm cannot give its schema"
fi

say "the sandbox: a real moto server"
if [ -d "$shared/sandbox" ]; then
  "$venv/bin/python" tests/sandbox/run.py "$yagura" "$shared/sandbox"
else
  skipped "the sandbox tests, because ../shared/sandbox is not here"
fi

say "agreement with the verdicts of the Guard rules registry (informational)"
if [ -d "$shared/datasets/guard-rules-registry" ]; then
  "$venv/bin/python" tests/agreement/registry.py "$yagura" "$shared/datasets/guard-rules-registry/cases.jsonl.gz" | tail -n 3
else
  skipped "the comparison with the Guard rules registry, because ../shared/datasets is not here"
fi

say "all passed"
