//! Whatever lies in a bucket under the name of a log, every source's parser ends, says what it could not take, and takes
//! the rest.

use std::path::Path;

use proptest::prelude::*;

use super::samples::{Made, all_sources, object, parse, source};
use crate::object::{HEAD_BYTES_MAX, Reason};
use crate::source::Source;

/// The content of a sample, and the key under which it lies.
fn sample(name: &str, file: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources").join(name).join(file);
    std::fs::read_to_string(file).unwrap()
}

/// One sample with lines for each shape: fields with and without header, tabs, JSON, patterns.
const SAMPLES: [(&str, &str); 8] = [
    ("vpcflow", "no-header.log"),
    ("vpcflow", "custom-order-v5.log"),
    ("alb", "requests.log"),
    ("cloudfront", "standard-v1.log"),
    ("waf", "requests.log"),
    ("eksaudit", "events.json"),
    ("rdslogin", "mysql-audit.log"),
    ("guardduty", "findings.jsonl"),
];

fn made(source: &Source, content: &[u8]) -> Made {
    parse(source, &object("s3://b/AWSLogs/111122223333/x/eu-west-1/2026/01/05/x.log"), content, Some(1 << 20))
}

fn reasons(made: &Made) -> Vec<&'static str> {
    made.skipped.iter().map(|skipped| skipped.reason.code()).collect()
}

#[test]
fn nothing_makes_nothing() {
    for source in all_sources() {
        for content in ["", "\n", "\r\n\r\n", "\u{feff}", " "] {
            let made = made(&source, content.as_bytes());
            assert_eq!((made.rows.len(), made.skipped.len()), (0, 0), "{} {content:?}", source.name);
        }
    }
}

#[test]
fn what_is_no_log_is_nobodys() {
    let other = object("/home/someone/file");
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\0".to_vec();
    let utf16: Vec<u8> = "2 111122223333 eni-1".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for head in [png, utf16, b"Dear diary,\ntoday\n".to_vec(), b"{\"a\":1}".to_vec(), vec![0; 100], b"PAR1".to_vec()] {
        for source in all_sources() {
            assert!(!source.parser.recognises(&other, &head), "{}: {head:?}", source.name);
        }
    }
}

#[test]
fn a_bad_line_among_good_ones_costs_itself_alone() {
    for (name, file) in SAMPLES {
        let source = source(name);
        let sample = sample(name, file);
        let good = made(&source, sample.as_bytes());
        for bad in ["garbage", "{\"cut\":\"off", "{", "\"", "[[[[", "\u{0}\u{1}", "}}}", "{\"a\":1}"] {
            let made = made(&source, format!("{}\n{bad}\n{}", sample.trim_end(), sample).as_bytes());
            // A header in the middle is one more of them.
            assert_eq!(made.rows.len(), 2 * good.rows.len(), "{name} {bad}: {:?}", made.skipped);
            assert_eq!(made.skipped.len(), 2 * good.skipped.len() + 1, "{name} {bad}: {:?}", made.skipped);
        }
    }
}

#[test]
fn bytes_that_are_no_utf8_do_not_hide_a_row() {
    for (name, file) in SAMPLES {
        let source = source(name);
        let sample = sample(name, file).into_bytes();
        let expected = made(&source, &sample).rows.len();
        // In the place of a letter of a text: what a client may send.
        let at = sample.windows(3).rposition(|three| three.iter().all(u8::is_ascii_lowercase)).unwrap_or(0);
        let mut broken = sample.clone();
        broken[at + 1] = 0xff;
        let made = made(&source, &broken);
        assert!(made.rows.len() + made.skipped.len() >= expected, "{name}");
        let kept = made.rows.iter().any(|row| row["record"].as_str().unwrap().contains('\u{fffd}'));
        assert!(kept || !made.skipped.is_empty(), "{name}");
    }
    let waf = sample("waf", "requests.log").replace("sqlmap", "sql\u{1}map").into_bytes();
    let waf: Vec<u8> = waf.iter().map(|byte| if *byte == 1 { 0xff } else { *byte }).collect();
    assert_eq!(made(&source("waf"), &waf).rows.len(), 2);
}

#[test]
fn deep_json_costs_no_stack() {
    for name in ["waf", "eksaudit", "guardduty", "route53resolver", "vpcflow", "cloudfront"] {
        let source = source(name);
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [10_000, 1_000_000] {
                let deep = format!("{{\"timestamp\":{}1{}}}", open.repeat(depth), close.repeat(depth));
                for content in [deep.clone(), format!("{deep}\n{{}}\n"), format!("[{deep}]"), open.repeat(depth)] {
                    let made = made(&source, content.as_bytes());
                    assert_eq!(made.rows.len(), 0, "{name}");
                    assert!(!made.skipped.is_empty(), "{name}");
                }
            }
        }
        // In a message of CloudWatch Logs, where the depth is within a text.
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
        let message = serde_json::json!({"owner": "111122223333", "logEvents": [{"timestamp": 1, "message": deep}]});
        let made = made(&source, message.to_string().as_bytes());
        assert_eq!(made.rows.len(), 0, "{name}");
        assert!(!made.skipped.is_empty(), "{name}");
    }
}

#[test]
fn a_line_of_100_megabytes_is_skipped_and_the_next_is_read() {
    let long = "x".repeat(100_000_000);
    for (name, file, line) in [
        ("vpcflow", "no-header.log", long.clone()),
        ("waf", "requests.log", format!("{{\"timestamp\":1767607200123,\"action\":\"{long}\"}}")),
    ] {
        let source = source(name);
        let sample = sample(name, file);
        let expected = made(&source, sample.as_bytes()).rows.len();
        let made = made(&source, format!("{}\n{line}\n{sample}", sample.trim_end()).as_bytes());
        assert_eq!(made.rows.len(), 2 * expected, "{name}");
        assert_eq!(reasons(&made), ["line_too_long"], "{name}");
    }
}

#[test]
fn a_million_bad_lines_are_counted_and_not_all_listed() {
    let source = source("vpcflow");
    let made = made(&source, "1 2 3\n".repeat(50_000).as_bytes());
    assert_eq!(made.rows.len(), 0);
    assert!(made.skipped.len() < 2000);
    let last = made.skipped.last().unwrap();
    assert!(matches!(&last.reason, Reason::BadRow(text) if text.starts_with("49000 more")), "{:?}", last.reason);
}

#[test]
fn a_message_of_another_log_in_an_envelope_is_skipped() {
    let envelope = r#"{"owner":"111122223333","logEvents":[{"timestamp":1767607200000,"message":"x"},{"id":"2"},{}]}"#;
    let made = made(&source("vpcflow"), envelope.as_bytes());
    assert_eq!((made.rows.len(), made.skipped.len()), (0, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_rows_or_reasons(content in prop::collection::vec(any::<u8>(), 0..300)) {
        for source in all_sources() {
            let _ = source.parser.recognises(&object("x"), &content);
            let _ = made(&source, &content);
        }
    }

    #[test]
    fn a_sample_with_any_byte_changed_still_ends(which in 0..SAMPLES.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let (name, file) = SAMPLES[which];
        let source = source(name);
        let mut content = sample(name, file).into_bytes();
        let at = at.index(content.len());
        content[at] = byte;
        if cut {
            content.truncate(at);
        }
        let head = &content[..content.len().min(HEAD_BYTES_MAX)];
        let _ = source.parser.recognises(&object("x"), head);
        let _ = made(&source, &content);
    }
}
