use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// Values of one column, by file.
type Files = BTreeMap<String, BTreeSet<String>>;

fn keys(values: &BTreeSet<String>) -> Keys {
    Keys { columns: BTreeMap::from([("c", values.iter().map(|value| hash(value)).collect())]) }
}

fn keep_all(root: &Path, files: &Files, name: &str) {
    keep(root, files.iter().map(|(path, values)| (path.clone(), keys(values))).collect(), name).unwrap();
}

/// What is found of a value: by file, or nothing for a file of which nothing is known.
fn found(root: &Path, files: &Files, value: &str) -> BTreeMap<String, Held> {
    let positions: HashMap<&str, usize> =
        files.keys().enumerate().map(|(position, path)| (path.as_str(), position)).collect();
    let found = Index::open(root).find("c", &[value], &positions);
    let held = |(path, position): (&&str, &usize)| Some(((*path).to_owned(), *found.get(position)?));
    positions.iter().filter_map(held).collect()
}

/// Every value is found in its files and in no others: hashes of so few values are all different.
fn check(root: &Path, files: &Files) {
    let values: BTreeSet<&String> = files.values().flatten().collect();
    for value in values.into_iter().map(String::as_str).chain(["nowhere"]) {
        let expected: BTreeMap<String, Held> = files
            .iter()
            .map(|(path, values)| (path.clone(), if values.contains(value) { Held::Perhaps } else { Held::No }))
            .collect();
        assert_eq!(found(root, files, value), expected, "{value}");
    }
}

/// So many files of three values each, one of which all of them hold.
fn many(from: u32, count: u32) -> Files {
    let values = |number| BTreeSet::from(["all".to_owned(), format!("a{number}"), format!("b{}", number % 7)]);
    (from..from + count).map(|number| (format!("f{number}"), values(number))).collect()
}

#[test]
fn a_value_is_found_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let files = many(0, 3_000);
    keep_all(folder.path(), &files, "one");
    check(folder.path(), &many(0, 40).into_iter().chain(many(2_960, 40)).collect());
    // Files that no segment names, and a column that it does not know.
    assert_eq!(found(folder.path(), &many(5_000, 3), "all"), BTreeMap::new());
    let positions = HashMap::from([("f1", 0)]);
    assert_eq!(Index::open(folder.path()).find("other", &["all"], &positions), HashMap::new());
}

#[test]
fn many_segments_become_few_that_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut all = Files::new();
    for number in 0..40 {
        let files = many(number * 10, 10);
        keep_all(folder.path(), &files, &format!("s{number}"));
        tidy(folder.path(), &format!("s{number}")).unwrap();
        all.extend(files);
    }
    assert!(segments(&folder.path().join(FOLDER)).unwrap().len() <= SEGMENTS_MAX);
    check(folder.path(), &all);

    let live: HashSet<&str> = all.keys().map(String::as_str).filter(|path| path.ends_with('1')).collect();
    let young = std::time::UNIX_EPOCH;
    sweep(folder.path(), &live, young, "young").unwrap();
    check(folder.path(), &all);
    let ever = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
    sweep(folder.path(), &live, ever, "old").unwrap();
    assert_eq!(segments(&folder.path().join(FOLDER)).unwrap().len(), 1);
    check(
        folder.path(),
        &all.iter().filter(|(path, _)| path.ends_with('1')).map(|(a, b)| (a.clone(), b.clone())).collect(),
    );
    assert_eq!(found(folder.path(), &many(0, 1), "all"), BTreeMap::new());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn segments_say_what_was_put_in(
        parts in prop::collection::vec(prop::collection::vec(prop::collection::btree_set("[a-f]{1,2}", 0..6), 1..5), 1..14),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut all = Files::new();
        for (number, part) in parts.into_iter().enumerate() {
            let files: Files =
                part.into_iter().enumerate().map(|(file, values)| (format!("{number}-{file}"), values)).collect();
            keep_all(folder.path(), &files, &number.to_string());
            all.extend(files);
        }
        check(folder.path(), &all);
        tidy(folder.path(), "t").unwrap();
        check(folder.path(), &all);
    }

    #[test]
    fn damage_hides_nothing(at in 0.0_f64..1.0, bit in 0_u32..8, cut in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let files = many(0, 30);
        keep_all(folder.path(), &files, "one");
        let path = segments(&folder.path().join(FOLDER)).unwrap().remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "any place")]
        let at = (at * bytes.len() as f64) as usize;
        if cut { bytes.truncate(at) } else { bytes[at] ^= 1 << bit }
        std::fs::write(&path, bytes).unwrap();
        for (file, values) in &files {
            for value in values {
                let held = found(folder.path(), &files, value);
                prop_assert_ne!(held.get(file), Some(&Held::No), "{} in {}", value, file);
            }
        }
    }
}
