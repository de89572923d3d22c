#![no_main]
use yagura_detect::lists::{Declared, Format, Indicator, Kind, ListFile, Lists, declare, read};

// The first byte says as which format the rest is read; what was read is looked up again.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((first, bytes)) = data.split_first() else { return };
    let formats = [None, Some(Format::Plain), Some(Format::Csv), Some(Format::Stix1), Some(Format::Stix2), Some(Format::Otx)];
    let format = formats[usize::from(*first) % formats.len()];
    let declared = Declared { file: "x".to_owned(), kind: Kind::Malicious, name: None, format };
    let now = "2026-01-05T10:00:00Z".parse().unwrap();
    if let Ok(list) = read(bytes, &declared, now) {
        let (lists, problems) = Lists::new([ListFile { declared, bytes }], now);
        assert!(problems.is_empty());
        for indicator in &list.indicators {
            let hits = match indicator {
                Indicator::Addresses(first, last) => {
                    assert!(!lists.address(*first).kinds().is_empty());
                    lists.address(*last)
                }
                Indicator::Name(name) => lists.name(name),
                Indicator::Hash(hash) => lists.hash(hash),
            };
            assert!(hits.kinds().has(Kind::Malicious));
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = declare(&["x.tor.txt".to_owned()], Some(text));
    }
});
