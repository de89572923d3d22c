#![no_main]
use yagura_rules::filter::Pattern;

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    if let Ok(pattern) = Pattern::parse(input.0) {
        pattern.matches(input.1);
    }
});
