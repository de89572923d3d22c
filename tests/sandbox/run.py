#!/usr/bin/env python3
"""Yagura against a real moto server, filled by the sandbox's seeding script.

    python run.py YAGURA SANDBOX_FOLDER [TEST ...]

Each function named `test_…` is one test; all share one seeded server. What the script put wrong on purpose must be found
(`expected.json` says by which rule), nothing may pass that could not be looked at, and a second scan adds nothing.
"""
import collections
import datetime
import json
import os
import pathlib
import random
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
from follow import (  # noqa: E402, F401
    test_a_bucket_is_taken_in_once, test_a_follower_that_is_killed_loses_and_doubles_nothing,
    test_a_message_outlives_what_could_not_be_read, test_a_queue_says_what_is_new,
    test_late_objects_are_found_without_a_queue, test_what_cannot_be_listed_does_not_stop_the_rest)
from proxy import MODES, FaultProxy  # noqa: E402

REGIONS = ["us-east-1", "ap-northeast-1"]
START_S = 60
SCAN_S = 600


class Sandbox:
    def __init__(self, folder, scratch):
        self.requests = scratch / "requests.jsonl"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, str(folder / "moto_sandbox.py"), "--port", str(port), "--record", str(self.requests)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(self.url + "/sandbox/calls", timeout=5).read()
                break
            except OSError:
                assert self.process.poll() is None, "moto did not start"
                assert time.monotonic() < deadline, "moto did not answer"
                time.sleep(0.2)
        seeded = subprocess.run(
            [sys.executable, str(folder / "seed_account.py"), "--endpoint-url", self.url, "--region", *REGIONS],
            check=True, capture_output=True, text=True)
        self.manifest = json.loads(seeded.stdout)
        assert self.manifest["aged"], "the sandbox server could not age keys"

    def calls(self):
        return json.loads(urllib.request.urlopen(self.url + "/sandbox/calls", timeout=30).read())

    def reset(self):
        urllib.request.urlopen(urllib.request.Request(self.url + "/sandbox/calls/reset", method="POST"), timeout=30)
        self.requests.write_text("")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Yagura:
    def __init__(self, program, url, data):
        self.program, self.url, self.data = program, url, data
        self.env = {
            "PATH": os.environ.get("PATH", ""), "HOME": str(data), "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8",
            # A fault that befalls every call is as bad the second time; waiting for it proves nothing.
            "AWS_MAX_ATTEMPTS": "2",
        }

    def command(self, *arguments, url=None, data=None):
        command = [self.program, "--data-dir", str(data or self.data), *map(str, arguments)]
        verb = next((word for word in arguments if word in ("scan", "collect", "api", "doctor", "fetch")), None)
        if url is not False and verb:
            command += ["--endpoint-url", url or self.url]
            if verb != "api":
                command += ["--region", *REGIONS]
        return command

    def run(self, *arguments, url=None, data=None, status=(0,)):
        done = subprocess.run(self.command(*arguments, url=url, data=data), env=self.env, capture_output=True, text=True,
                              timeout=SCAN_S)
        assert done.returncode in status, (arguments, done.returncode, done.stderr[-2000:])
        return done

    def verdicts(self, *arguments, **more):
        return [json.loads(line) for line in self.run(*arguments, "-o", "ndjson", **more).stdout.splitlines()]


def same(name, found):
    """Whether a verdict's resource is the one that the manifest calls `name`, or a part of it."""
    return name == found or found.endswith(("/" + name, ":" + name, "|" + name)) or found.startswith(name + ":")


def keyed(verdicts):
    return {(v["rule"], v["account"], v["region"], v["resource_type"], v["resource"]): v["status"] for v in verdicts}


def test_what_is_wrong_is_found(sandbox, yagura):
    verdicts = yagura.verdicts("scan")
    expected = json.loads((HERE / "expected.json").read_text())
    failing = collections.defaultdict(set)
    for verdict in verdicts:
        if verdict["status"] == "fail":
            failing[verdict["rule"]].add(verdict["resource"])
    missed, unmapped = [], set()
    for resource in sandbox.manifest["resources"]:
        for issue in resource["issues"]:
            key = f"{resource['service']} {resource['type']} {issue}"
            if key not in expected:
                unmapped.add(key)
                continue
            names = {resource["id"], resource["arn"]} - {None}
            hit = any(same(name, found) for rule in expected[key] for found in failing[rule] for name in names)
            if not hit:
                missed.append(f"{key}: {resource['arn'] or resource['id']}")
    for setting in sandbox.manifest["account"]:
        for issue in setting["issues"]:
            key = f"account {setting['setting']} {issue}"
            if key not in expected:
                unmapped.add(key)
            elif not any(failing[rule] for rule in expected[key]):
                missed.append(key)
    assert not unmapped, f"no rule is named for: {sorted(unmapped)}"
    assert not missed, "not found:\n" + "\n".join(missed)
    issues = sum(len(r["issues"]) for r in sandbox.manifest["resources"] + sandbox.manifest["account"])
    print(f"  all {issues} planted issues found among {len(verdicts)} verdicts")


# Issues that the manifest does not list on every resource that has them (the public bucket has no versions either), so
# that a failure elsewhere is no false alarm.
LISTED_IN_PART = {
    "cloudtrail trail no-kms", "iam access-key access-key-old", "ec2 instance open-22", "ec2 security-group open-22", "ec2 security-group open-3389",
    "ec2 security-group open-db", "ec2 security-group unused-security-group", "iam policy policy-kms-decrypt-all",
    "iam policy policy-privilege-escalation", "iam policy policy-service-wildcard", "iam user access-key-old",
    "iam user credentials-unused", "iam user inline-policy", "iam user policy-attached-directly",
    "iam user user-without-permissions", "lambda function runtime-deprecated", "rds db-instance no-deletion-protection",
    "rds db-instance no-multi-az", "s3 bucket no-access-log", "s3 bucket no-tls-policy", "s3 bucket no-versioning",
}


def test_a_clean_resource_is_not_blamed_for_its_neighbours_faults(sandbox, yagura):
    """A rule named for an issue must not fail a resource of that kind that was made without it."""
    expected = json.loads((HERE / "expected.json").read_text())
    failing = {(v["rule"], v["resource"]) for v in yagura.verdicts("scan", "--no-record") if v["status"] == "fail"}
    wrong, compared = set(), 0
    for resource in sandbox.manifest["resources"]:
        prefix = f"{resource['service']} {resource['type']} "
        blamed_for = {rule for issue in resource["issues"] for rule in expected.get(prefix + issue, [])}
        for key in expected.keys() - LISTED_IN_PART:
            if key.startswith(prefix) and key.removeprefix(prefix) not in resource["issues"]:
                compared += 1
                for rule in set(expected[key]) - blamed_for:
                    for name in {resource["id"], resource["arn"]} - {None}:
                        if (rule, name) in failing:
                            wrong.add(f"{rule} fails {name}, which was made without {key.removeprefix(prefix)}")
    assert not wrong, "\n".join(sorted(wrong))
    print(f"  {compared} times nothing was found where nothing was planted")


def test_a_second_scan_adds_no_version(sandbox, yagura):
    yagura.run("scan", "-o", "json")
    count = lambda: sqlite3.connect(next(yagura.data.glob("*.sqlite"))).execute(  # noqa: E731
        "select count(*) from version").fetchone()[0]
    before = count()
    yagura.run("scan", "-o", "json")
    assert count() == before, (before, count())
    print(f"  {before} versions before and after")


def test_no_call_is_made_twice(sandbox, yagura):
    sandbox.reset()
    yagura.run("scan", "--no-record", "-o", "json")
    seen = collections.Counter()
    for line in sandbox.requests.read_text().splitlines():
        method, uri, headers, body = json.loads(line)
        scope = re.search(r"Credential=[^/]+/\d{8}/([^,]+)/aws4_request", headers.get("AUTHORIZATION", ""))
        seen[method, uri, headers.get("X-AMZ-TARGET"), scope and scope.group(1), body] += 1
    twice = [f"{n} times {call}" for call, n in seen.items() if n > 1 and "GenerateCredentialReport" not in call[4]]
    assert not twice, "\n".join(twice)
    print(f"  {sum(seen.values())} calls, each once")


def test_a_bundle_is_judged_as_the_account_was(sandbox, yagura):
    live = keyed(yagura.verdicts("scan", "--no-record"))
    bundle = yagura.data / "account.bundle"
    yagura.run("collect", "--bundle", bundle, "--no-record")
    offline = keyed(yagura.verdicts("scan", "--bundle", bundle, url=False))
    different = {key for key in live.keys() | offline.keys() if live.get(key) != offline.get(key)}
    assert not different, sorted(different)[:10]
    text = subprocess.run(["zstd", "-dc", str(bundle)], capture_output=True).stdout if have("zstd") else bundle.read_bytes()
    for secret in (b"Hunter2-not-real", b"not-a-real-token", b"not-real-key-1"):
        assert secret not in text, f"the bundle holds {secret}"


def have(program):
    return subprocess.run(["which", program], capture_output=True).returncode == 0


def test_formats_validate_against_their_schemas(sandbox, yagura):
    import botocore.loaders
    import botocore.model
    import botocore.validate
    from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("securityhub", "service-2"))
    shape = model.shape_for("BatchImportFindingsRequest")
    findings = json.loads(yagura.run("scan", "--no-record", "-o", "asff").stdout)
    for start in range(0, len(findings), 100):
        report = botocore.validate.ParamValidator().validate({"Findings": findings[start:start + 100]}, shape)
        assert not report.has_errors(), report.generate_report()[:2000]
    for finding in findings:
        for member, limit in (("Id", 512), ("Title", 256), ("Description", 1024), ("GeneratorId", 512)):
            assert 1 <= len(finding[member]) <= limit, (member, len(finding[member]))
    lines = yagura.run("scan", "--no-record", "-o", "ocsf").stdout.splitlines()
    for line in lines:
        ComplianceFinding.model_validate(json.loads(line))
    assert len(lines) == len(findings)
    print(f"  {len(findings)} ASFF and {len(lines)} OCSF findings are valid")


def test_nothing_passes_that_could_not_be_looked_at(sandbox, yagura):
    """Each fault befalls every call but the three that find the account; then random subsets of operations."""
    essential = {"GetCallerIdentity", "DescribeRegions", "ListRegions"}
    spare = lambda name: name[1] in essential or "ListRegions" in name[1] or "listRegions" in name[1]  # noqa: E731
    clean = keyed(yagura.verdicts("scan", "--no-record"))
    with tempfile.TemporaryDirectory() as scratch:
        operations = set()
        for mode in MODES:
            with FaultProxy(sandbox.url, mode, lambda *name: not spare(name)) as proxy:
                verdicts = yagura.verdicts("scan", "--no-record", url=proxy.url, data=scratch)
                operations |= set(proxy.seen)
                passed = [v for v in verdicts if v["status"] == "pass"]
                assert not passed, (mode, passed[:3])
                assert any(v["status"] == "unknown" for v in verdicts), mode
        rng = random.Random(7)
        names = sorted(operations)
        for mode in ("deny", "deny", "throttle", "truncate", "garble"):
            chosen = set(rng.sample(names, len(names) // 3))
            with FaultProxy(sandbox.url, mode, lambda *name, chosen=chosen: name in chosen and not spare(name)) as proxy:
                verdicts = yagura.verdicts("scan", "--no-record", url=proxy.url, data=scratch)
            wrong = [(key, clean.get(key), status) for key, status in keyed(verdicts).items()
                     if status == "pass" and clean.get(key) in ("fail", "unknown")]
            assert not wrong, (mode, wrong[:5])
            denied = [v for v in verdicts if v["status"] == "unknown"]
            assert denied, mode
            if mode == "deny":
                actions = {m.get("cause", {}).get("action") for v in denied for m in v.get("missing", [])}
                assert any(actions), "no missing permission is named"
    print(f"  {len(names)} kinds of calls, {len(MODES)} faults")


def test_a_killed_scan_is_completed_by_the_next(sandbox, yagura):
    rng = random.Random(11)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        for _ in range(8):
            process = subprocess.Popen(yagura.command("scan", "-o", "json", data=scratch), env=yagura.env,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                process.wait(timeout=rng.uniform(0.05, 3.0))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
        yagura.run("scan", "-o", "json", data=scratch)
        resources = lambda data: {(r["type"], r["region"], r["id"]) for r in json.loads(  # noqa: E731
            yagura.run("resources", "-o", "json", data=data).stdout)}
        assert resources(scratch) == resources(yagura.data)
        gone = json.loads(yagura.run("resources", "--gone", "-o", "json", data=scratch).stdout)
        assert not [r for r in gone if r.get("gone")], "a killed scan made resources disappear"


def test_bad_input_gets_one_sentence(sandbox, yagura):
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        bundle = scratch / "whole.bundle"
        yagura.run("collect", "--bundle", bundle, "--no-record")
        torn = scratch / "torn.bundle"
        torn.write_bytes(bundle.read_bytes()[: bundle.stat().st_size // 2])
        typo = scratch / "rules"
        typo.mkdir()
        (typo / "typo.yml").write_text("title: x\nlevel: hihg\n")
        cases = [
            (["scan", "--bundle", torn], False, 1),
            (["scan", "--bundle", scratch / "absent.bundle"], False, 1),
            (["scan", "--profile", "no-such-profile"], None, 1),
            (["scan", "--region", "xx-nowhere-9"], None, 1),
            (["scan", "--no-record"], "http://127.0.0.1:9", 1),
            (["scan", "--rules", typo, "--no-record"], None, 1),
            (["scan", "--bundle", bundle, "--control", "no/such-control"], False, 2),
            (["scan", "--bundle", bundle, "--standard", "no-such-standard"], False, 2),
            (["scan", "--bundle", bundle, "-o", "html", "--out", "/dev/full"], False, 1),
            (["collect", "--bundle", "/nonexistent/folder/x.bundle", "--no-record"], None, 1),
        ]
        for arguments, url, status in cases:
            done = yagura.run(*arguments, url=url, data=scratch / "data", status=(status,))
            lines = done.stderr.strip().splitlines()
            assert lines and len(lines) <= 2, (arguments, done.stderr)
            assert "panicked" not in done.stderr, done.stderr
        assert not list(scratch.glob("*.part")) and not list(scratch.glob("*.tmp*")), list(scratch.iterdir())


def test_an_account_is_seen_through_every_verb(sandbox, yagura):
    yagura.run("scan", "-o", "json")
    identity = json.loads(yagura.run("api", "sts", "GetCallerIdentity").stdout)
    assert identity["Account"] == sandbox.manifest["account_id"]
    refused = yagura.run("api", "iam", "CreateUser", "--input", '{"UserName":"x"}', status=(1, 2))
    assert "CreateUser" in refused.stderr
    bucket = next(r for r in sandbox.manifest["resources"] if r["type"] == "bucket")
    for arguments in (["resource", bucket["arn"]], ["history", bucket["arn"]], ["diff", "--since", "1h"],
                      ["resources", "--type", "AWS::S3::*"], ["rule", "list"], ["rule", "show", "S3.14"],
                      ["rule", "explain", "S3.14", "--resource", bucket["arn"]], ["standard", "list"],
                      ["standard", "show", "cis-5.0.0"], ["iam-policy"], ["config", "explain"], ["doctor"]):
        for lang in ("en", "ja"):
            assert yagura.run("--lang", lang, *arguments).stdout.strip(), arguments


def put_metrics(sandbox, region, namespace, metric, dimensions, unit, samples):
    import boto3
    client = boto3.client("cloudwatch", region_name=region, endpoint_url=sandbox.url,
                          aws_access_key_id="testing", aws_secret_access_key="testing")
    pairs = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    for at in range(0, len(samples), 20):
        client.put_metric_data(Namespace=namespace, MetricData=[
            {"MetricName": metric, "Dimensions": pairs, "Timestamp": time, "Value": value, "Unit": unit}
            for time, value in samples[at:at + 20]])


def test_metrics_are_fetched_once_and_alarms_see_them(sandbox, yagura):
    now = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0)
    start = now - datetime.timedelta(minutes=100 + now.minute % 5)
    minutes = [start + datetime.timedelta(minutes=number) for number in range(90)]
    # Busy for twenty minutes, from the thirtieth on.
    busy = [(time, 95.0 if 30 <= number < 50 else 10.0) for number, time in enumerate(minutes)]
    instance = {"InstanceId": "i-0123456789abcdef0"}
    put_metrics(sandbox, "us-east-1", "AWS/EC2", "CPUUtilization", instance, "Percent", busy)
    put_metrics(sandbox, "ap-northeast-1", "Shop", "Orders", {"Till": "1"}, "Count", [(time, 1.0) for time in minutes[:10]])
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        fetch = lambda *more, **other: json.loads(yagura.run("metrics", "fetch", *more, "-o", "json", data=scratch, **other).stdout)  # noqa: E731
        first = fetch("--set", "ec2")
        assert first["failures"] == [] and first["points"]["added"] == 18, first
        again = fetch("--set", "ec2", "--since", "3h")
        assert again["points"] == {"added": 0, "replaced": 0, "known": 18}, again
        own = fetch("--namespace", "Shop", "--period", "1m", "--unit", "Count")
        assert own["points"]["added"] == 10, own
        sql = lambda text: [json.loads(line) for line in yagura.run("sql", text, "-o", "ndjson", data=scratch).stdout.splitlines()]  # noqa: E731
        rows = sql("SELECT region, Namespace, Unit, Period, sum(SampleCount) AS samples, max(Average) AS most FROM metrics "
                   "GROUP BY 1, 2, 3, 4 ORDER BY 1")
        assert rows == [
            {"region": "ap-northeast-1", "Namespace": "Shop", "Unit": "Count", "Period": 60, "samples": 10.0, "most": 1.0},
            {"region": "us-east-1", "Namespace": "AWS/EC2", "Unit": "Percent", "Period": 300, "samples": 90.0, "most": 95.0}], rows
        # Samples that come late make the point better known.
        put_metrics(sandbox, "us-east-1", "AWS/EC2", "CPUUtilization", instance, "Percent", [(minutes[40], 95.0)])
        late = fetch("--set", "ec2", "--since", "3h")
        assert late["points"] == {"added": 0, "replaced": 1, "known": 17}, late
        for lang in ("en", "ja"):
            shown = yagura.run("--lang", lang, "metrics", "show", "CPUUtilization", data=scratch).stdout
            assert "InstanceId=i-0123456789abcdef0" in shown and "100 %" in shown, shown
        # The workshop's alarm: three periods of five minutes at 70 % or more.
        alarm = HERE.parents[1] / "rules/alarms/ec2/cpu-high.yml"
        ran = json.loads(yagura.run("alarm", "run", alarm, "-o", "json", data=scratch).stdout)
        states = [change["to"] for change in ran["changes"]]
        assert states[:3] == ["OK", "ALARM", "OK"], ran
        busy_for = [datetime.datetime.fromisoformat(change["time"]) - start for change in ran["changes"][1:3]]
        assert busy_for == [datetime.timedelta(minutes=45), datetime.timedelta(minutes=55)], busy_for
        assert json.loads(yagura.run("alarm", "run", alarm, "-o", "json", data=scratch).stdout)["changes"] == []
        history = json.loads(yagura.run("alarm", "history", "-o", "json", data=scratch).stdout)
        assert [change["to"] for change in history][:3] == states[:3]
        # What was denied is said, and what was kept stays.
        with FaultProxy(sandbox.url, "deny", lambda *name: name[1] == "ListMetrics") as proxy:
            denied = fetch("--set", "ec2", "--require-complete", url=proxy.url, status=(4,))
            assert denied["failures"] and denied["points"]["added"] == 0, denied


def test_a_schedule_survives_errors_and_says_them(sandbox, yagura):
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            yagura.command("metrics", "fetch", "--set", "ec2", "--every", "10s", url="http://127.0.0.1:9", data=scratch),
            env=yagura.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = [process.stderr.readline() for _ in range(2)]
        assert all("error" in line.lower() for line in said), said
        assert process.poll() is None, "the schedule ended"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def main():
    program, folder, chosen = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    program = str(pathlib.Path(program).resolve())
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_") and (not chosen or name in chosen)]
    failed = 0
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        sandbox = Sandbox(folder, scratch)
        try:
            for name, test in tests:
                data = scratch / "data"
                data.mkdir(exist_ok=True)
                started = time.monotonic()
                try:
                    test(sandbox, Yagura(program, sandbox.url, data))
                    print(f"ok   {name} ({time.monotonic() - started:.1f} s)", flush=True)
                except Exception as error:  # every test is run and told of
                    failed += 1
                    print(f"FAIL {name}: {type(error).__name__}: {error}", flush=True)
        finally:
            sandbox.stop()
    print(f"sandbox: {len(tests) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
