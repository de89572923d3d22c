use std::io::Read;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/digests")
}

fn unpacked(file: &Path) -> Vec<u8> {
    let mut content = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(file).unwrap()).read_to_end(&mut content).unwrap();
    content
}

/// The files of a folder of the fixture, sorted by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(fixture().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn keys(folder: &str, ending: &str) -> Keys {
    let mut keys = Keys::default();
    for file in files(folder).iter().filter(|file| file.extension().unwrap() == ending) {
        let name = file.file_name().unwrap().to_str().unwrap();
        keys.add_file(KeyFile { name, content: &std::fs::read(file).unwrap() }).unwrap();
    }
    assert_eq!(keys.len(), 1);
    keys
}

fn held(content: &[u8]) -> Held {
    let digest = Digest::parse(content).unwrap();
    Held { key: digest.object.clone(), hash: Sha256::of(content), signature: None, digest }
}

/// The five digests of the fixture, the oldest first; only the newest has its own signature.
pub(crate) fn chain_of_fixture() -> Vec<Held> {
    let folder = "AWSLogs/111122223333/CloudTrail-Digest/ap-northeast-1/2026/01/05";
    let files = files(folder);
    let mut found: Vec<Held> =
        files.iter().filter(|file| file.extension().unwrap() == "gz").map(|file| held(&unpacked(file))).collect();
    let signature = std::fs::read_to_string(files.last().unwrap()).unwrap();
    found.last_mut().unwrap().signature = Some(hex(signature.trim()).unwrap());
    assert_eq!(found.len(), 5);
    found
}

pub(crate) fn keys_of_fixture() -> Keys {
    keys("keys", "json")
}

fn standings(digests: &[Held], keys: &Keys) -> Vec<Standing> {
    verify(digests, keys).links.iter().map(|link| link.standing).collect()
}

#[test]
fn a_whole_chain_is_verified_with_a_key_in_every_form() {
    let chain = chain_of_fixture();
    for ending in ["json", "pem", "der"] {
        assert_eq!(standings(&chain, &keys("keys", ending)), vec![Standing::Verified; 5], "{ending}");
    }
    assert_eq!(verify(&chain, &keys_of_fixture()).gaps.len(), 0);
    assert_eq!(chain[0].digest.trail, "watch_all_us-east-1");
    assert_eq!(chain[0].digest.region, "ap-northeast-1");
}

#[test]
fn the_order_in_which_digests_are_found_does_not_matter() {
    let mut chain = chain_of_fixture();
    chain.swap(0, 3);
    chain.swap(1, 4);
    assert_eq!(standings(&chain, &keys_of_fixture()), vec![Standing::Verified; 5]);
}

#[test]
fn without_a_key_nothing_is_verified_and_nothing_accused() {
    assert_eq!(standings(&chain_of_fixture(), &Keys::default()), vec![Standing::NotVerified(Unproven::NoKey); 5]);
}

#[test]
fn another_key_fits_no_signature() {
    let found = standings(&chain_of_fixture(), &keys("other-keys", "pem"));
    assert_eq!(found, vec![Standing::Tampered(Violation::Signature); 5]);
}

#[test]
fn the_newest_digest_waits_for_the_next_where_its_own_signature_is_lost() {
    let mut chain = chain_of_fixture();
    chain[4].signature = None;
    let found = standings(&chain, &keys_of_fixture());
    assert_eq!(found[..4], vec![Standing::Verified; 4]);
    assert_eq!(found[4], Standing::NotVerified(Unproven::NoSignature));
}

/// The content of one digest of the fixture, changed as text.
fn changed(at: usize, from: &str, to: &str) -> Vec<Held> {
    let folder = fixture().join("AWSLogs/111122223333/CloudTrail-Digest/ap-northeast-1/2026/01/05");
    let mut chain = chain_of_fixture();
    let file = folder.join(chain[at].digest.object.rsplit('/').next().unwrap());
    let content = String::from_utf8(unpacked(&file)).unwrap();
    assert!(content.contains(from));
    let signature = chain[at].signature.take();
    let key = chain[at].key.clone();
    chain[at] = Held { key, signature, ..held(content.replacen(from, to, 1).as_bytes()) };
    chain
}

#[test]
fn a_digest_that_was_changed_is_found() {
    // A log file taken off the list, so that nobody misses it.
    for (from, to) in [("_H13CDE", "_H13XYZ"), ("\"hashValue\": \"", "\"hashValue\":  \""), ("13:40:00", "13:41:00")] {
        let found = standings(&changed(3, from, to), &keys_of_fixture());
        let mut expected = vec![Standing::Verified; 5];
        expected[3] = Standing::Tampered(Violation::Hash);
        assert_eq!(found, expected, "{from}");
    }
    let newest = standings(&changed(4, "_H14CDE", "_H14XYZ"), &keys_of_fixture());
    assert_eq!(newest[4], Standing::Tampered(Violation::Signature));
    // The one before it is still proven: its signature is its own proof.
    assert_eq!(newest[3], Standing::Verified);
}

#[test]
fn a_later_digest_that_slanders_does_not_accuse_a_proven_one() {
    let said = chain_of_fixture()[3].hash.to_string();
    let mut chain = changed(4, &said, &"0".repeat(64));
    let own = chain_of_fixture()[4].digest.previous.clone().unwrap().signature;
    chain[3].signature = Some(own);
    let found = standings(&chain, &keys_of_fixture());
    assert_eq!(found[3], Standing::Verified);
    assert_eq!(found[4], Standing::Tampered(Violation::Signature));
}

#[test]
fn a_digest_in_another_place_is_not_that_hours() {
    let mut chain = chain_of_fixture();
    chain[2].key = chain[1].key.clone();
    assert_eq!(standings(&chain, &keys_of_fixture())[2], Standing::Tampered(Violation::Place));
    // A copy without folders, and one that was unpacked, keep the name.
    chain[1].key = format!("/copies/{}", chain[1].key.rsplit('/').next().unwrap());
    chain[2].key = chain_of_fixture()[2].key.replace(".gz", "");
    assert_eq!(standings(&chain, &keys_of_fixture()), vec![Standing::Verified; 5]);
}

#[test]
fn a_missing_digest_is_a_gap_with_its_name() {
    let mut chain = chain_of_fixture();
    let gone = chain.remove(2);
    let found = verify(&chain, &keys_of_fixture());
    // The signature of the one before the gap was in the missing one.
    assert_eq!(found.links[1].standing, Standing::NotVerified(Unproven::NoSignature));
    assert_eq!(found.gaps.len(), 1);
    assert_eq!(found.gaps[0].reason, GapReason::Missing(gone.digest.object));
    assert_eq!((found.gaps[0].from, found.gaps[0].to), (Some(gone.digest.start), gone.digest.end));
}

#[test]
fn logging_that_was_off_is_a_gap() {
    let mut chain = chain_of_fixture();
    chain.remove(2);
    chain[2].digest.previous = None;
    let found = verify(&chain, &keys_of_fixture());
    assert_eq!(found.gaps.iter().map(|gap| &gap.reason).collect::<Vec<_>>(), [&GapReason::Restarted]);
    // The first digest of a trail follows no other, which is no gap.
    assert_eq!(verify(&chain[..1], &keys_of_fixture()).gaps, []);
}

#[test]
fn what_is_no_digest_is_said() {
    for (content, expected) in [
        ("", "the digest is not what CloudTrail writes"),
        ("{}", "the digest is not what CloudTrail writes"),
        ("[[[[[[", "the digest is not what CloudTrail writes"),
    ] {
        assert_eq!(Digest::parse(content.as_bytes()).unwrap_err().to_string(), expected, "{content}");
    }
    let deep = "[".repeat(100_000);
    assert!(Digest::parse(deep.as_bytes()).is_err());
}

#[test]
fn a_file_without_a_key_is_refused() {
    let mut keys = Keys::default();
    for (name, content) in [
        ("a.pem", "no key"),
        ("a.pem", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"),
        ("a.der", ""),
        ("a.json", "{}"),
        ("a.json", r#"{"PublicKeyList":[{"Value":"AAAA","Fingerprint":"f"}]}"#),
        ("a.txt", "no key"),
    ] {
        assert!(keys.add_file(KeyFile { name, content: content.as_bytes() }).is_err(), "{name} {content}");
    }
    assert!(keys.is_empty());
}

/// The documentation's digests, whose keys are long gone: they must at least be read, and be accused of nothing.
#[test]
fn shared_digests_of_the_documentation_are_read() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/datasets/aws-docs-samples/cloudtrail_digest_examples.json");
    let Ok(content) = std::fs::read(&file) else {
        eprintln!("SKIPPED shared_digests_of_the_documentation_are_read: ../shared/datasets is not here");
        return;
    };
    let digests: Vec<serde_json::Value> = serde_json::from_slice(&content).unwrap();
    for digest in &digests {
        let held = held(digest.to_string().as_bytes());
        assert_eq!(held.digest.account, "111122223333");
        assert!(Digest::is_named(&held.digest.object));
        assert_eq!(standings(&[held], &Keys::default()), [Standing::NotVerified(Unproven::NoSignature)]);
    }
    assert_eq!(digests.len(), 2);
}

proptest! {
    #[test]
    fn any_bytes_are_a_digest_or_an_error(content in any::<Vec<u8>>(), name in "[a-z0-9.]{0,12}") {
        let _ = Digest::parse(&content);
        let mut keys = Keys::default();
        let _ = keys.add_file(KeyFile { name: &name, content: &content });
        let _ = keys.add("f", &content);
    }

    #[test]
    fn any_changed_byte_of_a_digest_is_found(at in 0_usize..5, byte in any::<prop::sample::Index>(), bit in 0_u8..7) {
        let chain = chain_of_fixture();
        let folder = fixture().join("AWSLogs/111122223333/CloudTrail-Digest/ap-northeast-1/2026/01/05");
        let mut content = unpacked(&folder.join(chain[at].digest.object.rsplit('/').next().unwrap()));
        let byte = byte.index(content.len());
        content[byte] ^= 1 << bit;
        if let Ok(digest) = Digest::parse(&content) {
            let mut forged = chain.clone();
            forged[at] = Held { digest, hash: Sha256::of(&content), key: chain[at].key.clone(), signature: chain[at].signature.clone() };
            prop_assert_ne!(standings(&forged, &keys_of_fixture())[at], Standing::Verified);
        }
    }
}
