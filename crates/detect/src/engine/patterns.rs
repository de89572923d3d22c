//! Event patterns of EventBridge over CloudTrail events, dressed as EventBridge delivers them.

use std::borrow::Cow;

use sonic_rs::{JsonNumberTrait, Value, ValueRef};
use yagura_rules::pattern::{Event as PatternEvent, EventBuilder, Pattern, PatternSet, Scalar};

use crate::event::Event;
use crate::path::DEPTH_MAX;

/// All patterns, with the numbers of their rules.
#[derive(Debug)]
pub(super) struct Patterns {
    set: PatternSet<u32>,
}

impl Patterns {
    pub(super) fn new(patterns: impl IntoIterator<Item = (u32, Pattern)>) -> Self {
        Self { set: PatternSet::new(patterns) }
    }

    pub(super) fn matches(&self, event: &Event<'_>, tell: &mut impl FnMut(u32)) {
        if !self.set.is_empty() && event.source().name == "cloudtrail" {
            self.set.matches(&dressed(event), &mut |number| tell(*number));
        }
    }
}

/// An event of CloudTrail as EventBridge delivers it.
pub(crate) fn dressed<'e>(event: &'e Event<'_>) -> PatternEvent<'e> {
    let mut builder = EventBuilder::default();
    let mut add = |name: &str, text: Cow<'e, str>| {
        builder.open_member(name);
        builder.value(Scalar::Text(text));
        builder.close_member();
    };
    add("version", "0".into());
    let kind = event.text("eventType");
    add("detail-type", detail_type(kind.as_deref().unwrap_or_default()).into());
    let service = event.text("eventSource").unwrap_or_default();
    let service = service.split('.').next().unwrap_or_default();
    add("source", format!("aws.{service}").into());
    for (name, value) in [("account", event.account()), ("region", event.region()), ("id", event.id())] {
        if let Some(value) = value {
            add(name, value.into());
        }
    }
    add("time", event.time().format("%Y-%m-%dT%H:%M:%SZ").to_string().into());
    builder.open_member("detail");
    tell(&mut builder, event.root(), DEPTH_MAX);
    builder.close_member();
    builder.finish()
}

fn detail_type(kind: &str) -> &'static str {
    match kind {
        "AwsConsoleSignIn" | "AwsConsoleAction" => "AWS Console Sign In via CloudTrail",
        "AwsServiceEvent" => "AWS Service Event via CloudTrail",
        "AwsCloudTrailInsight" => "AWS Insight via CloudTrail",
        _ => "AWS API Call via CloudTrail",
    }
}

fn tell<'v>(builder: &mut EventBuilder<'v>, value: &'v Value, depth: usize) {
    let Some(depth) = depth.checked_sub(1) else { return };
    match value.as_ref() {
        ValueRef::Null => builder.value(Scalar::Null),
        ValueRef::Bool(value) => builder.value(Scalar::Bool(value)),
        ValueRef::Number(number) => builder.value(Scalar::Number(number.as_f64())),
        ValueRef::String(text) => builder.value(Scalar::Text(Cow::Borrowed(text))),
        ValueRef::Array(list) => {
            builder.open_list();
            for element in list {
                builder.next_element();
                tell(builder, element, depth);
            }
            builder.close_list();
        }
        ValueRef::Object(object) => {
            for (name, member) in object {
                builder.open_member(name);
                tell(builder, member, depth);
                builder.close_member();
            }
        }
    }
}
