"""Logs in buckets: taken in once, and followed as they come, by listing and by a queue of notifications."""
import contextlib
import datetime
import gzip
import json
import queue as queues
import random
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
import uuid

import boto3

from proxy import FaultProxy

REGION = "us-east-1"
ACCOUNTS = ("111122223333", "444455556666")
WAIT_S = 120


def client(sandbox, service):
    return boto3.client(service, endpoint_url=sandbox.url, region_name=REGION,
                        aws_access_key_id="testing", aws_secret_access_key="testing")


def days_ago(days):
    return datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=days)


def event(account, region, at):
    return {
        "eventVersion": "1.11", "eventID": str(uuid.uuid4()), "eventTime": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "awsRegion": region, "recipientAccountId": account,
        "sourceIPAddress": "192.0.2.1", "userAgent": "example", "readOnly": True, "eventType": "AwsApiCall",
        "userIdentity": {"type": "IAMUser", "accountId": account, "arn": f"arn:aws:iam::{account}:user/example"},
        "requestParameters": None, "responseElements": None,
    }


class Trail:
    """A bucket with the logs of a trail, and what is in it."""

    def __init__(self, sandbox):
        self.s3 = client(sandbox, "s3")
        self.bucket = f"trail-{uuid.uuid4().hex[:12]}"
        self.s3.create_bucket(Bucket=self.bucket)
        self.ids = set()

    @property
    def place(self):
        return f"s3://{self.bucket}/AWSLogs/"

    def put(self, account=ACCOUNTS[0], region=REGION, days=0, count=3, records=None, name=None):
        at = days_ago(days)
        records = records or [event(account, region, at) for _ in range(count)]
        name = name or f"{account}_CloudTrail_{region}_{at:%Y%m%dT%H%M}Z_{uuid.uuid4().hex[:16]}.json.gz"
        key = f"AWSLogs/{account}/CloudTrail/{region}/{at:%Y/%m/%d}/{name}"
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=gzip.compress(json.dumps({"Records": records}).encode(), mtime=0))
        self.ids |= {record["eventID"] for record in records}
        return key, records


class Following:
    """`yagura logs follow` as it runs, and what it has said."""

    def __init__(self, yagura, data, url, *arguments):
        command = [yagura.program, "--data-dir", str(data), "logs", "follow", *arguments,
                   "--endpoint-url", url, "--region", REGION, "--every", "1s", "-o", "ndjson"]
        self.process = subprocess.Popen(command, env=yagura.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.rounds, self.lines = [], queues.Queue()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, happened):
        """Waits until `happened(rounds)`; what never happens fails the test."""
        deadline = time.monotonic() + WAIT_S
        while not happened(self.rounds):
            assert time.monotonic() < deadline, ("it did not happen", self.rounds[-5:])
            assert self.process.poll() is None, ("it ended", self.process.stderr.read()[-2000:])
            with contextlib.suppress(queues.Empty):
                self.rounds.append(self.lines.get(timeout=0.2))

    def events(self):
        return sum(r["events"] for r in self.rounds)

    def end(self):
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0, (self.process.returncode, errors[-2000:])


@contextlib.contextmanager
def following(yagura, data, url, *arguments):
    running = Following(yagura, data, url, *arguments)
    try:
        yield running
        running.end()
    finally:
        running.process.kill()
        running.process.wait()


def kept(yagura, data):
    """The ids of the events in the lake, each as often as it is there."""
    rows = yagura.run("sql", "SELECT eventID FROM cloudtrail", "-o", "ndjson", data=data).stdout.splitlines()
    return sorted(json.loads(row)["eventID"] for row in rows)


def test_a_bucket_is_taken_in_once(sandbox, yagura):
    trail = Trail(sandbox)
    for account in ACCOUNTS:
        for days in (0, 1, 40):
            trail.put(account, days=days)
    trail.put(name="a name with + and 櫓=%41.json.gz")
    reach = ("--endpoint-url", sandbox.url, "--region", REGION, "-o", "json")
    with tempfile.TemporaryDirectory() as data:
        first = json.loads(yagura.run("logs", "add", trail.place, *reach, data=data).stdout)
        assert first["sources"][0]["events"] == len(trail.ids) == 21 and first["skipped"] == 0, first
        again = json.loads(yagura.run("logs", "add", trail.place, *reach, data=data).stdout)
        assert again["sources"][0]["events"] == 0 and again["sources"][0]["known_objects"] == 7, again
        key, _ = trail.put()
        one = json.loads(yagura.run("logs", "add", f"s3://{trail.bucket}/{key}", *reach, data=data).stdout)
        assert one["sources"][0]["events"] == 3, one
        assert kept(yagura, data) == sorted(trail.ids)
        absent = yagura.run("logs", "add", "s3://no-such-bucket-here/AWSLogs/", *reach, data=data, status=(1,)).stderr
        assert "no-such-bucket-here" in absent, absent


def test_late_objects_are_found_without_a_queue(sandbox, yagura):
    trail = Trail(sandbox)
    for account in ACCOUNTS:
        for days in (0, 1, 30):
            trail.put(account, days=days)
    with tempfile.TemporaryDirectory() as data:
        with following(yagura, data, sandbox.url, trail.place) as it:
            it.until(lambda _: it.events() == len(trail.ids))
            assert it.rounds[0]["kind"] == "everything" and it.rounds[0]["lag_seconds"] >= 0, it.rounds
            key, records = trail.put(days=1, name="0-before-all-others.json.gz")
            trail.put("777788889999", "eu-west-1")
            # The same object again, and the same events under another name.
            body = trail.s3.get_object(Bucket=trail.bucket, Key=key)["Body"].read()
            trail.s3.put_object(Bucket=trail.bucket, Key=key, Body=body)
            trail.put(records=records)
            it.until(lambda rounds: it.events() == len(trail.ids) and sum(r["duplicates"] for r in rounds) == len(records))
            assert {r["kind"] for r in it.rounds[1:]} == {"window"}, it.rounds
            assert not any(r["failed"] or r["skipped"] for r in it.rounds), it.rounds
        # Older than the window: found by the listing of everything, with which each run begins.
        trail.put(days=12)
        with following(yagura, data, sandbox.url, trail.place) as it:
            it.until(lambda rounds: it.events() == 3)
        assert kept(yagura, data) == sorted(trail.ids)
    with tempfile.TemporaryDirectory() as data:
        with following(yagura, data, sandbox.url, trail.place, "--since", "20d") as it:
            it.until(lambda rounds: it.events() == len(trail.ids) - 6)
        assert len(kept(yagura, data)) == len(trail.ids) - 6


def test_what_cannot_be_listed_does_not_stop_the_rest(sandbox, yagura):
    trail = Trail(sandbox)
    trail.put()
    _, denied = trail.put(region="us-west-2")
    refusing = threading.Event()
    refusing.set()

    def lists_denied(path):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        return refusing.is_set() and "us-west-2" in query.get("prefix", [""])[0]

    with tempfile.TemporaryDirectory() as data, \
            FaultProxy(sandbox.url, "deny", lambda *_: True, lists_denied) as proxy, \
            following(yagura, data, proxy.url, trail.place) as it:
        it.until(lambda rounds: any(r["failed"] for r in rounds))
        assert it.events() == 3 and "us-west-2" in it.rounds[0]["failed"][0]["place"], it.rounds
        assert "<" not in it.rounds[0]["failed"][0]["error"], it.rounds
        trail.put()
        it.until(lambda rounds: it.events() == 6)
        refusing.clear()
        it.until(lambda rounds: it.events() == 9)
        it.end()
        assert kept(yagura, data) == sorted(trail.ids) and denied


def wrapped(kind, bucket, key):
    if kind == "eventbridge":
        return {"version": "0", "detail-type": "Object Created", "source": "aws.s3", "account": ACCOUNTS[0],
                "detail": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}}
    encoded = urllib.parse.quote_plus(key, safe="/")
    direct = {"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": REGION,
                           "s3": {"bucket": {"name": bucket}, "object": {"key": encoded, "size": 1, "eTag": "0"}}}]}
    if kind == "s3":
        return direct
    return {"Type": "Notification", "MessageId": str(uuid.uuid4()), "Message": json.dumps(direct)}


def test_a_queue_says_what_is_new(sandbox, yagura):
    trail, sqs = Trail(sandbox), client(sandbox, "sqs")
    queue = sqs.create_queue(QueueName=f"{trail.bucket}-queue")["QueueUrl"]
    send = lambda body: sqs.send_message(  # noqa: E731
        QueueUrl=queue, MessageBody=body if isinstance(body, str) else json.dumps(body))["MessageId"]

    def waiting():
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
        return [int(counts[name]) for name in names]

    trail.put()
    with tempfile.TemporaryDirectory() as data:
        with following(yagura, data, sandbox.url, trail.place, "--queue", queue) as it:
            it.until(lambda rounds: it.events() == 3)
            malformed = [send("{not json"), send({"hello": "world"})]
            elsewhere = send(wrapped("s3", "another-bucket", "AWSLogs/x.json.gz"))
            send({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": trail.bucket})
            for kind in ("s3", "sns", "eventbridge"):
                # Older than the window, so that nothing but the message can lead there.
                key, _ = trail.put(days=9, name=f"of {kind} + 櫓=1.json.gz")
                send(wrapped(kind, trail.bucket, key))
                send(wrapped(kind, trail.bucket, key))
            send(wrapped("s3", trail.bucket, f"AWSLogs/{ACCOUNTS[0]}/removed-meanwhile.json.gz"))
            it.until(lambda rounds: it.events() == 12 and sum(r["messages_removed"] for r in rounds) == 8)
            it.until(lambda rounds: len({f["place"] for r in rounds for f in r["failed"]}) == 3)
            assert {f["place"] for r in it.rounds for f in r["failed"]} == {*malformed, elsewhere}, it.rounds
            assert waiting() == [0, 3], "what was not understood is left, and nothing else"
            # What the bucket itself sends, in moto's words.
            trail.s3.put_bucket_notification_configuration(Bucket=trail.bucket, NotificationConfiguration={
                "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:{REGION}:123456789012:{trail.bucket}-queue",
                                         "Events": ["s3:ObjectCreated:*"]}]})
            trail.put(days=8)
            it.until(lambda rounds: it.events() == 15)
            it.until(lambda rounds: waiting() == [0, 3])
        assert kept(yagura, data) == sorted(trail.ids)


def test_a_message_outlives_what_could_not_be_read(sandbox, yagura):
    trail, sqs = Trail(sandbox), client(sandbox, "sqs")
    queue = sqs.create_queue(QueueName=f"{trail.bucket}-queue")["QueueUrl"]
    trail.put()
    refusing = threading.Event()
    refusing.set()
    reads_denied = lambda path: refusing.is_set() and "denied" in path and "list-type" not in path  # noqa: E731
    with tempfile.TemporaryDirectory() as data, \
            FaultProxy(sandbox.url, "deny", lambda *_: True, reads_denied) as proxy, \
            following(yagura, data, proxy.url, trail.place, "--queue", queue) as it:
        it.until(lambda rounds: it.events() == 3)
        key, _ = trail.put(days=9, name="denied.json.gz")
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(wrapped("s3", trail.bucket, key)))
        it.until(lambda rounds: any(r["failed"] for r in rounds))
        assert not any(r["messages_removed"] for r in it.rounds), it.rounds
        it.end()
        refusing.clear()
        with following(yagura, data, proxy.url, trail.place) as again:
            again.until(lambda rounds: again.events() == 3)
        left = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert int(left["ApproximateNumberOfMessages"]) + int(left["ApproximateNumberOfMessagesNotVisible"]) == 1, left


def test_a_follower_that_is_killed_loses_and_doubles_nothing(sandbox, yagura):
    trail, sqs, rng = Trail(sandbox), client(sandbox, "sqs"), random.Random(13)
    queue = sqs.create_queue(QueueName=f"{trail.bucket}-queue")["QueueUrl"]
    trail.s3.put_bucket_notification_configuration(Bucket=trail.bucket, NotificationConfiguration={
        "QueueConfigurations": [{"QueueArn": f"arn:aws:sqs:{REGION}:123456789012:{trail.bucket}-queue",
                                 "Events": ["s3:ObjectCreated:*"]}]})
    with tempfile.TemporaryDirectory() as data:
        for _ in range(8):
            for _ in range(5):
                trail.put(days=rng.choice((0, 1, 5)))
            running = Following(yagura, data, sandbox.url, trail.place, "--queue", queue)
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(timeout=rng.uniform(0.1, 2.0))
            running.process.kill()
            running.process.wait()
        yagura.run("logs", "add", trail.place, "--endpoint-url", sandbox.url, "--region", REGION, data=data)
        assert kept(yagura, data) == sorted(trail.ids)
