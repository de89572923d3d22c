//! What an event of CloudTrail was done to, and what became of it.
//!
//! CloudTrail names resources (`resources[].ARN`) for few services. Everywhere else the name is in the request or in the
//! answer, under a key that is made of the event's own noun: `DeleteSubnet` has `subnetId`, `CreateRole` answers
//! `role.arn`. Where the noun is a part of something (`PutRolePolicy`), the thing is what its first words name.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

/// Levels of JSON that are looked into.
const DEPTH_MAX: usize = 6;

/// Resources that one event can act on as far as they are shown: a call starts or stops hundreds at most.
const TARGETS_MAX: usize = 100;

/// Names of one resource.
const NAMES_MAX: usize = 6;

/// Characters of a name; a longer text is a document.
const NAME_CHARACTERS_MAX: usize = 512;

/// What became of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It came to be.
    Created,
    /// It, or a part of it, is another.
    Changed,
    /// It is no more.
    Deleted,
}

/// A resource that an event acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// What it is called, the name that says most to a person first: name, id, ARN.
    pub(crate) names: Vec<String>,
    pub(crate) effect: Effect,
}

/// Nouns whose resource has another name in the API.
const OTHER_WORDS: &[(&str, &str)] = &[("address", "allocation"), ("tags", "resource"), ("logging", "trail")];

/// The first resource that an event acted on, by the name that a person reads first.
pub(crate) fn first(event: &str, request: &str, response: &str, resources: &str) -> Option<String> {
    let parse = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
    let listed: Vec<String> = resources.split_ascii_whitespace().map(str::to_owned).collect();
    let found = targets(event, &parse(request), &parse(response), &listed);
    found.into_iter().next().and_then(|target| target.names.into_iter().next())
}

/// The resources that an event acted on: `event` is its name, `resources` are the ARNs it lists.
pub(crate) fn targets(event: &str, request: &Value, response: &Value, resources: &[String]) -> Vec<Target> {
    let words = words(event);
    let Some((verb, noun)) = words.split_first() else { return Vec::new() };
    let effect = effect(verb, event);
    let (request, response) = (opened(request), opened(response));
    let mut found = own(noun, effect, request, response);
    if found.is_empty() {
        let stems = stems(noun);
        let part = stems.iter().find_map(|(stem, is_end)| {
            let groups = groups(request, stem, false);
            (!groups.is_empty()).then_some((groups, *is_end))
        });
        match part {
            // A part of it was created or deleted, so that it is changed itself.
            Some((groups, is_end)) => found = each(groups, if is_end { effect } else { Effect::Changed }),
            None => found = each(any(request), Effect::Changed),
        }
    }
    for arn in resources.iter().take(TARGETS_MAX) {
        let is_it = |target: &Target| target.names.iter().any(|name| ends_with_name(arn, name));
        if found.is_empty() {
            found.push(Target { names: vec![arn.clone()], effect });
        } else if let Some(target) = found.iter_mut().find(|target| is_it(target)) {
            push(&mut target.names, arn);
        }
    }
    found.truncate(TARGETS_MAX);
    found
}

/// The words of an event's name, in lower case, without the version behind it (`UpdateFunctionCode20150331v2`).
fn words(event: &str) -> Vec<String> {
    let digits = |letter: char| letter.is_ascii_digit() || letter == '_';
    let event = match event.rsplit_once('v') {
        Some((before, version)) if !version.is_empty() && version.chars().all(digits) => before,
        _ => event,
    };
    let event = event.trim_end_matches(digits);
    let mut words: Vec<String> = Vec::new();
    let letters: Vec<char> = event.chars().collect();
    for (at, letter) in letters.iter().enumerate() {
        let near = |at: usize| letters.get(at).copied().unwrap_or('x');
        // `DBInstance` is two words, and so is `CreateVPCLink` three.
        let begins = letter.is_uppercase() && (at == 0 || near(at - 1).is_lowercase() || near(at + 1).is_lowercase());
        match words.last_mut() {
            Some(word) if !begins => word.extend(letter.to_lowercase()),
            _ => words.push(letter.to_lowercase().collect()),
        }
    }
    words
}

fn effect(verb: &str, event: &str) -> Effect {
    match verb {
        "create" | "run" | "allocate" | "register" | "import" | "copy" | "launch" | "provision" => Effect::Created,
        "delete" | "terminate" | "deregister" | "release" | "destroy" => Effect::Deleted,
        "schedule" if event.ends_with("Deletion") => Effect::Deleted,
        _ => Effect::Changed,
    }
}

/// The resources that the whole noun names, in the request and in the answer.
fn own(noun: &[String], effect: Effect, request: &Value, response: &Value) -> Vec<Target> {
    let whole = noun.concat();
    let whole = whole.strip_suffix("deletion").filter(|rest| !rest.is_empty()).unwrap_or(&whole);
    let other = OTHER_WORDS.iter().find(|(word, _)| *word == whole).map(|(_, other)| (*other).to_owned());
    for stem in std::iter::once(whole.to_owned()).chain(other) {
        let (asked, answered) = (groups(request, &stem, true), groups(response, &stem, true));
        let found = match (asked.as_slice(), answered.as_slice()) {
            // One name here, another there: both are its.
            ([one], [other]) => {
                let mut names = one.clone();
                for name in other {
                    push(&mut names, name);
                }
                vec![names]
            }
            (_, []) => asked,
            ([], _) => answered,
            _ if effect == Effect::Created => answered,
            _ => asked,
        };
        if !found.is_empty() {
            // Tags come and go; what has them stays.
            return each(found, if stem == "resource" { Effect::Changed } else { effect });
        }
    }
    Vec::new()
}

fn each(groups: Vec<Vec<String>>, effect: Effect) -> Vec<Target> {
    let mut seen = BTreeSet::new();
    groups
        .into_iter()
        .filter(|names| names.first().is_some_and(|name| seen.insert(name.clone())))
        .map(|names| Target { names: readable(names), effect })
        .collect()
}

/// The parts of a noun that may be a thing by themselves, the longest first words first; and whether the part is the
/// noun's end, so that the thing itself was acted on.
fn stems(noun: &[String]) -> Vec<(String, bool)> {
    let mut stems: Vec<(String, bool)> = Vec::new();
    for length in (1..noun.len()).rev() {
        for (at, words) in noun.windows(length).enumerate() {
            stems.push((words.concat(), at + length == noun.len()));
        }
    }
    // What stands first owns what follows.
    let (first, rest): (Vec<_>, Vec<_>) = stems.into_iter().partition(|(stem, _)| noun.concat().starts_with(stem));
    first.into_iter().chain(rest).collect()
}

/// An object that holds nothing but one object (`CreateNatGatewayRequest`) is that one.
fn opened(value: &Value) -> &Value {
    match value {
        Value::Object(members) => match members.iter().next() {
            Some((key, inner @ Value::Object(_)))
                if members.len() == 1 && (key.ends_with("Request") || key.ends_with("Response")) =>
            {
                inner
            }
            _ => value,
        },
        _ => value,
    }
}

/// The names under keys made of the stem, of each object that has some; with `plain`, also `name`, `id` and `arn` of
/// the outermost object and of one that is called by the stem.
fn groups(value: &Value, stem: &str, plain: bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    collect(value, stem, plain, DEPTH_MAX, &mut found);
    found.truncate(TARGETS_MAX);
    found
}

fn collect(value: &Value, stem: &str, plain: bool, depth: usize, found: &mut Vec<Vec<String>>) {
    if depth == 0 || found.len() >= TARGETS_MAX {
        return;
    }
    match value {
        Value::Array(items) => {
            for item in items {
                collect(item, stem, plain, depth - 1, found);
            }
        }
        Value::Object(members) => {
            object(members, stem, plain, found);
            for (key, inner) in members {
                // Tags and filters name many things that nothing was done to.
                if !key.to_lowercase().starts_with("tag") {
                    let is_it = singular(&key.to_lowercase()) == singular(stem) || (plain && key == "items");
                    collect(inner, stem, is_it, depth - 1, found);
                }
            }
        }
        _ => {}
    }
}

fn object(members: &Map<String, Value>, stem: &str, plain: bool, found: &mut Vec<Vec<String>>) {
    let mut names = Vec::new();
    for (key, value) in members {
        let key = key.to_lowercase();
        let key = key.strip_suffix("set").or_else(|| key.strip_suffix("list")).unwrap_or(&key);
        let Some(before) = before_name(key) else { continue };
        if (plain && before.is_empty()) || singular(before) == singular(stem) {
            let texts = texts(value);
            if texts.len() > 1 {
                found.extend(texts.into_iter().map(|text| vec![text]));
            } else {
                for text in &texts {
                    push(&mut names, text);
                }
            }
        }
    }
    if !names.is_empty() {
        found.push(names);
    }
}

/// What stands before the part of a key that says it is a name: `subnet` of `subnetid`.
fn before_name(key: &str) -> Option<&str> {
    ["identifiers", "identifier", "names", "name", "arns", "arn", "ids", "id"]
        .iter()
        .find_map(|end| key.strip_suffix(end))
}

/// The texts that a value is, or holds as EC2 writes lists.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if !text.is_empty() && text.chars().count() <= NAME_CHARACTERS_MAX => vec![text.clone()],
        Value::Array(items) => items.iter().filter(|item| item.is_string()).flat_map(texts).take(TARGETS_MAX).collect(),
        Value::Object(members) => {
            ["item", "items", "member", "content"].iter().filter_map(|key| members.get(*key)).flat_map(texts).collect()
        }
        _ => Vec::new(),
    }
}

/// Whatever the request names first.
fn any(request: &Value) -> Vec<Vec<String>> {
    let Value::Object(members) = request else { return Vec::new() };
    let deep = groups(request, "resource", false);
    if !deep.is_empty() {
        return deep;
    }
    let named = members.iter().filter(|(key, _)| {
        let key = key.to_lowercase();
        before_name(&key).is_some() && !key.starts_with("client") && !key.contains("token")
    });
    named.map(|(_, value)| texts(value)).find(|texts| !texts.is_empty()).map(|texts| vec![texts]).unwrap_or_default()
}

fn singular(word: &str) -> &str {
    let word = word.strip_suffix("set").filter(|rest| rest.ends_with('s')).unwrap_or(word);
    word.strip_suffix('s').filter(|rest| rest.len() > 2).unwrap_or(word)
}

fn push(names: &mut Vec<String>, name: &str) {
    if names.len() < NAMES_MAX && !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}

/// The names, those that say most to a person first.
fn readable(mut names: Vec<String>) -> Vec<String> {
    names.sort_by_key(|name| {
        if name.starts_with("arn:") {
            2
        } else {
            // `AROA…`: unique, and unknown to whoever reads it.
            u8::from(crate::hunt::is_principal_id(name))
        }
    });
    names
}

fn ends_with_name(arn: &str, name: &str) -> bool {
    arn == name || arn.strip_suffix(name).is_some_and(|before| name.starts_with('/') || before.ends_with(['/', ':']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(event: &str, request: &str, response: &str, expected: &[(Effect, &[&str])]) {
        let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let found = targets(event, &parse(request), &parse(response), &[]);
        let found: Vec<(Effect, Vec<&str>)> =
            found.iter().map(|target| (target.effect, target.names.iter().map(String::as_str).collect())).collect();
        let expected: Vec<(Effect, Vec<&str>)> =
            expected.iter().map(|(effect, names)| (*effect, names.to_vec())).collect();
        assert_eq!(found, expected, "{event}");
    }

    /// Names, requests and answers of events, and what was done to what.
    type Case = (&'static str, &'static str, &'static str, &'static [(Effect, &'static [&'static str])]);

    const CASES: &[Case] = &[
        (
            "CreateRole",
            r#"{"path":"/","roleName":"ops","assumeRolePolicyDocument":"{}"}"#,
            r#"{"role":{"path":"/","roleName":"ops","roleId":"AROAIOSFODNN7EXAMPLE","arn":"arn:aws:iam::111122223333:role/ops"}}"#,
            &[(Effect::Created, &["ops", "AROAIOSFODNN7EXAMPLE", "arn:aws:iam::111122223333:role/ops"])],
        ),
        ("DeleteRolePolicy", r#"{"roleName":"ops","policyName":"inline"}"#, "null", &[(Effect::Changed, &["ops"])]),
        (
            "AttachRolePolicy",
            r#"{"policyArn":"arn:aws:iam::aws:policy/X","roleName":"ops"}"#,
            "null",
            &[(Effect::Changed, &["ops"])],
        ),
        (
            "AddRoleToInstanceProfile",
            r#"{"instanceProfileName":"p","roleName":"ops"}"#,
            "null",
            &[(Effect::Changed, &["ops"])],
        ),
        (
            "CreateAccessKey",
            r#"{"userName":"mio"}"#,
            r#"{"accessKey":{"accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"mio"}}"#,
            &[(Effect::Created, &["AKIAIOSFODNN7EXAMPLE"])],
        ),
        (
            "CreateVpc",
            r#"{"cidrBlock":"10.0.0.0/16"}"#,
            r#"{"requestId":"r","vpc":{"vpcId":"vpc-1","tagSet":{"items":[{"key":"Name","value":"x"}]}}}"#,
            &[(Effect::Created, &["vpc-1"])],
        ),
        (
            "CreateSubnet",
            r#"{"vpcId":"vpc-1"}"#,
            r#"{"subnet":{"subnetId":"subnet-1","vpcId":"vpc-1"}}"#,
            &[(Effect::Created, &["subnet-1"])],
        ),
        (
            "CreateRoute",
            r#"{"routeTableId":"rtb-1","gatewayId":"igw-1"}"#,
            r#"{"_return":true}"#,
            &[(Effect::Changed, &["rtb-1"])],
        ),
        (
            "RunInstances",
            r#"{"instancesSet":{"items":[{"imageId":"ami-1"}]}}"#,
            r#"{"reservationId":"r-1","instancesSet":{"items":[{"instanceId":"i-1","imageId":"ami-1"},{"instanceId":"i-2"}]}}"#,
            &[(Effect::Created, &["i-1"]), (Effect::Created, &["i-2"])],
        ),
        (
            "TerminateInstances",
            r#"{"instancesSet":{"items":[{"instanceId":"i-1"}]}}"#,
            r#"{"instancesSet":{"items":[{"instanceId":"i-1","currentState":{"name":"x"}}]}}"#,
            &[(Effect::Deleted, &["i-1"])],
        ),
        (
            "CreateNatGateway",
            r#"{"CreateNatGatewayRequest":{"AllocationId":"eipalloc-1","SubnetId":"subnet-1"}}"#,
            r#"{"CreateNatGatewayResponse":{"xmlns":"x","natGateway":{"natGatewayId":"nat-1","subnetId":"subnet-1"}}}"#,
            &[(Effect::Created, &["nat-1"])],
        ),
        (
            "DeleteFlowLogs",
            r#"{"DeleteFlowLogsRequest":{"FlowLogId":{"tag":1,"content":"fl-1"}}}"#,
            "null",
            &[(Effect::Deleted, &["fl-1"])],
        ),
        (
            "CreateFlowLogs",
            "null",
            r#"{"CreateFlowLogsResponse":{"clientToken":"t","flowLogIdSet":{"item":"fl-1"}}}"#,
            &[(Effect::Created, &["fl-1"])],
        ),
        (
            "AllocateAddress",
            r#"{"domain":"vpc"}"#,
            r#"{"publicIp":"192.0.2.1","allocationId":"eipalloc-1"}"#,
            &[(Effect::Created, &["eipalloc-1"])],
        ),
        ("ReleaseAddress", r#"{"allocationId":"eipalloc-1"}"#, "null", &[(Effect::Deleted, &["eipalloc-1"])]),
        (
            "CreateSecret",
            r#"{"name":"db","clientRequestToken":"t"}"#,
            r#"{"arn":"arn:aws:secretsmanager:us-east-1:111122223333:secret:db-1"}"#,
            &[(Effect::Created, &["db", "arn:aws:secretsmanager:us-east-1:111122223333:secret:db-1"])],
        ),
        ("DeleteSecret", r#"{"secretId":"db"}"#, "null", &[(Effect::Deleted, &["db"])]),
        ("StopLogging", r#"{"name":"main"}"#, "null", &[(Effect::Changed, &["main"])]),
        ("DeleteTrail", r#"{"name":"main"}"#, "null", &[(Effect::Deleted, &["main"])]),
        (
            "PutBucketPolicy",
            r#"{"bucketPolicy":{"Statement":[{"Resource":"x"}]},"bucketName":"data"}"#,
            "null",
            &[(Effect::Changed, &["data"])],
        ),
        ("DeleteBucketLifecycle", r#"{"bucketName":"data"}"#, "null", &[(Effect::Changed, &["data"])]),
        ("DeleteBucket", r#"{"bucketName":"data"}"#, "null", &[(Effect::Deleted, &["data"])]),
        (
            "CreateSecurityGroup",
            r#"{"groupName":"web","vpcId":"vpc-1"}"#,
            r#"{"groupId":"sg-1"}"#,
            &[(Effect::Created, &["web"])],
        ),
        (
            "AuthorizeSecurityGroupIngress",
            r#"{"groupId":"sg-1","ipPermissions":{}}"#,
            "null",
            &[(Effect::Changed, &["sg-1"])],
        ),
        (
            "ModifyImageAttribute",
            r#"{"imageId":"ami-1","launchPermission":{"add":{"items":[{"userId":"444455556666"}]}}}"#,
            "null",
            &[(Effect::Changed, &["ami-1"])],
        ),
        (
            "CreateTags",
            r#"{"resourcesSet":{"items":[{"resourceId":"ami-1"},{"resourceId":"i-1"}]},"tagSet":{"items":[{"key":"a","value":"b"}]}}"#,
            "null",
            &[(Effect::Changed, &["ami-1"]), (Effect::Changed, &["i-1"])],
        ),
        ("UpdateFunctionCode20150331v2", r#"{"functionName":"f"}"#, "null", &[(Effect::Changed, &["f"])]),
        (
            "CreateFunction20150331",
            r#"{"functionName":"f"}"#,
            r#"{"functionName":"f","functionArn":"arn:aws:lambda:us-east-1:111122223333:function:f"}"#,
            &[(Effect::Created, &["f", "arn:aws:lambda:us-east-1:111122223333:function:f"])],
        ),
        ("ScheduleKeyDeletion", r#"{"keyId":"k-1"}"#, "null", &[(Effect::Deleted, &["k-1"])]),
        ("CreateDBInstance", r#"{"dBInstanceIdentifier":"shop"}"#, "null", &[(Effect::Created, &["shop"])]),
        (
            "CreateLoginProfile",
            r#"{"userName":"mio"}"#,
            r#"{"loginProfile":{"userName":"mio"}}"#,
            &[(Effect::Changed, &["mio"])],
        ),
        ("StartSecretVersionDelete", "null", "null", &[]),
    ];

    #[test]
    fn events_say_what_they_were_done_to() {
        for (event, request, response, expected) in CASES {
            check(event, request, response, expected);
        }
    }

    #[test]
    fn listed_resources_are_further_names() {
        let arn = "arn:aws:ssm:us-east-1:111122223333:parameter/db/password".to_owned();
        let request = serde_json::json!({ "name": "/db/password" });
        let found = targets("DeleteParameter", &request, &Value::Null, std::slice::from_ref(&arn));
        assert_eq!(found, [Target { names: vec!["/db/password".to_owned(), arn.clone()], effect: Effect::Deleted }]);
        let found = targets("Decrypt", &Value::Null, &Value::Null, std::slice::from_ref(&arn));
        assert_eq!(found, [Target { names: vec![arn], effect: Effect::Changed }]);
    }

    #[test]
    fn hostile_documents_have_an_end() {
        let mut deep = Value::String("x".to_owned());
        for _ in 0..200 {
            deep = serde_json::json!({ "subnet": deep, "subnetId": "s" });
        }
        assert!(targets("DeleteSubnet", &deep, &deep, &[]).len() <= TARGETS_MAX);
        let many: Vec<Value> =
            (0..10_000).map(|number| serde_json::json!({ "instanceId": format!("i-{number}") })).collect();
        assert_eq!(targets("RunInstances", &Value::Null, &Value::Array(many), &[]).len(), TARGETS_MAX);
        assert!(targets("", &Value::Null, &Value::Null, &[]).is_empty());
    }
}
