#![no_main]
use std::io::Cursor;

use yagura_collect::BundleReader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(mut reader) = BundleReader::new(Cursor::new(bytes)) {
        let _ = reader.observations().map(Iterator::count);
    }
});
