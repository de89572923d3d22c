//! The semantics of the language, as docs/formats/controls.md has them.

use chrono::DateTime;
use serde_json::{Value, json};
use yagura_model::{Cause, CouldNotLook, Inventory, Missing, Relation, Resource, Seen, Unread};

use super::*;
use crate::library::Library;
use crate::tables::Tables;
use crate::testing::sample;

/// 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600;

fn denied(operation: &str) -> CouldNotLook {
    CouldNotLook {
        service: "s3".to_owned(),
        operation: operation.to_owned(),
        cause: Cause::Denied,
        error: "AccessDenied".to_owned(),
        action: Some(format!("s3:{operation}")),
    }
}

fn subject() -> Resource {
    let mut resource = sample("AWS::S3::Bucket");
    resource.name = Some("a bucket".to_owned());
    let properties = json!({
        "Status": "Enabled",
        "On": true,
        "Count": 14,
        "Ratio": 1.0,
        "Half": 0.5,
        "Text": "{\"a\": [1, 2]}",
        "Rules": [{"Port": 22, "Cidr": "0.0.0.0/0"}, {"Port": 443}, {"Cidr": "10.0.0.0/8"}],
        "Names": ["a", "b"],
        "Empty": [],
        "Deep": {"A": {"B": 1}, "With-Dash": 2},
        "Known": {"Here": 1},
        "Since": "2025-12-30T12:00:00Z",
        "Null": null,
    });
    if let Value::Object(properties) = properties {
        resource.properties = properties;
    }
    resource.tags.insert("Owner".to_owned(), "me".to_owned());
    resource.unread = vec![
        Unread {
            paths: vec!["Properties.Policy".to_owned(), "Attributes".to_owned()],
            cause: denied("GetBucketPolicy"),
        },
        Unread { paths: vec!["Properties.Known.Lost".to_owned()], cause: denied("GetBucketAcl") },
    ];
    resource
}

fn inventory(subject: Resource) -> Inventory {
    let mut inventory = Inventory::default();
    let mut add = |kind: &str, id: &str, region: &str, properties: Value, relation: Option<&str>| {
        let mut resource = sample(kind);
        resource.id = id.to_owned();
        resource.region = region.into();
        if let Value::Object(properties) = properties {
            resource.properties = properties;
        }
        resource.relations =
            relation.map(|id| Relation { kind: "AWS::S3::Bucket".into(), id: id.to_owned() }).into_iter().collect();
        inventory.add(Seen::Resource(Box::new(resource)));
    };
    add("AWS::CloudTrail::Trail", "here", "us-east-1", json!({"IsLogging": true}), Some("example"));
    add("AWS::CloudTrail::Trail", "there", "eu-west-1", json!({"IsLogging": false}), None);
    add("AWS::IAM::Role", "role", "global", json!({}), None);
    let mut function = sample("AWS::Lambda::Function");
    function.id = "f".to_owned();
    function.unread =
        vec![Unread { paths: vec!["Relations.AWS::S3::Bucket".to_owned()], cause: denied("GetFunction") }];
    inventory.add(Seen::Resource(Box::new(function)));
    inventory.add(Seen::Resource(Box::new(subject)));
    let mut listed = |kind: &str, region: &str, cause: Option<CouldNotLook>| {
        let (kind, account, region) = (kind.into(), "111122223333".into(), region.into());
        inventory.add(match cause {
            None => Seen::Listed { kind, account, region },
            Some(cause) => Seen::Unlisted { kind, account, region, cause },
        });
    };
    listed("AWS::CloudTrail::Trail", "us-east-1", None);
    listed("AWS::CloudTrail::Trail", "eu-west-1", None);
    listed("AWS::IAM::Role", "global", None);
    listed("AWS::S3::Bucket", "us-east-1", None);
    listed("AWS::KMS::Key", "us-east-1", Some(denied("ListKeys")));
    listed("AWS::SNS::Topic", "us-east-1", None);
    listed("AWS::SNS::Topic", "eu-west-1", Some(denied("ListTopics")));
    listed("AWS::SQS::Queue", "us-east-1", None);
    listed("AWS::Lambda::Function", "us-east-1", None);
    inventory
}

fn library() -> Library {
    let mut library = Library::default();
    library.register("policy.echo", 1..=2, |arguments, _| Ok(json!(arguments))).unwrap();
    library.register("policy.fail", 0..=0, |_, _| Err("malformed".to_owned())).unwrap();
    library
}

fn evaluate(source: &str) -> Result<Value, Vec<Missing>> {
    let mut tables = Tables::default();
    tables.insert("runtimes", json!({"python3.8": {"deprecated": "2024-10-14"}}));
    let subject = subject();
    let inventory = inventory(subject.clone());
    let world = World::new(&inventory, &tables, DateTime::from_timestamp(NOW, 0).unwrap());
    let arena = Arena::new();
    let expr = compile(source, &library()).unwrap_or_else(|error| panic!("`{source}`: {error:?}"));
    let mut evaluation = Evaluation::new(&world, &subject, &arena);
    evaluation.eval(&expr).map(|value| value.to_json().into_owned()).map_err(Failure::into_missing)
}

#[track_caller]
fn check(source: &str, expected: Value) {
    assert_eq!(evaluate(source), Ok(expected), "{source}");
}

/// The evaluation fails for want of exactly these.
#[track_caller]
fn check_unread(source: &str, expected: &[&str]) {
    let missing = evaluate(source).expect_err(source);
    let unread: Vec<&str> = missing
        .iter()
        .map(|missing| match missing {
            Missing::Unread { what, .. } => what.as_str(),
            Missing::Evaluation { error } => panic!("{source}: {error}"),
        })
        .collect();
    assert_eq!(unread, expected, "{source}");
}

#[track_caller]
fn check_error(source: &str, expected: &str) {
    match evaluate(source) {
        Err(missing) => match missing.as_slice() {
            [Missing::Evaluation { error }] => assert_eq!(error, expected, "{source}"),
            other => panic!("{source}: {other:?}"),
        },
        Ok(value) => panic!("{source} is {value}"),
    }
}

#[test]
fn an_absent_key_is_null_and_empty() {
    for source in [
        "Properties.No == null",
        "null == Properties.No",
        "Properties.Null == null",
        "Properties.No == Properties.Nor",
        "Properties.No.Further.Down == null",
        "Properties.No['further'] == null",
        "Properties.No[0] == null",
        "Properties.Empty[0] == null",
        "Properties.No != 'x'",
        "'x' != Properties.No",
        "!('x' == Properties.No)",
        "!(Properties.No == false)",
        "!(0 == Properties.No)",
        "size(Properties.No) == 0 && Properties.No.size() == 0",
        "!('a' in Properties.No)",
        "!(Properties.No in Properties.Names)",
        "Properties.No.all(x, false)",
        "!Properties.No.exists(x, true)",
        "Properties.No.filter(x, true) == []",
        "Properties.No.map(x, x.y) == []",
        "!has(Properties.No)",
        "!has(Properties.No.Further)",
        "!has(Properties.Null)",
        "has(Properties.Status) && has(Properties.Deep.A)",
        "or(Properties.No, 3) == 3 && or(Properties.Count, 3) == 14",
        "Tags.Owner == 'me' && Tags['No'] == null && 'Owner' in Tags && !('No' in Tags) && has(Tags.Owner)",
        "Properties.Deep['With-Dash'] == 2",
        "lower(Properties.No) == null && json(Properties.No).a == null && age_days(Properties.No) == null",
        "!contains_any(Properties.No, ['a']) && contains_all(Properties.Names, Properties.No)",
    ] {
        check(source, json!(true));
    }
}

#[test]
fn an_absent_value_is_no_bool_and_has_no_order() {
    check_error(
        "Properties.No && true",
        "`Properties.No` is absent, where true or false is needed (`or(Properties.No, false)` gives a default)",
    );
    check_error(
        "Properties.No >= 3",
        "`Properties.No` is absent and `>=` needs a value (`or(Properties.No, …)` gives a default)",
    );
    check_error("!Properties.Status", "`Properties.Status` is a text, where true or false is needed");
    check_error(
        "Properties.Status < 3",
        "`Properties.Status` is a text and `3` is a number: `<` does not compare them",
    );
    check_error("Properties.Status.Deep == 1", "`Properties.Status.Deep` asks a text for the key `Deep`");
    check_error("Properties.No.startsWith('a')", "`Properties.No` is absent, where `startsWith` needs a text");
}

#[test]
fn numbers_compare_by_what_they_amount_to() {
    for source in [
        "Properties.Count == 14.0 && 14.0 == Properties.Count",
        "Properties.Ratio == 1 && Properties.Ratio in [1]",
        "Properties.Half < 1 && 1 > Properties.Half",
        "9007199254740993 > 9007199254740992.0",
        "Properties.Count > 13.5 && Properties.Count <= 14.0",
        "-Properties.Count < 0 && Properties.Count % 5 == 4 && Properties.Count / 4 == 3",
        "Properties.Count + 0.5 == 14.5",
        "number('7') == 7 && number('7.5') == 7.5 && int('7') == 7 && double(7) == 7.0 && string(7) == '7'",
    ] {
        check(source, json!(true));
    }
    check_error("Properties.Count / 0", "`Properties.Count / 0` divides by zero or is out of range");
}

#[test]
fn what_could_not_be_read_is_never_false() {
    check_unread("Properties.Policy == null", &["Properties.Policy"]);
    check_unread("has(Properties.Policy)", &["Properties.Policy"]);
    check_unread("has(Properties.Policy.Statement)", &["Properties.Policy"]);
    check_unread("!has(Properties.Policy)", &["Properties.Policy"]);
    check_unread("or(Properties.Policy, 1) == 1", &["Properties.Policy"]);
    check_unread("'Policy' in Properties", &["Properties.Policy"]);
    check_unread("Properties[join(['Pol', 'icy'], '')] == 1", &["Properties.Policy"]);
    check_unread("Properties.Policy.Statement[0].Effect == 'Allow'", &["Properties.Policy.Statement"]);
}

#[test]
fn what_could_not_be_read_within_something_counts_where_that_is_used_whole() {
    check("Properties.Known.Here == 1 && has(Properties.Known) && Properties.Known != null", json!(true));
    check_unread("Properties.Known.Lost == 1", &["Properties.Known.Lost"]);
    check_unread("size(Properties.Known) == 1", &["Properties.Known"]);
    check_unread("Properties.Known == {'Here': 1}", &["Properties.Known"]);
    check_unread("Properties.Known.all(key, true)", &["Properties.Known"]);
    check_unread("policy.echo(Properties.Known) == []", &["Properties.Known"]);
    check_unread("[Properties.Known].size() == 1", &["Properties.Known"]);
    check_unread("Properties.exists(key, key == 'Policy')", &["Properties"]);
    check_unread("Attributes.Anything == 1", &["Attributes.Anything"]);
}

#[test]
fn a_decisive_term_outweighs_an_error() {
    for source in [
        "Properties.Policy == 1 || true",
        "true || Properties.Policy == 1",
        "!(Properties.Policy == 1 && false)",
        "!(false && Properties.Policy == 1)",
        "Properties.On ? true : Properties.Policy",
        "Properties.Names.exists(name, name == 'b' || Properties.Policy == name)",
        "!Properties.Names.all(name, Properties.Policy == name && name == 'a' && false)",
        "Properties.Rules.exists(rule, rule.Port > 400)",
        "!Properties.Rules.all(rule, rule.Port > 400)",
    ] {
        check(source, json!(true));
    }
    check_unread("Properties.Policy == 1 || false", &["Properties.Policy"]);
    check_unread("true && Properties.Policy == 1", &["Properties.Policy"]);
    check_unread("Properties.Policy == 1 ? true : true", &["Properties.Policy"]);
    check_unread("Properties.Policy == 1 && Attributes.X == 1", &["Properties.Policy", "Attributes.X"]);
    check_unread("Properties.Names.all(name, Properties.Policy == name)", &["Properties.Policy"]);
    check_unread("Properties.Names.filter(name, Properties.Policy == name).size() == 0", &["Properties.Policy"]);
}

#[test]
fn lists_are_gone_over() {
    check("Properties.Rules.filter(rule, has(rule.Cidr)).map(rule, rule.Cidr)", json!(["0.0.0.0/0", "10.0.0.0/8"]));
    check("Properties.Rules.map(rule, rule.Port != null, rule.Port + 1)", json!([23, 444]));
    check("Properties.Rules.exists_one(rule, rule.Port == 22)", json!(true));
    check("Properties.Names.map(a, Properties.Names.map(b, a + b))", json!([["aa", "ab"], ["ba", "bb"]]));
    check("Properties.Rules[1].Port", json!(443));
    check("Properties.Names + ['c']", json!(["a", "b", "c"]));
    check("{'a': 1}['a'] + {'b': 2}.b", json!(3));
    check("Tags.all(key, Tags[key].size() > 0)", json!(true));
}

#[test]
fn other_resources_are_seen_where_they_were_listed() {
    check("resources('AWS::CloudTrail::Trail').map(trail, trail.Id)", json!(["here"]));
    check("resources_everywhere('AWS::CloudTrail::Trail').map(trail, trail.Region)", json!(["us-east-1", "eu-west-1"]));
    check("resources('AWS::IAM::Role').size() == 1", json!(true));
    check("related('AWS::CloudTrail::Trail').exists(trail, trail.Properties.IsLogging)", json!(true));
    check("resources('AWS::CloudTrail::Trail').map(trail, related(trail, 'AWS::SQS::Queue').size())", json!([0]));
    check_unread("resources('AWS::KMS::Key').size() == 0", &["AWS::KMS::Key"]);
    check_unread("related('AWS::KMS::Key').size() == 0", &["AWS::KMS::Key"]);
    check("resources('AWS::SNS::Topic').size()", json!(0));
    check_unread("resources_everywhere('AWS::SNS::Topic').size() == 0", &["AWS::SNS::Topic"]);
    check_error("resources('AWS::No::Type').size()", "`AWS::No::Type` was not collected in 111122223333, us-east-1");
    check_error(
        "resources_everywhere('AWS::SQS::Queue').size()",
        "`AWS::SQS::Queue` was not collected in 111122223333, eu-west-1",
    );
    check_unread(
        "related('AWS::Lambda::Function').size() == 0",
        &["AWS::Lambda::Function(f).Relations.AWS::S3::Bucket"],
    );
    check_unread(
        "resources('AWS::CloudTrail::Trail').exists(trail, trail.Attributes.X == 1) || Attributes.X == 1",
        &["Attributes.X"],
    );
}

#[test]
fn functions_do_as_documented() {
    check("age_days(Properties.Since)", json!(1));
    check("days_until('2026-01-01T12:00:00+09:00')", json!(0));
    check("days_until('2025-12-31T23:59:59Z')", json!(-1));
    check("days_until('2026-02-01')", json!(31));
    check("age_days('2025-12-31T00:00:00.000+0000')", json!(1));
    check("now", json!(NOW));
    check("json(Properties.Text).a", json!([1, 2]));
    check("json(Properties.Deep).A.B", json!(1));
    check("split('a,b', ',')", json!(["a", "b"]));
    check("join(Properties.Names, '-') + join([1], '')", json!("a-b1"));
    check("lower('ÀB')", json!("àb"));
    check("contains_any(Properties.Names, ['z', 'b']) && !contains_all(Properties.Names, ['z', 'b'])", json!(true));
    check("'python3.8' in table('runtimes') && table('runtimes')['python3.8'].deprecated < '2025'", json!(true));
    check("'ab'.startsWith('a') && 'ab'.endsWith('b') && 'ab'.contains('b') && 'ab'.matches('^a.$')", json!(true));
    check("matches('ab', 'b') && Name.matches(lower('A B'))", json!(true));
    check("policy.echo(Properties.Names, Properties.No)", json!([["a", "b"], null]));
    check("[Type, Id, Region, Account, Arn]", json!(["AWS::S3::Bucket", "example", "us-east-1", "111122223333", null]));
    check_error("policy.fail()", "`policy.fail()`: malformed");
    check_error("age_days('yesterday')", "`yesterday` is not an ISO 8601 time (`2024-01-31T12:00:00Z`)");
    check_error("table('no')", "there is no table `no`");
    let not_json = evaluate("json(Properties.Status)").unwrap_err();
    assert!(matches!(not_json.as_slice(), [Missing::Evaluation { error }] if error.contains("is not JSON")));
}

#[test]
fn a_broken_expression_says_where_and_what() {
    let check = |source: &str, offset: usize, message: &str| {
        let error = compile(source, &library()).unwrap_err();
        assert_eq!((error.offset, error.message.as_str()), (offset, message), "{source}");
    };
    check("Properties.A == == 1", 16, "syntax error: extraneous input `==`");
    check("1 == propertes.A", 5, &format!("unknown name `propertes`, {EXPECTED_NAMES}"));
    check("true && polcy.public(1)", 8, "unknown function `polcy.public`");
    check("true && policy.public(1)", 8, "unknown function `policy.public`");
    check("policy.echo()", 0, "`policy.echo` takes 1 to 2 arguments, not 0");
    check("size(1, 2)", 4, "`size` takes 1 arguments, not 2");
    check("resources(Id)", 10, "`resources` needs a type written out, in quotes");
    check("resources('Bucket')", 10, "`Bucket` is not a resource type such as `AWS::S3::Bucket`");
    check("Id.lower()", 8, "`lower` is written `lower(…)`, not after a dot");
    check("startsWith(Id, 'a')", 10, "`startsWith` is written `text.startsWith(…)`");
    check("Id.matches('(')", 11, "`(` is not a pattern: unclosed group");
    check("[1].all(1, true)", 8, "`all` needs a variable's name first: `list.all(x, …)`");
    check("has(Id)", 4, "`has` needs a path such as `has(Properties.X)`");
    let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    assert!(compile(&deep, &library()).is_err());
    let wide = format!("Id.matches('{}')", "(a{1000}){1000}");
    assert!(compile(&wide, &library()).is_err());
}

const EXPECTED_NAMES: &str = "expected Properties, Attributes, Tags, Type, Id, Arn, Name, Region, Account, now or a \
                              variable of all, exists, filter or map";

#[test]
fn an_endless_evaluation_ends() {
    let list = format!("[{}]", vec!["1"; 200].join(","));
    let source = format!("{list}.all(a, {list}.all(b, {list}.all(c, {list}.all(d, true))))");
    check_error(&source, "the evaluation took more than 5000000 steps");
}

fn evidence(source: &str) -> Vec<(String, Value)> {
    let subject = subject();
    let tables = Tables::default();
    let inventory = inventory(subject.clone());
    let world = World::new(&inventory, &tables, DateTime::from_timestamp(NOW, 0).unwrap());
    let arena = Arena::new();
    let expr = compile(source, &library()).unwrap();
    let mut evaluation = Evaluation::new(&world, &subject, &arena);
    let _ = evaluation.eval(&expr);
    evaluation.evidence.take(&subject)
}

#[test]
fn the_evidence_is_what_decided() {
    let check = |source: &str, expected: &[(&str, Value)]| {
        let expected: Vec<(String, Value)> =
            expected.iter().map(|(path, value)| ((*path).to_owned(), value.clone())).collect();
        assert_eq!(evidence(source), expected, "{source}");
    };
    let rules = subject().properties["Rules"].clone();
    check(
        "Properties.Status == 'On' || Properties.Deep.No",
        &[("Properties.Status", json!("Enabled")), ("Properties.Deep.No", json!(null))],
    );
    check(
        "Properties.Rules.exists(rule, rule.Port == 443)",
        &[("Properties.Rules", rules.clone()), ("Properties.Rules[1].Port", json!(443))],
    );
    check("Properties.Rules.all(rule, rule.Port != 1)", &[("Properties.Rules", rules)]);
    check(
        "resources('AWS::CloudTrail::Trail').exists(trail, trail.Properties.IsLogging)",
        &[
            ("resources('AWS::CloudTrail::Trail')", json!(["here"])),
            ("AWS::CloudTrail::Trail(here).Properties.IsLogging", json!(true)),
        ],
    );
    check(
        "policy.echo(Properties.Names) == []",
        &[("Properties.Names", json!(["a", "b"])), ("policy.echo(Properties.Names)", json!([["a", "b"]]))],
    );
}

#[test]
fn source_text_is_kept_in_meaning() {
    for source in [
        "(Properties.A || Properties.B) && !(Properties.C == 1)",
        "Properties.A.all(x, x.y in ['a', 'b'] && x['z'][0] != null)",
        "related(Properties.A[0], 'AWS::S3::Bucket').size() + 1 * (2 - 3) > -4",
        "has(Properties.A.B) ? {'k': 'it\\'s'} : [1.5]",
        "Properties.A.map(x, x.B, policy.echo(x, resources('AWS::S3::Bucket')))",
    ] {
        let once = compile(source, &library()).unwrap().to_string();
        let twice = compile(&once, &library()).unwrap().to_string();
        assert_eq!(once, twice);
    }
}
