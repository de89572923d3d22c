//! The detections on CloudTrail that Yagura brings: each is tested by what it carries, and all together as one engine.

#![expect(clippy::unwrap_used, reason = "what reads the files is as much test as what checks them")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use yagura_detect::{Detection, Engine};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/detections/cloudtrail")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yml") {
            found.push(path);
        }
    }
}

fn detections() -> Vec<(String, Detection)> {
    let mut paths = Vec::new();
    files(&folder(), &mut paths);
    paths.sort();
    let mut detections = Vec::new();
    let mut broken = Vec::new();
    for path in paths {
        let name = path.strip_prefix(folder()).unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        match Detection::parse(&format!("detections/cloudtrail/{name}"), &text) {
            Ok(detection) => detections.push((name, detection)),
            Err(error) => broken.push(format!("{name}: {error}")),
        }
    }
    assert!(broken.is_empty(), "{} broken\n{}", broken.len(), broken.join("\n"));
    assert!(!detections.is_empty());
    detections
}

#[test]
fn every_detection_passes_its_own_tests() {
    let mut failures = Vec::new();
    for (name, detection) in detections() {
        for outcome in detection.test() {
            if let Some(failure) = outcome.failure {
                failures.push(format!("{name}: {}: {failure}", outcome.case));
            }
        }
    }
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_detection_has_a_case_that_fires_and_three_that_do_not() {
    for (name, detection) in detections() {
        let firing = detection.cases.iter().filter(|case| case.finds()).count();
        let silent = detection.cases.len() - firing;
        assert!(firing >= 1, "{name} has no case that fires");
        assert!(silent >= 2, "{name} has {silent} silent cases: it needs a near miss and a missing field at least");
    }
}

#[test]
fn all_detections_link_and_have_their_own_ids() {
    let detections = detections();
    let mut ids = BTreeSet::new();
    let count = detections.len();
    let engine = Engine::new(detections.into_iter().map(|(_, detection)| detection), []).unwrap();
    for rule in engine.rules() {
        assert!(ids.insert(rule.id.clone()), "{} is there twice", rule.id);
    }
    assert!(ids.len() >= count);
}
