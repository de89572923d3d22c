//! Every source's samples make the rows that are expected of them, however they are packed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use serde_json::{Map, Value};

use super::file::{File, Sample};
use super::sources;
use crate::object::{HEAD_BYTES_MAX, LogObject, Skipped, Text};
use crate::source::{Framing, Source, detect};

/// A source as its folder has it.
struct Folder {
    dir: PathBuf,
    name: String,
    mapping: String,
    samples: Vec<Sample>,
}

fn folders() -> Vec<Folder> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources");
    let mut found: Vec<Folder> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| {
            let dir = entry.unwrap().path();
            let mapping = std::fs::read_to_string(dir.join("source.yml")).unwrap();
            let file: File =
                serde_saphyr::from_str(&mapping).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
            let name = dir.file_name().unwrap().to_str().unwrap().to_owned();
            Folder { dir, name, mapping, samples: file.samples }
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() >= 11, "the sources are not there");
    found
}

pub(super) fn all_sources() -> Vec<Source> {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let folders = folders();
        sources(folders.iter().map(|folder| (folder.name.as_str(), folder.mapping.as_str()))).unwrap()
    });
    SOURCES.clone()
}

pub(super) fn source(name: &str) -> Source {
    all_sources().into_iter().find(|source| *source.name == *name).unwrap()
}

pub(super) fn object(uri: &str) -> LogObject {
    LogObject { uri: uri.to_owned(), size: 0, version: String::new() }
}

/// What one object makes: rows, and what was skipped.
pub(super) struct Made {
    pub(super) rows: Vec<Map<String, Value>>,
    pub(super) skipped: Vec<Skipped>,
}

/// Parses the content as one text, or in chunks of so many bytes at least where the source reads lines.
pub(super) fn parse(source: &Source, object: &LogObject, content: &[u8], chunk: Option<usize>) -> Made {
    let head = content.get(..content.len().min(HEAD_BYTES_MAX)).unwrap();
    let (mut rows, mut skipped) = (Vec::new(), Vec::new());
    let mut sink = |batch: RecordBatch| {
        assert_eq!(batch.schema(), source.schema);
        rows.extend(as_json(&batch));
        Ok(())
    };
    let chunks = match (chunk, source.parser.framing(head)) {
        (Some(size), Framing::Lines) => chunks(content, size),
        _ => vec![(1, content)],
    };
    for (first_line, bytes) in chunks {
        let text = Text { bytes: Buffer::from(bytes), first_line, head: Buffer::from(head) };
        source.parser.parse(object, &text, &mut sink, &mut skipped).unwrap();
    }
    Made { rows, skipped }
}

fn chunks(content: &[u8], size: usize) -> Vec<(u64, &[u8])> {
    let (mut found, mut rest, mut line) = (Vec::new(), content, 1);
    while !rest.is_empty() {
        let end = rest.iter().enumerate().position(|(at, byte)| at + 1 >= size && *byte == b'\n');
        let (chunk, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        found.push((line, chunk));
        line += memchr::memchr_iter(b'\n', chunk).count() as u64;
        rest = behind;
    }
    found
}

fn as_json(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    (0..batch.num_rows()).map(|row| row_as_json(batch, row)).collect()
}

fn row_as_json(batch: &RecordBatch, row: usize) -> Map<String, Value> {
    let mut found = Map::new();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        if column.is_null(row) {
            continue;
        }
        let value: Value = match column.data_type() {
            DataType::Utf8View => column.as_string_view().value(row).into(),
            DataType::Int32 => column.as_primitive::<Int32Type>().value(row).into(),
            DataType::Int64 => column.as_primitive::<Int64Type>().value(row).into(),
            DataType::Float64 => column.as_primitive::<Float64Type>().value(row).into(),
            DataType::Boolean => column.as_boolean().value(row).into(),
            DataType::Timestamp(..) => {
                let micros = column.as_primitive::<TimestampMicrosecondType>().value(row);
                let time = chrono::DateTime::from_timestamp_micros(micros).unwrap();
                time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true).into()
            }
            other => panic!("a column of type {other}"),
        };
        found.insert(field.name().clone(), value);
    }
    found
}

/// What is expected of a folder: each row and each skipped line of each sample as one line. `record` is left out
/// here, since it is the line itself.
fn lines_of(sample: &Sample, made: &Made) -> Vec<String> {
    let mut lines = Vec::new();
    for row in &made.rows {
        let mut line = Map::new();
        line.insert("sample".to_owned(), sample.file.clone().into());
        line.extend(
            row.iter().filter(|(name, _)| *name != "record").map(|(name, value)| (name.clone(), value.clone())),
        );
        lines.push(Value::Object(line).to_string());
    }
    for skipped in &made.skipped {
        let line = serde_json::json!({
            "sample": sample.file, "skipped": skipped.line, "reason": skipped.reason.to_string(),
        });
        lines.push(line.to_string());
    }
    lines
}

#[test]
fn samples_make_the_rows_expected_of_them() {
    let sources = all_sources();
    for folder in folders() {
        let source = sources.iter().find(|source| *source.name == *folder.name).unwrap();
        let mut found = String::new();
        assert!(!folder.samples.is_empty(), "`{}` has no sample", folder.name);
        for sample in &folder.samples {
            let content = std::fs::read(folder.dir.join(&sample.file)).unwrap();
            let object = object(&format!("s3://example-logs/{}", sample.key));
            let made = parse(source, &object, &content, None);
            assert!(!made.rows.is_empty(), "{}/{}: {:?}", folder.name, sample.file, made.skipped);
            for line in lines_of(sample, &made) {
                found.push_str(&line);
                found.push('\n');
            }
        }
        expect_test::expect_file![folder.dir.join("expected.ndjson")].assert_eq(&found);
    }
}

#[test]
fn nothing_of_a_sample_is_lost() {
    for folder in folders() {
        let source = source(&folder.name);
        for sample in &folder.samples {
            let content = std::fs::read_to_string(folder.dir.join(&sample.file)).unwrap();
            for row in parse(&source, &object(&sample.key), content.as_bytes(), None).rows {
                let record = row["record"].as_str().unwrap();
                let quoted = serde_json::to_string(record).unwrap();
                let is_there = content.contains(record) || content.contains(quoted.trim_matches('"'));
                assert!(is_there, "{}/{}: {record}", folder.name, sample.file);
            }
        }
    }
}

#[test]
fn the_same_rows_in_chunks_with_other_line_ends_and_with_a_mark() {
    for folder in folders() {
        let source = source(&folder.name);
        for sample in &folder.samples {
            let name = format!("{}/{}", folder.name, sample.file);
            let object = object(&sample.key);
            let content = std::fs::read_to_string(folder.dir.join(&sample.file)).unwrap();
            let expected = parse(&source, &object, content.as_bytes(), None);
            for size in [1, 300, 5000] {
                let made = parse(&source, &object, content.as_bytes(), Some(size));
                assert_eq!(made.rows, expected.rows, "{name} in chunks of {size}");
            }
            for packed in [format!("\u{feff}{content}"), format!("\n\n{content}\n")] {
                let made = parse(&source, &object, packed.as_bytes(), None);
                assert_eq!(without_place(made.rows), without_place(expected.rows.clone()), "{name}");
            }
            let made = parse(&source, &object, content.replace('\n', "\r\n").as_bytes(), None);
            assert_eq!(made.rows.len(), expected.rows.len(), "{name} with CRLF");
        }
    }
}

fn without_place(mut rows: Vec<Map<String, Value>>) -> Vec<Map<String, Value>> {
    for row in &mut rows {
        row.remove("_line");
    }
    rows
}

#[test]
fn a_sample_is_recognised_by_its_own_source_alone() {
    let sources = all_sources();
    for folder in folders() {
        for sample in &folder.samples {
            let content = std::fs::read(folder.dir.join(&sample.file)).unwrap();
            let head = content.get(..content.len().min(HEAD_BYTES_MAX)).unwrap();
            let names = ["/home/someone/downloads/log.txt".to_owned(), format!("s3://example-logs/{}", sample.key)];
            for name in names.iter().skip(usize::from(sample.by_name)) {
                let object = object(name);
                let found: Vec<&str> = sources
                    .iter()
                    .filter(|source| source.parser.recognises(&object, head))
                    .map(|source| source.name.as_ref())
                    .collect();
                assert_eq!(found, [folder.name.as_str()], "{}/{} as {name}", folder.name, sample.file);
            }
        }
    }
}

#[test]
fn flow_logs_in_parquet_make_the_same_rows_as_in_text() {
    use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
    let source = source("vpcflow");
    let text = "2 111122223333 eni-0a 192.0.2.1 192.0.2.2 443 50000 6 10 840 1767607200 1767607260 ACCEPT OK\n\
                2 111122223333 eni-0b - - - - - - - 1767607200 1767607260 - NODATA\n";
    let texts = |values: [Option<&str>; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let shorts = |values: [Option<i32>; 2]| Arc::new(Int32Array::from(values.to_vec())) as ArrayRef;
    let longs = |values: [Option<i64>; 2]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("version", shorts([Some(2), Some(2)]), true),
        ("account_id", texts([Some("111122223333"), Some("111122223333")]), true),
        ("interface_id", texts([Some("eni-0a"), Some("eni-0b")]), true),
        ("srcaddr", texts([Some("192.0.2.1"), Some("-")]), true),
        ("dstaddr", texts([Some("192.0.2.2"), None]), true),
        ("srcport", shorts([Some(443), None]), true),
        ("dstport", shorts([Some(50000), None]), true),
        ("protocol", shorts([Some(6), None]), true),
        ("packets", longs([Some(10), None]), true),
        ("bytes", longs([Some(840), None]), true),
        ("start", longs([Some(1_767_607_200), Some(1_767_607_200)]), true),
        ("end", longs([Some(1_767_607_260), Some(1_767_607_260)]), true),
        ("action", texts([Some("ACCEPT"), None]), true),
        ("log_status", texts([Some("OK"), Some("NODATA")]), true),
    ])
    .unwrap();
    let mut file = Vec::new();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(parquet::basic::Compression::SNAPPY)
        .build();
    let mut writer = parquet::arrow::ArrowWriter::try_new(&mut file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let object = object("s3://example-logs/AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/01/05/x.log.parquet");
    assert_eq!(detect(&all_sources(), &object, &file[..100]).unwrap().name, source.name);
    let mut made = parse(&source, &object, &file, None);
    assert_eq!(made.skipped, []);
    let first: Value = serde_json::from_str(made.rows[0]["record"].as_str().unwrap()).unwrap();
    assert_eq!(first["srcport"], 443);
    let mut expected = parse(&source, &object, text.as_bytes(), None).rows;
    for row in made.rows.iter_mut().chain(&mut expected) {
        row.remove("record");
    }
    assert_eq!(made.rows, expected);

    // Cut off anywhere, it is skipped with a reason and makes no half rows.
    for end in [4, 100, file.len() / 2, file.len() - 1] {
        let made = parse(&source, &object, &file[..end], None);
        assert_eq!(made.rows, []);
        assert_eq!(made.skipped.len(), 1, "{end}");
    }
}

/// The records that AWS's documentation and others show. They are not ours to keep here, so the test says aloud when it
/// cannot look.
#[test]
fn shared_data_sets_make_rows() {
    let datasets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/datasets");
    if !datasets.is_dir() {
        eprintln!("SKIPPED shared_data_sets_make_rows: ../shared/datasets is not here");
        return;
    }
    let sources = all_sources();
    for (file, name, rows, skipped) in [
        ("opensearch-catalog/cloudfront_access.log", "cloudfront", 40, 0),
        ("opensearch-catalog/elb_access.log", "alb", 63, 0),
        ("opensearch-catalog/s3_access.log", "s3access", 18, 0),
        ("opensearch-catalog/waf.ndjson", "waf", 38, 0),
        ("opensearch-catalog/rds.log", "rdslogin", 402, 0),
    ] {
        let content = std::fs::read(datasets.join(file)).unwrap();
        let object = object(&format!("/data/{file}"));
        let source = detect(&sources, &object, &content[..content.len().min(HEAD_BYTES_MAX)]);
        assert_eq!(source.map(|source| source.name.as_ref()), Some(name), "{file}");
        let made = parse(source.unwrap(), &object, &content, Some(4000));
        assert_eq!((made.rows.len(), made.skipped.len()), (rows, skipped), "{file}: {:?}", made.skipped);
    }
    let cases = std::fs::read(datasets.join("aws-docs-samples/vpc_flow_log_examples.json")).unwrap();
    let cases: Value = serde_json::from_slice(&cases).unwrap();
    let source = source("vpcflow");
    let mut rows = 0;
    let mut header = None;
    for case in cases.as_array().unwrap() {
        let lines: Vec<&str> = case["lines"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
        if lines.iter().all(|line| line.starts_with("version ") || line.starts_with("instance-id ")) {
            header = Some(lines.join("\n"));
            continue;
        }
        let columns = header.as_ref().map_or(14, |header| header.split(' ').count());
        for line in lines.iter().filter(|line| line.split_whitespace().count() == columns) {
            let text = header.as_ref().map_or_else(|| (*line).to_owned(), |header| format!("{header}\n{line}\n"));
            let object = object("s3://b/AWSLogs/1/vpcflowlogs/x/fl_20210326T0330Z_a.log");
            let made = parse(&source, &object, text.as_bytes(), None);
            assert_eq!((made.rows.len(), made.skipped.len()), (1, 0), "{text}: {:?}", made.skipped);
            rows += 1;
        }
    }
    assert!(rows > 20, "only {rows} lines of the documentation");
}
