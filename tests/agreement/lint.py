#!/usr/bin/env python3
"""How far `yagura access lint` agrees with the findings of parliament, another linter.

    tests/agreement/lint.py [--yagura target/debug/yagura] [VECTORS]

VECTORS is JSON Lines with `policy_text` and `expected.finding_ids`; by default the file in ../shared. Each of parliament's
ids stands for some of our codes, or for none where we have no such check. A vector agrees if every id that has codes is
answered by one of them, and if nothing that parliament calls right draws an ERROR. Each disagreement is printed.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys

DEFAULT = pathlib.Path(__file__).resolve().parents[3] / "shared/datasets/iam-vectors/lint-parliament.jsonl"

TYPES = {"TYPE_MISMATCH", "TYPE_MISMATCH_BOOLEAN", "TYPE_MISMATCH_DATE", "TYPE_MISMATCH_IP_RANGE", "TYPE_MISMATCH_NUMBER", "TYPE_MISMATCH_STRING", "INVALID_DATE_VALUE"}

CODES = {
    "DUPLICATE_SID": {"UNIQUE_SIDS_REQUIRED", "UNIQUE_SIDS_RECOMMENDED"},
    "INVALID_ARN": {"INVALID_ARN_PREFIX", "MISSING_ARN_FIELD", "INVALID_ARN_RESOURCE"},
    "INVALID_SID": {"UNSUPPORTED_SID"},
    "MALFORMED": {
        "DATA_TYPE_MISMATCH", "INVALID_CONDITION_OPERATOR", "INVALID_EFFECT", "INVALID_POLICY_ELEMENT", "MISSING_ACTION",
        "MISSING_EFFECT", "MISSING_RESOURCE", "MISSING_STATEMENT", "UNSUPPORTED_ELEMENT_COMBINATION",
    },
    "MALFORMED_JSON": {"JSON_SYNTAX_ERROR"},
    "MISMATCHED_TYPE": TYPES,
    "UNKNOWN_ACTION": {"INVALID_ACTION"},
    "UNKNOWN_CONDITION_FOR_ACTION": {"INVALID_SERVICE_CONDITION_KEY", "UNSUPPORTED_ACTION_FOR_CONDITION_KEY"},
    "UNKNOWN_OPERATOR": {"INVALID_CONDITION_OPERATOR"},
    "UNKNOWN_PREFIX": {"INVALID_SERVICE_IN_ACTION"},
    "UNKNOWN_PRINCIPAL": {"INVALID_PRINCIPAL_FORMAT", "INVALID_PRINCIPAL_KEY"},
}


def lint(yagura: str, text: str) -> list[dict]:
    run = subprocess.run([yagura, "access", "lint", "-", "-o", "ndjson"], input=text, capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{yagura} failed: {run.stderr.strip()}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--yagura", default="target/debug/yagura")
    arguments.add_argument("vectors", nargs="?", type=pathlib.Path, default=DEFAULT)
    arguments = arguments.parse_args()
    if not arguments.vectors.exists():
        sys.exit(f"SKIPPED: no {arguments.vectors}")
    agreed, disagreed, without = 0, [], collections.Counter()
    for line in arguments.vectors.read_text().splitlines():
        vector = json.loads(line)
        if "policy_text" not in vector:
            without["(not a policy)"] += 1
            continue
        found = lint(arguments.yagura, vector["policy_text"])
        codes = {finding["code"] for finding in found}
        errors = {finding["code"] for finding in found if finding["type"] == "ERROR"}
        expected = vector["expected"]["finding_ids"]
        missed, answered = [], set()
        for name in expected:
            if name not in CODES:
                without[name] += 1
                continue
            answered |= CODES[name]
            if not codes & CODES[name]:
                missed.append(name)
        surplus = sorted(errors - answered) if not answered else []
        if missed or surplus:
            disagreed.append((vector["id"], missed, surplus))
        else:
            agreed += 1
    print(f"agreed on {agreed} of {agreed + len(disagreed)} policies")
    for name, missed, surplus in disagreed:
        print(f"  {name}: missed {missed}, surplus {surplus}")
    for name, count in sorted(without.items()):
        print(f"no such check here: {name} ({count})")


if __name__ == "__main__":
    main()
