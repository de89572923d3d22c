//! Threats in the logs: which event means what, and why.
//!
//! In: events in the order in which they came, rules, threat lists, the state of earlier runs. Out: findings and incidents.
//! Never here: I/O, a clock, the lake, the terminal: the same events in the same order give the same findings.
//!
//! ```
//! use yagura_detect::{Context, Detection, Engine, Input, Source, State};
//!
//! let file = "
//! title: A trail was stopped
//! logsource: { product: aws, service: cloudtrail }
//! detection: { selection: { eventName: StopLogging }, condition: selection }
//! ";
//! let detection = Detection::parse("detections/cloudtrail/trail-stopped.yml", file)?;
//! let engine = Engine::new([detection], [])?;
//! let mut state = State::new(&engine);
//! let event = r#"{"eventTime": "2026-01-05T10:00:00Z", "eventName": "StopLogging"}"#;
//! let source = Source::named("cloudtrail").ok_or("no such log")?;
//! engine.process(&mut state, &Input::new(source, event), &Context::EMPTY)?;
//! assert_eq!(state.findings().count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod context;
mod engine;
mod event;
mod explain;
mod facts;
mod finding;
mod incident;
pub mod lists;
mod path;
mod rule;
mod sigma;
mod source;
mod state;
mod tactic;
mod testing;
mod time;

pub use context::{Context, ListKind, Listed, Lists, Nothing, Own, Place, Places};
pub use engine::{Engine, LinkError};
pub use event::{EVENT_BYTES_MAX, Event, EventError, Input};
pub use explain::{Ask, Explanation, Remembered, Step};
pub use facts::{Fact, FactValue, PREFIX as FACT_PREFIX};
pub use finding::{Finding, SAMPLES_MAX, Sample, VALUE_BYTES_MAX, VALUES_MAX};
pub use incident::{APART_HOURS_MAX, Incident, TIMELINE_MAX, TimelineEntry, incidents};
pub use rule::{Count, Counted, DOCUMENTS_MAX, Detection, FIELDS_MAX, FILE_BYTES_MAX, Logic, New, Rule, Spoken, Words};
pub use source::{SOURCES, Source};
pub use state::{LATE_MS_MAX, Limits, Report, Size, State, StateError, WINDOW_ENTRIES_MAX};
pub use tactic::Tactic;
pub use testing::{Case, Expected, Given, Outcome};
