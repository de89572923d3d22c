#!/usr/bin/env python3
"""How well the detections on CloudTrail find attacks, and how often they cry wolf, on data that others labelled.

    tests/quality/quality.py QUALITY-EXAMPLE [DATASETS] [--all] [--events]

QUALITY-EXAMPLE is the built example `quality` of yagura-detect. DATASETS is by default the folder in ../shared; without it
nothing is measured, and the exit code is 0 with a loud word. `--all` shows each disagreement on the single cases; `--events`
takes the event rules (`rules/events`), which tell of changes whether they are attacks or not, as well.

Printed: recall by technique (a technique is found if a finding above `informational` has one of its events), on an exercise
with real noise around it and on single techniques; findings of medium and above a day on what is benign; precision and recall
on single labelled records.
"""

import argparse
import collections
import gzip
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEVELS = ["informational", "low", "medium", "high", "critical"]
# The record says its label by what the tool calls itself, or by what its author called the resources. Neither may be seen.
HIDDEN = "hidden-for-the-test"


def at_least(finding, level):
    return LEVELS.index(finding["level"]) >= LEVELS.index(level)


def without_tools(event):
    """The event without the names that attack tools leave behind."""
    text = json.dumps(event)
    for name in ("stratus-red-team", "stratus_red_team", "StratusRedTeam", "stratusredteam"):
        text = text.replace(name, "example")
    event = json.loads(text)
    if str(event.get("userAgent", "")).strip("[").startswith("example"):
        event["userAgent"] = HIDDEN
    return event


def invictus(folder):
    events = {}
    for path in sorted((folder / "invictus-aws-dataset/CloudTrail").glob("*.json.gz")):
        for record in json.load(gzip.open(path))["Records"]:
            events[record["eventID"]] = record
    labels = {row["eventID"]: row for row in json.loads((folder / "invictus-aws-dataset/labels.json").read_text())["events"]}
    return sorted(events.values(), key=lambda event: event["eventTime"]), labels


def stratus(folder):
    for path in sorted((folder / "stratus-red-team/detonation-logs").glob("*.json")):
        records = json.loads(path.read_text())
        records = records if isinstance(records, list) else records.get("Records", [records])
        yield path.stem, sorted(records, key=lambda event: event.get("eventTime", ""))


def benign(folder):
    records = json.load(gzip.open(folder / "opensearch-catalog/cloudtrail_config_recorder.json.gz"))
    return sorted(records["Records"] if isinstance(records, dict) else records, key=lambda event: event["eventTime"])


def cases(folder):
    for number, line in enumerate(gzip.open(folder / "panther-analysis/log_cases.jsonl.gz", "rt")):
        row = json.loads(line)
        # `mocks`: the verdict rests on something that is not in the record.
        if row["log_types"] == ["AWS.CloudTrail"] and not row["mocks"] and row["record"].get("eventName"):
            yield f"case {number}", row


def run(example, batches, with_events):
    lines = []
    for name, events in batches:
        lines += [json.dumps({"batch": name, "event": without_tools(event)}) for event in events]
    folders = [str(ROOT / "rules/detections/cloudtrail")] + [str(ROOT / "rules/events")] * with_events
    done = subprocess.run([example, *folders], input="\n".join(lines) + "\n", capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    sys.stderr.write(done.stderr)
    found = collections.defaultdict(list)
    for line in done.stdout.splitlines():
        finding = json.loads(line)
        found[finding["batch"]].append(finding)
    return found


def days(events):
    import datetime

    times = [datetime.datetime.fromisoformat(event["eventTime"].replace("Z", "+00:00")) for event in (events[0], events[-1])]
    return (times[1] - times[0]).total_seconds() / 86400


def technique_table(title, rows):
    print(f"\n{title}")
    found = 0
    for technique, level, rules in sorted(rows):
        found += level is not None
        print(f"  {'found ' + level if level else 'missed':14} {technique:55} {', '.join(rules)[:90]}")
    print(f"  recall {found}/{len(rows)}; at medium or above {sum(LEVELS.index(level) >= 2 for _, level, _ in rows if level)}/{len(rows)}")


def best(findings):
    findings = [finding for finding in findings if at_least(finding, "low")]
    level = max((finding["level"] for finding in findings), key=LEVELS.index, default=None)
    return level, sorted({finding["rule"].split("/", 1)[-1] for finding in findings})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("example")
    parser.add_argument("datasets", nargs="?", default=str(ROOT.parent / "shared/datasets"))
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--events", action="store_true")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.datasets)
    if not (folder / "invictus-aws-dataset/labels.json").exists():
        print("SKIPPED: detection quality was NOT measured, because ../shared/datasets is not there", file=sys.stderr)
        return
    exercise, labels = invictus(folder)
    techniques, harmless, single = list(stratus(folder)), benign(folder), list(cases(folder))
    batches = [("exercise", exercise), ("benign", harmless), *techniques]
    batches += [(name, [row["record"]]) for name, row in single]
    found = run(arguments.example, batches, arguments.events)

    attacks = collections.defaultdict(set)
    for event_id, row in labels.items():
        if row["label"] == "attack":
            attacks[row["technique"]].add(event_id)
    touching = lambda ids: [finding for finding in found["exercise"] if ids & set(finding["event_ids"])]
    technique_table("Exercise with real noise (invictus-aws-dataset)", [(name, *best(touching(ids))) for name, ids in attacks.items()])
    technique_table("Single techniques (stratus-red-team)", [(name, *best(found[name])) for name, _ in techniques])

    print("\nFindings on what is benign")
    hostile = {event_id for event_id, row in labels.items() if row["label"] in ("attack", "cleanup", "setup")}
    alarms = [finding for finding in found["exercise"] if not hostile & set(finding["event_ids"])]
    for title, findings, events in (("Config recorder (opensearch-catalog)", found["benign"], harmless), ("the noise of the exercise", alarms, exercise)):
        span = days(events)
        loud = [finding for finding in findings if at_least(finding, "medium")]
        print(f"  {title}: {len(events)} events in {span * 24:.1f} h, {len(loud)} findings of medium and above ({len(loud) / span:.1f} a day), {len(findings)} of any level")
        for finding in findings:
            print(f"    {finding['level']:14} {finding['rule']} ({finding['count']} events)")
    print("  (The labels name what the attack tool sent itself. What was then called with the credentials that it took from an instance")
    print("  counts as noise there, so that the finding of credentials used elsewhere is right and yet among these.)")

    print("\nSingle labelled records (panther-analysis, CloudTrail)")
    for least in ("low", "medium"):
        counts = collections.Counter((row["expected"], any(at_least(finding, least) for finding in found[name])) for name, row in single)
        true, false, missed = counts[True, True], counts[False, True], counts[True, False]
        precision = true / (true + false) if true + false else float("nan")
        print(f"  at {least} and above: precision {precision:.2f}, recall {true / (true + missed):.2f} ({true} found, {missed} missed, {false} false alarms, {counts[False, False]} rightly silent)")
    if arguments.all:
        for name, row in single:
            rules = [f"{finding['rule']} {finding['level']}" for finding in found[name] if at_least(finding, "low")]
            if row["expected"] != bool(rules):
                print(f"    {'missed' if row['expected'] else 'false '} {row['case']}: {row['record'].get('eventName')} {row['record'].get('errorCode') or ''} {' '.join(rules)}")


if __name__ == "__main__":
    main()
