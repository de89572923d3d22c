//! How long a policy may be. White space between the elements does not count, as AWS does not count it.

use super::PolicyKind;
use super::codes::{
    POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA, POLICY_SIZE_EXCEEDS_RCP_QUOTA,
    POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA, POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA,
    POLICY_SIZE_EXCEEDS_SCP_QUOTA,
};
use super::context::Context;
use super::facts::resource_policy_quota;
use super::view::Document;

/// Characters of a customer managed policy.
const IDENTITY_POLICY_MAX: usize = 6_144;

/// Characters of a trust policy, unless the quota has been raised (up to 8,192).
const TRUST_POLICY_MAX: usize = 2_048;

/// Characters of a service control policy.
const SCP_MAX: usize = 5_120;

/// Characters of a resource control policy.
const RCP_MAX: usize = 5_120;

pub(super) fn check(document: &Document<'_>, context: &Context<'_>) {
    let (code, max) = match context.kind {
        PolicyKind::Identity => (POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA, Some(IDENTITY_POLICY_MAX)),
        PolicyKind::Trust => (POLICY_SIZE_EXCEEDS_ROLE_TRUST_POLICY_QUOTA, Some(TRUST_POLICY_MAX)),
        PolicyKind::Scp => (POLICY_SIZE_EXCEEDS_SCP_QUOTA, Some(SCP_MAX)),
        PolicyKind::Rcp => (POLICY_SIZE_EXCEEDS_RCP_QUOTA, Some(RCP_MAX)),
        PolicyKind::Resource => {
            let quota = resource_policy_quota(context.resource_type, service_of(document));
            (POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA, quota)
        }
    };
    let text = context.text.get(document.root.start..document.root.end).unwrap_or_default();
    let Some(max) = max.filter(|&max| text.len() > max) else { return };
    let size = characters(text);
    if size > max {
        context.at(code, document.root, &[("size", &size.to_string()), ("max", &max.to_string())]);
    }
}

/// The one service that all actions are of.
fn service_of<'d>(document: &'d Document<'_>) -> Option<&'d str> {
    let mut services = document
        .statements
        .iter()
        .flat_map(|statement| &statement.actions)
        .filter_map(|action| action.lower.split_once(':').map(|(prefix, _)| prefix));
    let first = services.next()?;
    services.all(|service| service == first).then_some(first)
}

/// The characters of a JSON text but for white space outside of its texts.
fn characters(text: &str) -> usize {
    let (mut count, mut inside, mut escaped) = (0, false, false);
    for char in text.chars() {
        if inside || !char.is_ascii_whitespace() {
            count += 1;
        }
        if char == '"' && !escaped {
            inside = !inside;
        }
        escaped = char == '\\' && !escaped;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_counts_only_inside_texts() {
        assert_eq!(characters("{ \"a b\" :\n [ ] }"), r#"{"a b":[]}"#.len());
        assert_eq!(characters(r#"{ "a\" b" : 1 }"#), r#"{"a\" b":1}"#.len());
        assert_eq!(characters(r#"{ "a\\" : 1 }"#), r#"{"a\\":1}"#.len());
    }
}
