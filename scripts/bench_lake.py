#!/usr/bin/env python3
"""Measure how fast logs are taken in and looked up, on a corpus of CloudTrail files.

    scripts/bench_lake.py CORPUS [--yagura PATH] [--floor PATH] [--duckdb PYTHON] [--runs 3]

CORPUS is a folder as `../shared/sandbox/make_corpus.py` writes it. `--floor` is the example `floor` of crates/lake, built for release;
`--duckdb` a Python that has the package duckdb. What is not given is left out, by name. Each is run alone, `--runs` times, and the
median is printed: events a second, the most memory, the size of what was written, and the time of look-ups after the page cache was
dropped (only as root) by access key, event id and source address.
"""
import argparse, json, os, pathlib, shutil, statistics, subprocess, sys, tempfile, time

LOOKUPS = {"access key": "userIdentity_accessKeyId", "event id": "eventID", "source address": "sourceIPAddress"}

DUCKDB = """
import duckdb, sys
db = duckdb.connect()
db.execute("SET preserve_insertion_order=false")
db.execute(f'''COPY (
  SELECT r->>'eventTime' AS eventTime, r->>'eventID' AS eventID, r->>'eventName' AS eventName, r->>'eventSource' AS eventSource,
         r->>'awsRegion' AS awsRegion, r->>'recipientAccountId' AS recipientAccountId, r->>'sourceIPAddress' AS sourceIPAddress,
         r->>'userAgent' AS userAgent, r->>'errorCode' AS errorCode, r->>'errorMessage' AS errorMessage, r->'userIdentity' AS userIdentity,
         r->'requestParameters' AS requestParameters, r->'responseElements' AS responseElements, r AS record
  FROM (SELECT unnest(Records) AS r FROM read_json('{sys.argv[1]}/**/*.json.gz', columns={{Records: 'JSON[]'}}, maximum_object_size=268435456))
) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)''')
"""


def measured(command, **options):
    """Seconds and megabytes that a command took, and what it printed."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed with {status}")
    return time.monotonic() - begun, usage.ru_maxrss / 1024, out


def size(path):
    path = pathlib.Path(path)
    return path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*.parquet"))


def forget_cache():
    """Drops the page cache, so that what follows reads from the disk; says whether it could."""
    os.sync()
    try:
        pathlib.Path("/proc/sys/vm/drop_caches").write_text("3")
        return True
    except OSError:
        return False


def line(name, events, runs, bytes_written=None):
    seconds = statistics.median(run[0] for run in runs)
    memory = statistics.median(run[1] for run in runs)
    written = "" if bytes_written is None else f"{bytes_written / 1e6:>8.0f} MB written"
    print(f"{name:<24}{seconds:>8.2f} s{events / seconds:>12,.0f} events/s{memory:>8.0f} MB memory {written}", flush=True)
    return events / seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=pathlib.Path)
    parser.add_argument("--yagura", default="target/release/yagura")
    parser.add_argument("--floor")
    parser.add_argument("--duckdb")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="yagura-bench-"))
    try:
        bench(args, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def bench(args, work):
    data, runs, events = work / "data", [], 0
    for _ in range(args.runs):
        shutil.rmtree(data, ignore_errors=True)
        run = measured([args.yagura, "--data-dir", str(data), "logs", "add", str(args.corpus), "-o", "json"])
        source = json.loads(run[2])["sources"][0]
        events = source["events"] + source["duplicates"]
        runs.append(run)
    ours = line("yagura logs add", events, runs, size(data))

    if args.floor:
        runs = []
        for _ in range(args.runs):
            run = measured([args.floor, str(args.corpus)])
            runs.append(run)
        floor = line("floor, one thread", events, runs)
        cores = len(os.sched_getaffinity(0))
        print(f"{'':<24}{ours / (floor * cores):.2f} of the floor on {cores} cores")
    else:
        print("floor: left out, --floor was not given")

    if args.duckdb:
        target, runs = work / "duckdb.parquet", []
        for _ in range(args.runs):
            runs.append(measured([args.duckdb, "-c", DUCKDB, str(args.corpus), str(target)]))
        duckdb = line("DuckDB to Parquet", events, runs, size(target))
        print(f"{'':<24}{ours / duckdb:.2f} times DuckDB, {size(data) / size(target):.2f} of its size")
    else:
        print("DuckDB: left out, --duckdb was not given")

    lookups(args, data, "as added")
    measured([args.yagura, "--data-dir", str(data), "logs", "compact", "-q"])
    lookups(args, data, "compacted")


def lookups(args, data, state):
    ask = [args.yagura, "--data-dir", str(data), "-q", "-o", "json", "sql"]
    for name, column in LOOKUPS.items():
        question = f'SELECT "{column}" AS v FROM cloudtrail WHERE "{column}" IS NOT NULL ORDER BY "eventID" LIMIT 1 OFFSET 1000'
        value = json.loads(measured([*ask, question])[2])[0]["v"]
        times, is_cold = [], True
        for _ in range(args.runs):
            is_cold = forget_cache() and is_cold
            times.append(measured([*ask, f"SELECT * FROM cloudtrail WHERE \"{column}\" = '{value}'"]))
        found = len(json.loads(times[0][2]))
        seconds = statistics.median(run[0] for run in times)
        print(f"{'look-up by ' + name:<32}{seconds:>8.2f} s  {found} rows, {'cold' if is_cold else 'warm'}, {state}", flush=True)


if __name__ == "__main__":
    main()
