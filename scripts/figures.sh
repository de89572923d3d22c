#!/usr/bin/env bash
# Writes the counts of both READMEs from what the program itself says. `--check` fails where they differ.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
yagura="$CARGO_TARGET_DIR/debug/yagura"
[ -x "$yagura" ] || fail "build first: cargo build -p yagura"
exec python3 - "$yagura" "${1:-}" <<'PYTHON'
import json, pathlib, re, subprocess, sys

yagura, mode = sys.argv[1:3]
run = lambda *arguments: subprocess.run([yagura, *arguments], check=True, capture_output=True, text=True).stdout
rules = [json.loads(line) for line in run("rule", "list", "-o", "ndjson").splitlines()]
tests = json.loads(run("rule", "test", "-o", "json"))
types = len(list(pathlib.Path("resources").glob("*/*.yml")))
standards = [json.loads(line) for line in run("standard", "list", "-o", "ndjson").splitlines()]
models = re.search(r"(\d+) services", pathlib.Path("crates/aws/models/NOTICE").read_text())
cases = re.search(r"CASES_MIN: usize = (\d+)", pathlib.Path("crates/aws/tests/protocol.rs").read_text())
implemented = ", ".join(f"{s['id']} {s['implemented']}/{s['requirements']}" for s in standards)
size = pathlib.Path("crates/aws/models/models.bin.zst").stat().st_size // 1024

rows = {
    "README.md": [
        ("Controls", len(rules), "`yagura rule list`"), ("Test cases of controls, run at every build", tests["run"], "`yagura rule test`"),
        ("Resource types", types, "`yagura doctor`"), ("Requirements with a control", implemented, "`yagura standard list`"),
        ("Published protocol cases passed", cases.group(1), "`cargo test -p yagura-aws --test protocol`"),
        ("Table of API models", f"{size} KiB", "`cargo xtask models`"),
    ],
    "README.ja.md": [
        ("コントロール", len(rules), "`yagura rule list`"), ("コントロールのテストケース（ビルドごとに実行）", tests["run"], "`yagura rule test`"),
        ("リソース種別", types, "`yagura doctor`"), ("コントロールがある要件", implemented, "`yagura standard list`"),
        ("合格した公開プロトコルテスト", cases.group(1), "`cargo test -p yagura-aws --test protocol`"),
        ("API モデル表", f"{size} KiB", "`cargo xtask models`"),
    ],
}
heads = {"README.md": ("what", "how much", "command that says so"), "README.ja.md": ("項目", "数", "確認するコマンド")}
for name, table in rows.items():
    lines = ["| " + " | ".join(heads[name]) + " |", "|---|---|---|"] + [f"| {a} | {b} | {c} |" for a, b, c in table]
    text = pathlib.Path(name).read_text()
    begin, end = "<!-- figures: made by scripts/figures.sh -->\n", "<!-- /figures -->"
    before, rest = text.split(begin)
    made = before + begin + "\n".join(lines) + "\n" + end + rest.split(end, 1)[1]
    if mode == "--check":
        if made != text:
            sys.exit(f"yagura: the figures of {name} are out of date: run scripts/figures.sh")
    else:
        pathlib.Path(name).write_text(made)
PYTHON
