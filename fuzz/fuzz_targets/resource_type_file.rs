#![no_main]
use yagura_collect::ResourceTypes;

libfuzzer_sys::fuzz_target!(|text: &str| {
    ResourceTypes::load_files([("s3/x.yml", text)]);
});
