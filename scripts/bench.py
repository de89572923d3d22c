#!/usr/bin/env python3
"""Yagura's speed and size, each figure beside its floor in the same run.

    python bench.py RELEASE_FOLDER SANDBOX_FOLDER [--scales 1 10 50] [--runs 3]

For each scale of the sandbox (one region): wall time, Yagura's own CPU time, peak memory and calls of `yagura scan`, as
medians of the runs; the floor is the same calls sent by a bare client (`replay_calls.py`) to the same server. Then start-up
and the evaluation of 100,000 resources from a bundle. Prints Markdown.
"""
import argparse
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

REGION = "us-east-1"
EVALUATED = 100_000
ENV = {"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing",
       "AWS_EC2_METADATA_DISABLED": "true", "LANG": "C.UTF-8"}


def measured(command):
    """Wall seconds, CPU seconds and peak MiB of one run."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV)
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - before
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{' '.join(map(str, command))} failed: {stderr.decode()[-500:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def medians(runs):
    return [statistics.median(values) for values in zip(*runs)]


def get(url, method="GET"):
    return json.loads(urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=60).read())


def start(sandbox, requests):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, sandbox / "moto_sandbox.py", "--port", str(port), "--record", requests],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            get(url + "/sandbox/calls")
            return process, url
        except OSError:
            time.sleep(0.2)
    sys.exit("the sandbox did not start")


def scan(yagura, sandbox, scale, runs, scratch):
    requests = scratch / f"requests-{scale}.jsonl"
    process, url = start(sandbox, requests)
    try:
        subprocess.run([sys.executable, sandbox / "seed_account.py", "--endpoint-url", url, "--scale", str(scale), "--region", REGION],
                       check=True, capture_output=True)
        samples, floors, calls = [], [], 0
        for run in range(runs):
            get(url + "/sandbox/calls/reset", "POST")
            requests.write_text("")
            data = scratch / f"data-{scale}-{run}"
            samples.append(measured([yagura, "--data-dir", data, "scan", "--endpoint-url", url, "--region", REGION, "-o", "ndjson"]))
            calls = get(url + "/sandbox/calls")["total"]
            sent = scratch / "sent.jsonl"
            sent.write_text(requests.read_text())
            replay = subprocess.run([sys.executable, sandbox / "replay_calls.py", sent, "--endpoint-url", url, "--concurrency", "8"],
                                    check=True, capture_output=True, text=True)
            floors.append(json.loads(replay.stdout)["wall_s"])
        wall, cpu, memory = medians(samples)
        floor = statistics.median(floors)
        print(f"| {scale} | {wall:.1f} s | {floor:.1f} s | {wall / floor:.2f} | {cpu:.1f} s | {memory:.0f} MiB | {calls} |", flush=True)
    finally:
        process.terminate()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("release", type=pathlib.Path)
    parser.add_argument("sandbox", type=pathlib.Path)
    parser.add_argument("--scales", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    yagura, xtask = options.release / "yagura", options.release / "xtask"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, "
          f"medians of {options.runs} runs\n")
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        if options.sandbox.is_dir():
            print("| scale | wall | floor | ratio | CPU of Yagura | peak memory | calls |\n|---|---|---|---|---|---|---|", flush=True)
            for scale in options.scales:
                scan(yagura, options.sandbox, scale, options.runs, scratch)
        bundle = scratch / "large.bundle"
        subprocess.run([xtask, "enlarge", "fixtures/company.bundle", str(EVALUATED), bundle], check=True, capture_output=True)
        wall, cpu, memory = medians([
            measured([yagura, "--data-dir", scratch / "e", "scan", "--bundle", bundle, "--no-record", "-o", "ndjson"])
            for _ in range(options.runs)])
        print(f"\n{EVALUATED} resources from a bundle, all controls, ndjson: {wall:.1f} s wall, {cpu:.1f} s CPU, {memory:.0f} MiB")
        startup = [measured([yagura, "--version"])[0] * 1000 for _ in range(20)]
        listing = [measured([yagura, "rule", "list", "-o", "ndjson"])[0] * 1000 for _ in range(20)]
        print(f"start-up: {statistics.median(startup):.0f} ms (`--version`), {statistics.median(listing):.0f} ms (`rule list`: all content read)")


if __name__ == "__main__":
    main()
