#![no_main]
use yagura_collect::BundleReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(reader) = BundleReader::new(bytes) {
        let _ = reader.read(|_| {});
    }
});
