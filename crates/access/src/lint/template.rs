//! Policies inside a CloudFormation template.

use super::{Options, PolicyKind};
use crate::json::{Member, Node};

/// The policies of a template.
#[derive(Debug, Default)]
pub struct Embedded<'n> {
    /// Those that stand there as they will be, with what is known of them.
    pub policies: Vec<(&'n Node<'n>, Options<'n>)>,
    /// How many have functions in them, which only a deployment can tell the values of.
    pub with_functions: usize,
}

/// Resource types that are a policy of another one.
const POLICY_TYPES: &[(&str, &str)] = &[
    ("AWS::DynamoDB::Table", "AWS::DynamoDB::Table"),
    ("AWS::KMS::Key", "AWS::KMS::Key"),
    ("AWS::S3::AccessPoint", "AWS::S3::AccessPoint"),
    ("AWS::S3::BucketPolicy", "AWS::S3::Bucket"),
    ("AWS::S3Express::BucketPolicy", "AWS::S3Express::DirectoryBucket"),
    ("AWS::SNS::TopicPolicy", "AWS::SNS::Topic"),
    ("AWS::SQS::QueuePolicy", "AWS::SQS::Queue"),
    ("AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::Secret"),
];

/// The policies of a template; `None` where the document is no template.
pub fn embedded<'n>(root: &'n Node<'n>) -> Option<Embedded<'n>> {
    if root.get("Statement").is_some() {
        return None;
    }
    let resources = root.get("Resources")?.node.as_object()?;
    let mut found = Embedded::default();
    for resource in resources {
        let Some(kind) = resource.node.get("Type").and_then(|member| member.node.as_str()) else { continue };
        if let Some(properties) = resource.node.get("Properties") {
            walk(&properties.node, kind, &mut found);
        }
    }
    Some(found)
}

/// Every object with statements. The nesting is limited by that of the document.
fn walk<'n>(node: &'n Node<'n>, kind: &'n str, found: &mut Embedded<'n>) {
    for item in node.as_array().unwrap_or_default() {
        walk(item, kind, found);
    }
    for member in node.as_object().unwrap_or_default() {
        if member.node.get("Statement").is_none() {
            walk(&member.node, kind, found);
        } else if has_function(&member.node) {
            found.with_functions += 1;
        } else {
            found.policies.push((&member.node, options(member, kind)));
        }
    }
}

fn options<'n>(member: &Member<'_>, kind: &'n str) -> Options<'n> {
    if member.name == "AssumeRolePolicyDocument" {
        return Options { kind: Some(PolicyKind::Trust), resource_type: None };
    }
    match POLICY_TYPES.iter().find(|(name, _)| *name == kind) {
        Some((_, resource_type)) => Options { kind: Some(PolicyKind::Resource), resource_type: Some(resource_type) },
        None if kind.starts_with("AWS::IAM::") => Options { kind: Some(PolicyKind::Identity), resource_type: None },
        None => Options::default(),
    }
}

fn has_function(node: &Node<'_>) -> bool {
    node.as_array().unwrap_or_default().iter().any(has_function)
        || node
            .as_object()
            .unwrap_or_default()
            .iter()
            .any(|member| member.name == "Ref" || member.name.starts_with("Fn::") || has_function(&member.node))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn policies_of_a_template_are_found_and_told_apart() {
        let text = r#"{ "Resources": {
            "Role": { "Type": "AWS::IAM::Role", "Properties": {
                "AssumeRolePolicyDocument": { "Statement": [] },
                "Policies": [{ "PolicyName": "a", "PolicyDocument": { "Statement": [] } }] } },
            "Policy": { "Type": "AWS::S3::BucketPolicy", "Properties": {
                "PolicyDocument": { "Statement": [{ "Resource": { "Fn::Sub": "${Bucket.Arn}/*" } }] } } },
            "Queue": { "Type": "AWS::SQS::QueuePolicy", "Properties": { "PolicyDocument": { "Statement": [] } } } } }"#;
        let root = parse(text).unwrap();
        let found = embedded(&root).unwrap();
        let kinds: Vec<_> = found.policies.iter().map(|(_, options)| (options.kind, options.resource_type)).collect();
        assert_eq!(
            kinds,
            [
                (Some(PolicyKind::Trust), None),
                (Some(PolicyKind::Identity), None),
                (Some(PolicyKind::Resource), Some("AWS::SQS::Queue")),
            ]
        );
        assert_eq!(found.with_functions, 1);
        assert!(embedded(&parse(r#"{ "Statement": [] }"#).unwrap()).is_none());
    }
}
