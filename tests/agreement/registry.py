#!/usr/bin/env python3
"""How Yagura's controls agree with the verdicts that others gave on templates, check by check.

    python registry.py YAGURA CASES.jsonl.gz

The cases are those of the Guard rules registry: a template, the name of an AWS Config managed rule (or near it), and PASS,
FAIL or SKIP. Each template is judged by `yagura check`; of the controls that carry the name among their `aws:` identifiers
the verdict over the whole template is FAIL if any resource fails, else unknown, else PASS, else SKIP. Prints the counts and
every disagreement with its reason, from reasons.json: by check (`NAME THEIRS ours`, then `NAME`), by a pattern of the test's
title, by a pattern of the evidence. It fails where nothing could be compared, where a disagreement has no reason, and where a
reason has no disagreement.
"""
import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys
import tempfile

REASONS = json.loads((pathlib.Path(__file__).parent / "reasons.json").read_text())


def reason(check, test, expected, status, evidence):
    """The key of reasons.json that explains a disagreement, with its text; None where nothing does."""
    for key in (f"{check} {expected} {status}", check):
        if key in REASONS["checks"]:
            return key, REASONS["checks"][key]
    for kind, text in (("tests", test), ("evidence", evidence)):
        for pattern, why in REASONS[kind].items():
            if re.search(pattern, text):
                return pattern, why
    return None


def main():
    yagura, path = sys.argv[1:3]
    cases = [json.loads(line) for line in gzip.open(path, "rt")]
    rules = [json.loads(line) for line in subprocess.run([yagura, "rule", "list", "-o", "ndjson"], check=True, capture_output=True,
                                                         text=True).stdout.splitlines()]
    named = collections.defaultdict(set)
    for rule in rules:
        for name in rule["aws"]:
            named[name].add(rule["rule"])
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, case in enumerate(cases):
            template = case.get("template") or case.get("input")
            if not isinstance(template, dict) or not template.get("Resources"):
                files.append(None)
                continue
            file = pathlib.Path(folder) / f"{number}.json"
            file.write_text(json.dumps(template))
            files.append(str(file))
        verdicts = collections.defaultdict(lambda: collections.defaultdict(list))
        present = [file for file in files if file]
        done = subprocess.run([yagura, "check", *present, "-o", "ndjson"], capture_output=True, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            sys.exit(done.stderr)
        unreadable = len(done.stderr.splitlines())
        for line in done.stdout.splitlines():
            verdict = json.loads(line)
            verdicts[verdict["resource"].split("#")[0]][verdict["rule"]].append(verdict)
    counts, disagreements, unexplained = collections.Counter(), [], 0
    unused = {key for kind in REASONS.values() for key in kind}
    for case, file in zip(cases, files):
        name, expected = case.get("rule") or case.get("check"), case.get("expected") or case.get("status")
        ours = named.get(name)
        if not ours:
            counts["no control of that name"] += 1
            continue
        if file is None:
            counts["agree" if expected == "SKIP" else "disagree"] += 1
            continue
        found = [v for rule in ours for v in verdicts[file][rule]]
        statuses = {v["status"] for v in found}
        status = next((s for s in ("fail", "unknown", "pass") if s in statuses), "skip")
        if status == expected.lower():
            counts["agree"] += 1
        else:
            counts["disagree"] += 1
            evidence = next((v for v in found if v["status"] == status), None)
            text = (evidence or {}).get("reason", "no resource of the type")
            explained = reason(name, case.get("test") or "", expected, status, text)
            if explained:
                unused.discard(explained[0])
                text = explained[1]
            else:
                unexplained += 1
                text = f"NO REASON GIVEN; evidence: {text}"
            disagreements.append(f"{name}: they say {expected}, we say {status.upper()}: {text}")
    for text, count in sorted(collections.Counter(disagreements).items()):
        print(f"{text} ({count} times)" if count > 1 else text)
    print(f"\n{unreadable} templates are fragments that CloudFormation would refuse; they were not judged")
    compared = counts["agree"] + counts["disagree"]
    assert compared, "nothing could be compared"
    print(f"{compared} verdicts compared: {counts['agree']} agree, {counts['disagree']} do not "
          f"({100 * counts['agree'] / compared:.1f} %); {counts['no control of that name']} are of checks without a control here")
    if unexplained or unused:
        sys.exit(f"{unexplained} disagreements without a reason; reasons without a disagreement: {sorted(unused)}")


if __name__ == "__main__":
    main()
