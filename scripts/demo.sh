#!/usr/bin/env bash
# Builds Yagura and runs the main job on the sample account that ships in fixtures/: no AWS account, no network.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
need_rust

say "building (the first time takes some minutes)"
cargo build --locked --package yagura
yagura="$CARGO_TARGET_DIR/debug/yagura"

say "yagura scan --bundle fixtures/company.bundle"
"$yagura" scan --bundle fixtures/company.bundle
report="$CARGO_TARGET_DIR/yagura-demo-report.html"
"$yagura" scan --bundle fixtures/company.bundle -o html --out "$report" --quiet
say "the HTML report of the same scan"
printf '%s\n' "$report"
