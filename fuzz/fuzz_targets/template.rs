#![no_main]
use yagura_collect::Template;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = Template::parse(text, "template");
});
