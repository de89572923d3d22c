#![no_main]
use yagura_detect::{Context, Detection, Engine, Input, Limits, State};

libfuzzer_sys::fuzz_target!(|input: (&str, Vec<&str>)| {
    let Ok(detection) = Detection::parse("detections/fuzz/input.yml", input.0) else { return };
    let _ = detection.test();
    let (engine, _) = Engine::link([detection], []);
    let mut state = State::new(&engine);
    for event in input.1 {
        for source in yagura_detect::SOURCES {
            let _ = engine.process(&mut state, &Input::new(source, event), &Context::EMPTY);
        }
    }
    let loaded = State::load(&state.save(), &engine, Limits::default()).expect("what was saved is read");
    assert_eq!(loaded.save(), state.save());
});
