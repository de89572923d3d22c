//! The engine against plain rsigma, against the obvious way of counting, and against itself in pieces.

mod counting;
mod indexing;
mod replay;
mod story;

use super::*;
use crate::context::Context;
use crate::event::Input;
use crate::source::Source;
use crate::state::State;

pub(super) fn detection(text: &str) -> Detection {
    Detection::parse("detections/cloudtrail/example.yml", text).unwrap()
}

pub(super) fn engine(text: &str) -> Engine {
    Engine::new([detection(text)], []).unwrap()
}

/// Processes events of CloudTrail, one JSON text each.
pub(super) fn process(engine: &Engine, state: &mut State, events: &[String]) {
    for event in events {
        let input = Input::new(Source::named("cloudtrail").unwrap(), event);
        engine.process(state, &input, &Context::EMPTY).unwrap();
    }
}

/// The time of a second of 2026-01-05.
pub(super) fn at(second: u32) -> String {
    let time = chrono::DateTime::from_timestamp(1_767_571_200 + i64::from(second), 0).unwrap();
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The id of an event, as CloudTrail writes them.
pub(super) fn id(number: usize) -> String {
    format!("0a1b2c3d-0000-4000-8000-{number:012x}")
}
