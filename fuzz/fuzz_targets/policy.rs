#![no_main]
use yagura_access::policy::{self, Policy};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Policy::from_text(text);
    let _ = policy::public(&serde_json::Value::String(text.to_owned()));
});
