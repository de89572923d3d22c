#![no_main]
use yagura_rules::pattern::{Event, Pattern, PatternSet};

libfuzzer_sys::fuzz_target!(|input: (&str, &str)| {
    let Ok(pattern) = Pattern::parse(input.0) else { return };
    let Ok(event) = serde_json::from_str(input.1) else { return };
    let event = Event::new(&event);
    let alone = pattern.matches(&event);
    let mut together = false;
    PatternSet::new([((), pattern)]).matches(&event, &mut |()| together = true);
    assert_eq!(alone, together);
});
