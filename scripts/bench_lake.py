#!/usr/bin/env python3
"""Measure how fast logs are taken in and looked up, and print it as Markdown.

    scripts/bench_lake.py FOLDER --yagura PATH --make PATH [--floor PATH] [--python PATH] [--events 100000 1000000] [--flows 10000000]
                          [--runs 3]

FOLDER keeps the corpora, which are made when they are not there: CloudTrail files by `--make`, ../shared/sandbox/make_corpus.py, one
corpus for each number of `--events`; VPC flow logs of a month by this script. `--floor` is the example `floor` of crates/lake, built
for release; `--python` a Python that has the packages duckdb and deltalake. What is not given is left out, by name.

Each command runs alone, in turns with what it is compared with, so that a busy machine slows all of them; medians of `--runs`. CPU time is
printed beside the time that passed: it is what a busy machine changes least. Look-ups are cold: a new process, and before each the page
cache is dropped where that is allowed (root). deltalake, another reader of Delta tables, must find the same rows.
"""
import argparse
import gzip
import json
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

LOOKUPS = {"one event id": "eventID", "one access key": "userIdentity_accessKeyId", "one source address": "sourceIPAddress"}
BY_NAME = 'SELECT "eventName", count(*) AS n FROM cloudtrail GROUP BY 1 ORDER BY n DESC, 1'
BY_TALKER = "SELECT srcaddr, sum(bytes) AS bytes, count(*) AS flows FROM vpcflow GROUP BY 1 ORDER BY 2 DESC LIMIT 10"

DUCKDB = """
import duckdb, sys
db = duckdb.connect()
db.execute(f"SET threads={sys.argv[3]}")
db.execute("SET preserve_insertion_order=false")
db.execute('''COPY (
  SELECT r->>'eventTime' AS eventTime, r->>'eventID' AS eventID, r->>'eventName' AS eventName, r->>'eventSource' AS eventSource,
         r->>'awsRegion' AS awsRegion, r->>'recipientAccountId' AS recipientAccountId, r->>'sourceIPAddress' AS sourceIPAddress,
         r->>'userAgent' AS userAgent, r->>'errorCode' AS errorCode, r->>'errorMessage' AS errorMessage, r->'userIdentity' AS userIdentity,
         r->'requestParameters' AS requestParameters, r->'responseElements' AS responseElements, r AS record
  FROM (SELECT unnest(Records) AS r FROM read_json('FOLDER/**/*.json.gz', columns={Records: 'JSON[]'}, maximum_object_size=268435456))
) TO 'TARGET' (FORMAT parquet, COMPRESSION zstd)'''.replace("FOLDER", sys.argv[1]).replace("TARGET", sys.argv[2]))
"""

DELTALAKE = """
import sys
from deltalake import DeltaTable, QueryBuilder
table = DeltaTable(sys.argv[1])
assert table.metadata().partition_columns == ["account", "region", "day"], table.metadata()
rows = QueryBuilder().register("t", table).execute('SELECT count(*) AS n, count(DISTINCT "eventID") AS ids, count(record) AS records FROM t')
batch = rows.read_all() if hasattr(rows, "read_all") else rows
column = lambda name: batch.column(name).to_pylist()[0] if hasattr(batch.column(name), "to_pylist") else batch.column(name)[0].as_py()
print(column("n"), column("ids"), column("records"))
"""


def measured(command):
    """Seconds, seconds of the processor and megabytes at most that a command took, and what it printed."""
    begun = time.monotonic()
    process = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    took = time.monotonic() - begun
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{command[0]} failed with {os.waitstatus_to_exitcode(status)}")
    return took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, out


def median(runs):
    return [statistics.median(run[at] for run in runs) for at in range(3)]


def size(folder, pattern="*"):
    return sum(file.stat().st_size for file in pathlib.Path(folder).rglob(pattern) if file.is_file())


def forget_cache():
    """Drops the page cache, so that what follows reads from the disk; says whether it could."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def corpus(args, events):
    """The folder of a corpus and what its maker said of it; made where it is not there."""
    folder = args.folder / str(events)
    manifest = args.folder / f"{events}.json"
    if not manifest.exists():
        shutil.rmtree(folder, ignore_errors=True)
        made = subprocess.run([sys.executable, args.make, folder, "--events", str(events)], check=True, capture_output=True, text=True)
        manifest.write_text(made.stdout)
    return folder, json.loads(manifest.read_text())


def flows(args):
    """A folder of VPC flow logs of a month, of a few hundred interfaces that talk to each other and to some thousand others."""
    folder, rng = args.folder / f"flows-{args.flows}", random.Random(1)
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    inside = [(f"10.0.{n // 250}.{n % 250}", f"eni-{rng.getrandbits(68):017x}") for n in range(400)]
    outside = [f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}" for _ in range(5_000)]
    start, files = 1_790_812_800, 30 * 24
    for file in range(files):
        begin = start + file * 3600
        lines = ["version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"]
        for _ in range(args.flows // files):
            (address, interface), at = inside[int(400 * rng.random() ** 2)], begin + int(rng.random() * 3540)
            other = outside[int(5_000 * rng.random() ** 3)]
            pair = f"{address} {other}" if rng.random() < 0.5 else f"{other} {address}"
            packets = int(rng.random() * 60) + 1
            lines.append(f"2 111122223333 {interface} {pair} {1024 + int(rng.random() * 60000)} 443 6 {packets} {packets * 700} {at} {at + 60} ACCEPT OK")
        day = time.strftime("%Y/%m/%d", time.gmtime(begin))
        target = folder / "AWSLogs/111122223333/vpcflowlogs/eu-west-1" / day
        target.mkdir(parents=True, exist_ok=True)
        name = f"111122223333_vpcflowlogs_eu-west-1_fl-0123456789abcdef0_{time.strftime('%Y%m%dT%H%MZ', time.gmtime(begin))}_{file:08x}.log.gz"
        (target / name).write_bytes(gzip.compress("\n".join([*lines, ""]).encode(), 6, mtime=0))
    (folder / "complete").touch()
    return folder


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def ingest(args, work, events, cores):
    """Takes a corpus in, beside the floor and DuckDB; gives the data folder."""
    folder, manifest = corpus(args, events)
    raw, data, target = manifest["bytes_raw"], work / f"data-{events}", work / f"duckdb-{events}.parquet"
    ours, floor, duckdb = [], [], []
    for _ in range(args.runs):
        shutil.rmtree(data, ignore_errors=True)
        ours.append(measured([args.yagura, "--data-dir", data, "logs", "add", folder, "-o", "json"]))
        if args.floor:
            floor.append(measured([args.floor, folder]))
        if args.python:
            duckdb.append(measured([args.python, "-c", DUCKDB, folder, target, cores]))
    report = json.loads(ours[0][3])
    added, skipped = report["sources"][0], report["skipped"]
    if added["events"] + added["duplicates"] + skipped != manifest["events"]:
        sys.exit(f"taken in: {added}, left out: {skipped}, expected: {manifest}")
    print(f"\n{manifest['events']:,} events in {manifest['files']:,} files, {raw / 1e6:,.0f} MB of JSON; {added['duplicates']:,} are there twice, "
          f"{skipped:,} have no time or no id and are left out\n")
    row("taking them in", "time", "CPU", "events/s", "MB/s of JSON", "peak memory", "written")
    row("---", "--:", "--:", "--:", "--:", "--:", "--:")

    def line(name, runs, written):
        took, cpu, memory = median(runs)
        row(name, f"{took:.1f} s", f"{cpu:.1f} s", f"{manifest['events'] / took:,.0f}", f"{raw / took / 1e6:,.0f}", f"{memory:,.0f} MB", written)
        return took, cpu

    parquet, all_bytes = size(data, "*.parquet"), size(data)
    took, cpu = line(f"`yagura logs add`, {cores} cores", ours, f"{parquet / 1e6:,.0f} MB Parquet, {all_bytes / 1e6:,.0f} MB in all")
    ratios = []
    if floor:
        least, least_cpu = line("floor (inflate and parse, nothing kept), 1 core", floor, "")
        ratios.append(f"{least / cores / took:.2f} of the floor times {cores} cores ({least_cpu / cpu:.2f} by CPU time)")
    if duckdb:
        other, _ = line(f"DuckDB to one Parquet file, {cores} threads", duckdb, f"{target.stat().st_size / 1e6:,.0f} MB Parquet")
        ratios.append(f"{other / took:.1f} times DuckDB")
        ratios.append(f"{parquet / target.stat().st_size:.2f} of its size")
    if ratios:
        print("\n" + "; ".join(ratios))
    if args.python:
        count = f"{added['events']}"
        found = measured([args.python, "-c", DELTALAKE, data / "lake/cloudtrail"])[3].split()
        if found != [count] * 3:
            sys.exit(f"deltalake reads {found}, expected {count} rows")
        print(f"\ndeltalake reads the same {int(count):,} rows")
    return data


def questions(args, data):
    """The questions over CloudTrail with their values, as SQL."""
    ask = [args.yagura, "--data-dir", data, "-q", "-o", "json", "sql"]
    found = {}
    for name, column in LOOKUPS.items():
        some = f'SELECT "{column}" AS v FROM cloudtrail WHERE "{column}" IS NOT NULL ORDER BY "eventID" LIMIT 1 OFFSET 1000'
        value = json.loads(measured([*ask, some])[3])[0]["v"]
        found[name] = f"SELECT * FROM cloudtrail WHERE \"{column}\" = '{value}'"
    return found | {"count by event name": BY_NAME}


def asked(args, data, sql):
    """The medians of a question asked cold, its rows, and whether the page cache could be dropped."""
    runs, is_cold = [], True
    for _ in range(args.runs):
        is_cold = forget_cache() and is_cold
        runs.append(measured([args.yagura, "--data-dir", data, "-q", "-o", "ndjson", "sql", sql]))
    return median(runs), len(runs[0][3].splitlines()), is_cold


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--yagura", default="target/release/yagura")
    parser.add_argument("--make", type=pathlib.Path)
    parser.add_argument("--floor")
    parser.add_argument("--python")
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--flows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    cores = len(os.sched_getaffinity(0))
    print(f"{platform.machine()}, {cores} cores, {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB, "
          f"medians of {args.runs} runs")
    for name in ("floor", "python"):
        if not getattr(args, name):
            print(f"left out, for --{name} was not given: " + ("the floor" if name == "floor" else "DuckDB and deltalake"))
    work = pathlib.Path(tempfile.mkdtemp(prefix="yagura-bench-"))
    try:
        bench(args, work, cores)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def bench(args, work, cores):
    found, state = {}, "cold"
    for events in args.events:
        data = ingest(args, work, events, cores)
        for name, sql in questions(args, data).items():
            (took, cpu, _), rows, is_cold = asked(args, data, sql)
            state = state if is_cold else "page cache not dropped"
            found.setdefault(name, []).append((took, cpu, rows))
    print(f"\nquestions, process start included ({state})\n")
    row("", *(f"{events:,} events" for events in args.events), "growth")
    row("---", *("--:" for _ in args.events), "--:")
    for name, times in found.items():
        cells = [f"{took * 1000:.0f} ms ({cpu * 1000:.0f} ms CPU), {rows} rows" for took, cpu, rows in times]
        row(name, *cells, f"{times[-1][0] / times[0][0]:.1f}")
    if args.flows:
        data = work / "flows"
        took, cpu, memory, _ = measured([args.yagura, "--data-dir", data, "logs", "add", flows(args), "-o", "json"])
        (asked_took, asked_cpu, _), _, _ = asked(args, data, BY_TALKER)
        print(f"\n{args.flows:,} VPC flow records of a month: taken in in {took:.1f} s ({cpu:.1f} s CPU, {memory:.0f} MB, {size(data) / 1e6:.0f} MB "
              f"written); the ten greatest talkers in {asked_took:.2f} s ({asked_cpu:.2f} s CPU)")


if __name__ == "__main__":
    main()
