#!/usr/bin/env python3
"""How many policies a second `lint` and parliament judge on one core, over the same AWS managed policies.

    python bench_lint.py LINT_RATE [--runs 5] [--policies FILE]

LINT_RATE is the release build of the example of that name in crates/access. The policies are JSON Lines, or those that the
Python package moto carries. parliament (PyPI) and moto are installed into a virtual environment of their own that is removed
afterwards. Both read their tables first; each run is one core for some seconds. Prints the medians and their ratio.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import venv

SECONDS = 5

MANAGED = """
import json, sys
from moto.iam.aws_managed_policies import aws_managed_policies_data
for policy in json.loads(aws_managed_policies_data).values():
    print(json.dumps(policy["Document"]))
"""

# Rounds over the policies until the time is over; a round begun is finished only as far as the clock lets it.
PARLIAMENT = """
import itertools, sys, time
import parliament
texts = open(sys.argv[1]).read().splitlines()
parliament.analyze_policy_string(texts[0])
start, judged = time.perf_counter(), 0
for text in itertools.cycle(texts):
    parliament.analyze_policy_string(text).findings
    judged += 1
    if time.perf_counter() - start > float(sys.argv[2]):
        break
print(judged / (time.perf_counter() - start))
"""


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("lint_rate", type=pathlib.Path)
    arguments.add_argument("--runs", type=int, default=5)
    arguments.add_argument("--policies", type=pathlib.Path)
    arguments = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv/bin/python"
        packages = ["parliament"] if arguments.policies else ["parliament", "moto"]
        subprocess.run([python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *packages, "setuptools<81"], check=True)
        policies = arguments.policies
        if not policies:
            policies = folder / "policies.jsonl"
            policies.write_text(subprocess.run([python, "-c", MANAGED], check=True, capture_output=True, text=True).stdout)
        ours, theirs = [], []
        for _ in range(arguments.runs):
            run = subprocess.run([arguments.lint_rate, policies, str(SECONDS)], check=True, capture_output=True, text=True)
            ours.append(json.loads(run.stdout)["policies_per_second"])
            run = subprocess.run([python, "-W", "ignore", "-c", PARLIAMENT, policies, str(SECONDS)], check=True, capture_output=True, text=True)
            theirs.append(float(run.stdout.splitlines()[-1]))
        count = len(policies.read_text().splitlines())
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    print(f"{count} policies, median of {arguments.runs} runs of {SECONDS} s on one core")
    print(f"lint        {ours:12,.0f} policies/s")
    print(f"parliament  {theirs:12,.0f} policies/s")
    print(f"ratio       {ours / theirs:12,.0f}")


if __name__ == "__main__":
    sys.exit(main())
