#!/usr/bin/env python3
"""Yagura's speed with policies, each figure beside a peer's in the same run.

    bench_policies.py EXAMPLES CACHE [--vectors FOLDER] [--runs 5] [--requests 5000]

EXAMPLES is the folder of the release builds of the examples of crates/access. The peers are installed into CACHE, where they
stay: @cloud-copilot/iam-simulate by npm, parliament by pip, and moto for the managed policies of AWS that it carries.

- Evaluations: the same random requests for both, policies loaded beforehand.
- Comparisons: every pair of policies in VECTORS (../shared/datasets/iam-vectors, left out where it is not there), and managed
  policies that are neighbours (managed_pairs.py). There is no peer to install; the goals stand beside.
- Lint: the managed policies, parsed and judged by both.

Everything is one core, in runs that take turns, and of each figure the median. Times of Yagura, and of evaluations of the
peer, are those that the thread had a core to itself. Prints Markdown.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIMULATE = ROOT / "tests" / "agreement" / "simulate.mjs"
# What a run of lint lasts; evaluations have rounds of half a second.
SECONDS = 2
PACKAGES = ["parliament", "moto", "setuptools<81"]

MANAGED = """
import json
from moto.iam.aws_managed_policies import aws_managed_policies_data
for policy in json.loads(aws_managed_policies_data).values():
    print(json.dumps(policy["Document"]))
"""

# Rounds over the policies until the time is over. CPU time, as for Yagura.
PARLIAMENT = """
import itertools, sys, time
import parliament
texts = open(sys.argv[1]).read().splitlines()
parliament.analyze_policy_string(texts[0])
start, judged = time.process_time(), 0
for text in itertools.cycle(texts):
    parliament.analyze_policy_string(text).findings
    judged += 1
    if time.process_time() - start > float(sys.argv[2]):
        break
print(judged / (time.process_time() - start))
"""


def output(command):
    run = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if run.returncode != 0:
        sys.exit(f"{' '.join(map(str, command[:3]))} failed: {run.stderr.strip()[-500:]}")
    return run.stdout


def install(cache):
    """The peers' folder of node modules and their Python, installed once."""
    modules, python = cache / "peers-npm", cache / "peers-venv/bin/python"
    if not (modules / "node_modules/@cloud-copilot/iam-simulate").is_dir():
        modules.mkdir(parents=True, exist_ok=True)
        output(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", modules, "@cloud-copilot/iam-simulate"])
    if not (cache / "peers-venv/.complete").exists():
        venv.create(cache / "peers-venv", with_pip=True)
        output([python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", *PACKAGES])
        (cache / "peers-venv/.complete").touch()
    return modules, python


def versions(modules, python):
    package = json.loads((modules / "node_modules/@cloud-copilot/iam-simulate/package.json").read_text())
    pip = output([python, "-c", "import importlib.metadata as m; print(m.version('parliament'), m.version('moto'))"]).split()
    return {"iam-simulate": package["version"], "parliament": pip[0], "moto": pip[1]}


def machine():
    model = platform.processor() or platform.machine()
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, load {os.getloadavg()[0]:.1f} at the start"


def evaluations(examples, modules, options, scratch):
    requests = scratch / "requests.jsonl"
    node = ["node", SIMULATE, modules]
    requests.write_text(output([*node, "-", options.requests, 1]))
    # Ends with an error where the two differ on a line of no known kind.
    output([*node, examples / "evaluations", options.requests, 1])
    ours, theirs = [], []
    for _ in range(options.runs):
        mine = json.loads(output([examples / "evaluations", "measure", requests, 1]))
        peer = json.loads(output([*node, "measure", options.requests, 1, 1]))
        ours += mine["evaluations_per_second"]
        theirs += peer["evaluations_per_second"]
    return statistics.median(ours), statistics.median(theirs)


def vector_pairs(folder):
    for row in map(json.loads, (folder / "compare-aws-samples.jsonl").open()):
        yield {"id": row["id"], "existing": row["existing"], "new": row["new"]}
    for row in map(json.loads, (folder / "compare-quacky.jsonl").open()):
        for one, other in (("policy1", "policy2"), ("policy2", "policy1")):
            yield {"id": row["id"], "existing": row[one], "new": row[other]}


def comparisons(examples, pairs, runs):
    found = [json.loads(output([examples / "comparisons", pairs, "--json"])) for _ in range(runs)]
    middle = lambda name: statistics.median(run[name] for run in found)
    count, undecided = found[0]["pairs"], found[0]["undecided"]
    return f"{middle('median_us'):.0f} µs | {middle('p99_us') / 1000:.2f} ms | {undecided} of {count} ({100 * undecided / count:.2f} %)"


def lint(examples, python, policies, runs):
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(json.loads(output([examples / "lint_rate", policies, SECONDS]))["policies_per_second"])
        theirs.append(float(output([python, "-W", "ignore", "-c", PARLIAMENT, policies, SECONDS]).splitlines()[-1]))
    return statistics.median(ours), statistics.median(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=pathlib.Path)
    parser.add_argument("cache", type=pathlib.Path)
    parser.add_argument("--vectors", type=pathlib.Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--requests", type=int, default=5000)
    options = parser.parse_args()
    where = machine()
    modules, python = install(options.cache)
    found = versions(modules, python)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        print(f"{where}; Node.js {output(['node', '--version']).strip()}; medians of {options.runs} runs, one core\n")
        print("| | Yagura | peer | ratio |\n|---|---|---|---|")
        ours, theirs = evaluations(options.examples, modules, options, scratch)
        print(f"| evaluations a second | {ours:,.0f} | iam-simulate {found['iam-simulate']}: {theirs:,.0f} | {ours / theirs:,.0f} |", flush=True)
        policies = scratch / "policies.jsonl"
        policies.write_text(output([python, "-c", MANAGED]))
        ours, theirs = lint(options.examples, python, policies, options.runs)
        print(f"| policies linted a second | {ours:,.0f} | parliament {found['parliament']}: {theirs:,.0f} | {ours / theirs:,.0f} |", flush=True)
        print("\n| comparisons | median | 99th percentile | undecided |\n|---|---|---|---|")
        print("| goal | 50 µs | 5 ms | 0.5 % |")
        runs = min(options.runs, 3)
        if options.vectors and options.vectors.is_dir():
            pairs = scratch / "vectors.jsonl"
            pairs.write_text("".join(json.dumps(pair) + "\n" for pair in vector_pairs(options.vectors)))
            print(f"| policies with published verdicts | {comparisons(options.examples, pairs, runs)} |", flush=True)
        carried = output([python, "-c", "import moto.iam.aws_managed_policies as policies; print(policies.__file__)"]).strip()
        pairs = scratch / "managed.jsonl"
        pairs.write_text(output([sys.executable, ROOT / "scripts/managed_pairs.py", carried]))
        print(f"| neighbouring managed policies of AWS (moto {found['moto']}) | {comparisons(options.examples, pairs, runs)} |", flush=True)


if __name__ == "__main__":
    main()
