#!/usr/bin/env python3
"""How Yagura's answers about policies agree with verdicts that others gave, source by source.

    python access.py YAGURA FOLDER

The folder has `compare-aws-samples.jsonl` (PASS: the new policy adds no access), `compare-quacky.jsonl` (which of two policies
allows more; both directions are asked) and `external-cloud-custodian.jsonl` (does a resource's policy reach beyond an allow
list). Prints the counts, and every disagreement with its id, our witness and, where it is understood, the reason. Fails only
if nothing could be compared.
"""
import collections
import json
import pathlib
import subprocess
import sys

REASONS = json.loads((pathlib.Path(__file__).parent / "access-reasons.json").read_text())


def ask(yagura, verb, lines):
    """The answers by id."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    done = subprocess.run([yagura, "access", verb, "--batch", "-"], input=text, capture_output=True, text=True)
    if done.returncode not in (0, 1) or not done.stdout:
        sys.exit(done.stderr or f"yagura access {verb} gave no answer")
    return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


def aws_samples(rows):
    for row in rows:
        question = {"id": row["id"], "existing": row["existing"], "new": row["new"]}
        yield question, row["expected"]["check_no_new_access"] == "FAIL"


def quacky(rows):
    for row in rows:
        one, other, expected = row["policy1"], row["policy2"], row["expected"]
        yield {"id": row["id"] + " (1 over 2)", "existing": other, "new": one}, not expected["p1_subset_p2"]
        yield {"id": row["id"] + " (2 over 1)", "existing": one, "new": other}, not expected["p2_subset_p1"]


def custodian(rows):
    for row in rows:
        config = row["config"]
        zone = {name: config[f"allowed_{name}"] for name in ("accounts", "vpc", "vpce") if config.get(f"allowed_{name}")}
        zone["organisations"] = list(config.get("allowed_orgid") or [])
        zone["units"] = list(config.get("allowed_org_units") or [])
        question = {"id": row["id"], "policy": row["policy"], "trusted": zone}
        if config.get("everyone_only"):
            question["public_only"] = True
        yield question, row["expected"]["violates_allow_list"]


SOURCES = [
    ("compare-aws-samples.jsonl", aws_samples, "compare", "new_access"),
    ("compare-quacky.jsonl", quacky, "compare", "new_access"),
    ("external-cloud-custodian.jsonl", custodian, "external", "external"),
]


def main():
    yagura, folder = sys.argv[1:3]
    compared = 0
    for name, questions, verb, field in SOURCES:
        path = pathlib.Path(folder) / name
        if not path.exists():
            print(f"{name}: absent, skipped")
            continue
        asked = list(questions(map(json.loads, path.open())))
        answers = ask(yagura, verb, [question for question, _ in asked])
        counts, disagreements = collections.Counter(), []
        for question, expected in asked:
            answer = answers[question["id"]]
            ours = answer.get(field, "not understood")
            if question.get("public_only") and ours is True:
                ours = any(finding["is_public"] for finding in answer["findings"])
            counts["agree" if ours == expected else "undecided" if ours == "undecided" else "disagree"] += 1
            if ours != expected:
                disagreements.append((question["id"], expected, ours, answer))
        compared += len(asked)
        print(f"{name}: {len(asked)} compared, " + ", ".join(f"{n} {what}" for what, n in sorted(counts.items())))
        for id, expected, ours, answer in disagreements:
            witnesses = [finding["witness"] for finding in answer.get("findings", [])]
            detail = json.dumps(answer.get("witness") or answer.get("error") or answer.get("reason") or witnesses)
            print(f"  {id}: theirs {expected}, ours {ours}: {detail}")
            print(f"    {REASONS.get(id, 'reason not known')}")
    if not compared:
        sys.exit("nothing to compare")


if __name__ == "__main__":
    main()
