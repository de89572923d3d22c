#![no_main]
use yagura_rules::alarm::{AlarmFile, AlarmRule};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let _ = AlarmRule::parse(text);
    if let Ok((file, _)) = AlarmFile::parse("alarms/x.yml", text) {
        for case in &file.cases {
            let _ = case.run(&file.watch);
        }
    }
});
