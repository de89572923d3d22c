#!/usr/bin/env python3
"""Measure Yagura's evaluator beside @cloud-copilot/iam-simulate on the same random requests, one core each.

    cargo build --release -p yagura-access --example evaluations
    npm install --prefix DIR @cloud-copilot/iam-simulate
    scripts/bench_access.py DIR target/release/examples/evaluations [--requests N] [--rounds N]

Both read the requests and load the policies first; only deciding is timed. The answers must agree in number.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINES = ROOT / "tests" / "agreement" / "simulate.mjs"


def output(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", help="the folder that iam-simulate is installed in")
    parser.add_argument("program", help="the example `evaluations`, built for release")
    parser.add_argument("--requests", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "requests.jsonl"
        common = ["node", str(LINES), arguments.modules]
        file.write_text(output([*common, "-", str(arguments.requests), str(arguments.seed)]))
        ours = json.loads(output([arguments.program, "measure", str(file), str(arguments.rounds)]))
        theirs = json.loads(output([*common, "measure", str(arguments.requests), str(arguments.seed), str(arguments.rounds)]))
    medians = {}
    for name, found in (("yagura", ours), ("iam-simulate", theirs)):
        rates = found["evaluations_per_second"]
        medians[name] = statistics.median(rates)
        print(
            f"{name:13} {medians[name]:>12,.0f} evaluations/s (median of {len(rates)}; {min(rates):,.0f} to {max(rates):,.0f}), "
            f"{found['allowed']} allowed of {found['requests']}"
        )
    print(f"ratio         {medians['yagura'] / medians['iam-simulate']:>12,.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
