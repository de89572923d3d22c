#!/usr/bin/env python3
"""How our answers about policies agree with verdicts that others gave, file by file.

    tests/agreement/vectors.py ANSWERS FOLDER

ANSWERS is the example of that name in crates/access, FOLDER the vectors (../shared/datasets/iam-vectors):

- compare-aws-samples.jsonl: PASS is no new access
- compare-quacky.jsonl: which of two policies allows more, asked both ways
- external-cloud-custodian.jsonl: does the policy of a resource reach beyond an allow list
- lint-parliament.jsonl: the findings of another linter, each of whose ids stands for some of our codes; and whether a
  pattern for ARNs is one of a resource type
- privesc-pathfinding-cloud.jsonl: permissions that lead to more

Prints for each file how many agree, and each disagreement with its reason out of vectors.json. Ends with 1 where a
disagreement has no reason, a reason no disagreement, or a file of the folder no reader.
"""
import json
import pathlib
import subprocess
import sys

REASONS = json.loads((pathlib.Path(__file__).parent / "vectors.json").read_text())

TYPES = {"TYPE_MISMATCH", "TYPE_MISMATCH_BOOLEAN", "TYPE_MISMATCH_DATE", "TYPE_MISMATCH_IP_RANGE", "TYPE_MISMATCH_NUMBER", "TYPE_MISMATCH_STRING", "INVALID_DATE_VALUE"}

# What parliament's ids stand for here. Those that are not in the table are opinions about what a policy should be rather
# than about what it is; they have reasons like any other disagreement.
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
    "MISMATCHED_TYPE_BUT_USABLE": TYPES,
    "UNKNOWN_ACTION": {"INVALID_ACTION"},
    "UNKNOWN_CONDITION_FOR_ACTION": {"INVALID_SERVICE_CONDITION_KEY", "UNSUPPORTED_ACTION_FOR_CONDITION_KEY"},
    "UNKNOWN_OPERATOR": {"INVALID_CONDITION_OPERATOR"},
    "UNKNOWN_PREFIX": {"INVALID_SERVICE_IN_ACTION"},
    "UNKNOWN_PRINCIPAL": {"INVALID_PRINCIPAL_FORMAT", "INVALID_PRINCIPAL_KEY"},
}


class Answers:
    def __init__(self, program):
        self.program = program

    def ask(self, question, lines):
        """The answers by id."""
        text = "".join(json.dumps(line) + "\n" for line in lines)
        done = subprocess.run([self.program, question], input=text, capture_output=True, text=True, check=True)
        return {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}


def plain(answers, question, field, asked):
    """For questions of yes and no: (id, theirs, ours, what shows it)."""
    found = answers.ask(question, [line for line, _ in asked])
    for line, theirs in asked:
        answer = found[line["id"]]
        shows = answer.get("witness") or answer.get("reason") or answer.get("error")
        yield line["id"], theirs, answer.get(field, "not understood"), shows


def aws_samples(answers, rows):
    asked = [({"id": row["id"], "existing": row["existing"], "new": row["new"]}, row["expected"]["check_no_new_access"] == "FAIL") for row in rows]
    return plain(answers, "compare", "new_access", asked)


def quacky(answers, rows):
    asked = []
    for row in rows:
        one, other, expected = row["policy1"], row["policy2"], row["expected"]
        asked.append(({"id": row["id"] + " (1 over 2)", "existing": other, "new": one}, not expected["p1_subset_p2"]))
        asked.append(({"id": row["id"] + " (2 over 1)", "existing": one, "new": other}, not expected["p2_subset_p1"]))
    return plain(answers, "compare", "new_access", asked)


def custodian(answers, rows):
    questions = []
    for row in rows:
        config = row["config"]
        zone = {name: config[f"allowed_{name}"] for name in ("accounts", "vpc", "vpce") if config.get(f"allowed_{name}")}
        zone["organisations"] = list(config.get("allowed_orgid") or [])
        zone["units"] = list(config.get("allowed_org_units") or [])
        questions.append({"id": row["id"], "policy": row["policy"], "trusted": zone})
    found = answers.ask("external", questions)
    for row in rows:
        answer = found[row["id"]]
        ours = answer.get("external", "not understood")
        if row["config"].get("everyone_only") and ours is True:
            ours = any(finding["is_public"] for finding in answer["findings"])
        shows = answer.get("error") or answer.get("reason") or [finding["witness"] for finding in answer.get("findings", [])]
        yield row["id"], row["expected"]["violates_allow_list"], ours, shows


def parliament(answers, rows):
    policies = [row for row in rows if "policy_text" in row]
    found = answers.ask("lint", [{"id": row["id"], "policy_text": row["policy_text"]} for row in policies])
    for row in policies:
        findings = found[row["id"]]["findings"]
        codes = {finding["code"] for finding in findings}
        expected = row["expected"]["finding_ids"]
        missed = [name for name in expected if not codes & CODES.get(name, set())]
        answered = set().union(*(CODES.get(name, set()) for name in expected))
        surplus = sorted({finding["code"] for finding in findings if finding["type"] == "ERROR"} - answered) if not answered else []
        yield row["id"], "missed []; surplus []", f"missed {missed}; surplus {surplus}", sorted(codes)
    arns = [row for row in rows if "policy_text" not in row]
    number = lambda row: f"{row['layer']}{row['args']}"
    found = answers.ask("arn", [{"id": number(row), "one": row["args"][1], "other": row["args"][2]} for row in arns])
    for row in arns:
        yield number(row), row["expected"]["result"], found[number(row)]["overlaps"], None


def pathfinding(answers, rows):
    found = answers.ask("escalates", [{"id": row["id"], "policy": row["policy"]} for row in rows])
    for row in rows:
        ways = found[row["id"]]["escalates"]
        yield row["id"], row["expected"]["escalates"], bool(ways), ways or row["name"]


SOURCES = {
    "compare-aws-samples.jsonl": aws_samples,
    "compare-quacky.jsonl": quacky,
    "external-cloud-custodian.jsonl": custodian,
    "lint-parliament.jsonl": parliament,
    "privesc-pathfinding-cloud.jsonl": pathfinding,
}


def main():
    program, folder = sys.argv[1:3]
    answers, used, problems = Answers(program), set(), []
    for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
        source = SOURCES.get(path.name)
        if not source:
            problems.append(f"{path.name}: nobody reads this file")
            continue
        results = list(source(answers, list(map(json.loads, path.open()))))
        wrong = [result for result in results if result[1] != result[2]]
        print(f"{path.name}: {len(results) - len(wrong)} of {len(results)} agree")
        for name, theirs, ours, shows in wrong:
            reason = REASONS.get(name)
            used.add(name)
            print(f"  {name}\n    theirs: {theirs}; ours: {ours}; {json.dumps(shows)}\n    {reason or 'NO REASON GIVEN'}")
            if not reason:
                problems.append(f"{name}: a disagreement without a reason")
    problems += [f"{name}: a reason without a disagreement" for name in REASONS if name not in used]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
