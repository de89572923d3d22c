#![no_main]
use yagura_rules::{Library, RuleSet};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let library: Library = yagura_analyze::library().unwrap_or_default();
    RuleSet::load_files([("controls/s3/x.yml", text)], &library);
});
