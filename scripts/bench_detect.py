#!/usr/bin/env python3
"""Detection: how much longer taking logs in becomes with it, and how it grows with the number of rules.

    python bench_detect.py CORPUS --yagura YAGURA --rate DETECT_RATE [--runs N]

CORPUS is a folder of CloudTrail files (../shared/sandbox/make_corpus.py makes one). Prints Markdown; fails no build over a number.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time


def timed(command):
    """Runs a command; its wall seconds, processor seconds and peak memory in MiB."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return time.monotonic() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--yagura", required=True)
    parser.add_argument("--rate", required=True, help="the example detect_rate of yagura-detect")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    program = arguments.yagura
    added, judged = [], []
    for _ in range(arguments.runs):
        with tempfile.TemporaryDirectory() as scratch:
            data = pathlib.Path(scratch)
            added.append(timed([program, "--data-dir", data, "logs", "add", arguments.corpus, "-q"]))
            judged.append(timed([program, "--data-dir", data, "detect", "-q", "-o", "ndjson"]))
    middle = lambda runs, at: statistics.median(run[at] for run in runs)
    together = statistics.median(add[0] + judge[0] for add, judge in zip(added, judged))
    print(f"\n{os.cpu_count()} cores, medians of {arguments.runs} runs\n")
    print("| | wall | processor | peak memory |\n|---|--:|--:|--:|")
    print(f"| `logs add` | {middle(added, 0):.1f} s | {middle(added, 1):.1f} s | {middle(added, 2):.0f} MiB |")
    print(f"| `detect`, all built-in detections | {middle(judged, 0):.1f} s | {middle(judged, 1):.1f} s | {middle(judged, 2):.0f} MiB |")
    print(f"\nBoth take {together / middle(added, 0):.2f} times as long as taking in alone.\n", flush=True)
    subprocess.run([arguments.rate], check=True)


if __name__ == "__main__":
    main()
