//! Rule files from text to verdict.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "the helpers of a test may stop it")]
#![expect(clippy::needless_pass_by_value, reason = "`json!` in the call reads best without a borrow")]

use std::num::NonZeroUsize;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use yagura_model::{Cause, CouldNotLook, Inventory, Missing, Resource, Seen, Status, Unread, Verdict};
use yagura_rules::{Engine, Library, Problem, RuleSet, StepOutcome, test_rules};

const ID: &str = "0b8f2c1e-5d0a-4c7e-9a41-3f6b1f0d2a77";

/// A control file with the lines that matter; the rest is filled in.
fn control(lines: &str) -> String {
    let mut text = String::new();
    let given = |key: &str| lines.lines().any(|line| line.starts_with(&format!("{key}:")));
    let mut fill = |key: &str, value: &str| {
        if !given(key) {
            text.extend([key, ": ", value, "\n"]);
        }
    };
    fill("title", "Buckets are good");
    fill("id", ID);
    fill("level", "medium");
    fill("subject", "AWS::S3::Bucket");
    fill("why", "Because.");
    fill("fix", "Make it good.");
    fill("ja", "{ title: 良いバケット, why: 理由, fix: 対処 }");
    fill(
        "tests",
        "[{ name: good, expect: pass, given: { Good: true } }, { name: bad, expect: fail, given: { Good: false } }]",
    );
    if !given("guard") && !given("cel") {
        text.push_str("cel: or(Properties.Good, false)\n");
    }
    text + lines
}

fn load(files: &[(&str, String)]) -> (RuleSet, Vec<String>) {
    let mut library = Library::default();
    library.register("policy.public", 1..=1, |arguments, _| Ok(json!(arguments[0] == "open"))).unwrap();
    let files = files.iter().map(|(name, text)| (format!("controls/{name}.yml"), text.clone()));
    let tables = [("tables/runtimes.yml".to_owned(), "python3.8: { deprecated: 2024-10-14 }".to_owned())];
    let (rules, errors) = RuleSet::load_files(tables.into_iter().chain(files), &library);
    (rules, errors.iter().map(ToString::to_string).collect())
}

fn engine(files: &[(&str, &str)]) -> Engine {
    let files: Vec<(&str, String)> = files.iter().map(|(name, lines)| (*name, control(lines))).collect();
    let (rules, errors) = load(&files);
    assert_eq!(errors, Vec::<String>::new());
    Engine::new(rules)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600, 0).unwrap()
}

fn bucket(id: &str, properties: Value) -> Resource {
    serde_json::from_value(json!({
        "type": "AWS::S3::Bucket", "account": "111122223333", "region": "us-east-1", "id": id, "properties": properties,
    }))
    .unwrap()
}

fn denied() -> CouldNotLook {
    CouldNotLook {
        service: "s3".to_owned(),
        operation: "GetBucketPolicy".to_owned(),
        cause: Cause::Denied,
        error: "AccessDenied".to_owned(),
        action: Some("s3:GetBucketPolicy".to_owned()),
    }
}

#[track_caller]
fn check_error(lines: &str, expected: &str) {
    let (rules, errors) = load(&[("s3/good", control(lines))]);
    assert_eq!(errors, [expected]);
    assert!(rules.controls().is_empty());
}

#[test]
fn what_is_wrong_with_a_file_is_said_exactly() {
    check_error(
        "minuets: 5\n",
        "controls/s3/good.yml:10:1: unknown field `minuets`, expected one of title, id, level, aws, subject, why, fix, command, minutes, ja, when, cel, guard, tests",
    );
    check_error(
        "level: medum\n",
        "controls/s3/good.yml:9:8: `medum` is not a level (informational, low, medium, high or critical)",
    );
    check_error("minutes: five\n", "controls/s3/good.yml:10:10: invalid u32");
    check_error("ja: { title: 良い, fix: 対処 }\n", "controls/s3/good.yml:9:18: missing field `why`");
    check_error("ja: { title: good, why: 理由, fix: 対処 }\n", "controls/s3/good.yml:9:14: the text is not Japanese");
    check_error("id: 12\n", "controls/s3/good.yml:9:5: `12` is not a UUID");
    check_error(
        "subject: Bucket\n",
        "controls/s3/good.yml:9:10: `Bucket` is not a resource type such as `AWS::S3::Bucket`",
    );
    check_error(
        "command: aws {Bucket}\n",
        "controls/s3/good.yml:10:10: unknown place `{Bucket}`, expected {Id}, {Arn}, {Name}, {Region}, {Account} or {Properties.X}",
    );
    check_error(
        "cel: Properties.Good\nguard: Properties.Good == true\n",
        "controls/s3/good.yml:10:8: expected either `cel` or `guard`, not both",
    );
    check_error("guard: Properties.Good ==\n", "controls/s3/good.yml:10:1: unexpected end in the Guard rules");
    check_error(
        "when: Propertes.Good\n",
        "controls/s3/good.yml:10:7: unknown name `Propertes`, expected Properties, Attributes, Tags, Type, Id, Arn, Name, Region, Account, now or a variable of all, exists, filter or map in `Propertes.Good`",
    );
    check_error(
        "cel: |\n  Properties.Good &&\n    polcy.public(Properties.Policy)\n",
        "controls/s3/good.yml:11:5: unknown function `polcy.public` in `Properties.Good && polcy.public(Properties.Policy)`",
    );
    check_error("cel: Id in table('runtime')\n", "controls/s3/good.yml:9:6: there is no table `runtime` in `tables/`");
    check_error(
        "tests: [{ name: a, expect: pass, given: {} }]\n",
        "controls/s3/good.yml:9:8: expected a test with `expect: fail`",
    );
    check_error(
        "tests: [{ name: a, expect: passs, given: {} }]\n",
        "controls/s3/good.yml:9:28: unknown variant `passs`, expected one of pass, fail, unknown, not_applicable",
    );
    check_error(
        "tests:\n  - { name: a, expect: pass, given: {} }\n  - { name: a, expect: fail, given: {} }\n",
        "controls/s3/good.yml:11:5: another test is called `a` too",
    );
    check_error(
        "tests:\n  - { name: a, expect: pass, given: {}, type: 'AWS::SQS::Queue' }\n",
        "controls/s3/good.yml:10:5: `AWS::SQS::Queue` is not a subject of the control",
    );
    check_error("title: [a]\n", "controls/s3/good.yml:9:8: expected string scalar");
    check_error("title: a\ntitle: b\n", "controls/s3/good.yml:10:1: duplicate mapping key: title");
}

#[test]
fn a_broken_rule_leaves_the_others() {
    let other = control(&format!("aws: [S3.14]\nid: 1{}\n", &ID[1..]));
    let (rules, errors) = load(&[
        ("s3/a", control("aws: [S3.14]\n")),
        ("s3/b", control("aws: [S3.15]\n")),
        ("s3/c", other),
        ("s3/D", control(&format!("id: 2{}\n", &ID[1..]))),
        ("s3/e", control(&format!("id: 3{}\n", &ID[1..]))),
    ]);
    assert_eq!(
        errors,
        [
            "controls/s3/D.yml:1:1: the path is `s3/D`, expected `service/good-state` in lower case with hyphens",
            "controls/s3/b.yml:2:5: the id is that of `controls/s3/a.yml` too",
            "controls/s3/c.yml:9:7: `S3.14` is claimed by `controls/s3/a.yml` too",
        ]
    );
    let names: Vec<&str> = rules.controls().iter().map(|control| control.name.as_str()).collect();
    assert_eq!(names, ["s3/a", "s3/e"]);
}

#[test]
fn several_rules_may_stand_for_one_rule_of_config() {
    let (rules, errors) = load(&[
        ("s3/a", control("aws: [IAM_USER_UNUSED_CREDENTIALS_CHECK, IAM.8]\n")),
        ("s3/b", control(&format!("aws: [IAM_USER_UNUSED_CREDENTIALS_CHECK, IAM.22]\nid: 1{}\n", &ID[1..]))),
        ("s3/c", control(&format!("aws: [A_B, A_B]\nid: 2{}\n", &ID[1..]))),
    ]);
    assert_eq!(errors, ["controls/s3/c.yml:9:12: `A_B` is claimed by `controls/s3/c.yml` too"]);
    assert_eq!(rules.controls().len(), 2);
}

#[test]
fn an_arn_or_a_name_that_was_not_read_is_unknown() {
    let mut lost = bucket("b", json!({}));
    lost.unread = vec![Unread { paths: vec!["Arn".to_owned(), "Name".to_owned()], cause: denied() }];
    for (cel, what) in [
        ("Arn != 'x'", "Arn"),
        ("Name == null", "Name"),
        ("!has(Properties.X) && Name != 'prod'", "Name"),
        ("resources('AWS::S3::Bucket').all(other, other.Arn != 'x')", "Arn"),
        ("related('AWS::S3::Bucket').size() == 0", "Arn"),
    ] {
        let engine = engine(&[("s3/good", &format!("cel: \"{cel}\"\n"))]);
        let mut inventory = Inventory::default();
        inventory.add(Seen::Resource(Box::new(lost.clone())));
        let (kind, account, region) = (lost.kind.clone(), lost.account.clone(), lost.region.clone());
        inventory.add(Seen::Listed { kind, account, region });
        let subject = &inventory.resources()[0];
        let verdict = engine.judge(&engine.rules().controls()[0], subject, &inventory, now());
        assert_eq!(verdict.status, Status::Unknown, "{cel}");
        assert!(matches!(&verdict.missing[..], [Missing::Unread { what: found, .. }] if found == what), "{verdict:?}");
    }
    // What does not ask is judged.
    assert_eq!(judge("cel: Id == 'b'\n", &lost).status, Status::Pass);
}

fn judge(lines: &str, resource: &Resource) -> Verdict {
    let engine = engine(&[("s3/good", lines)]);
    let mut inventory = Inventory::default();
    inventory.add(Seen::Resource(Box::new(resource.clone())));
    let control = &engine.rules().controls()[0];
    engine.judge(control, resource, &inventory, now())
}

#[test]
fn a_verdict_says_what_was_read_and_what_was_missing() {
    let mut resource = bucket("b", json!({ "Good": true }));
    let verdict = judge("", &resource);
    assert_eq!(verdict.status, Status::Pass);
    assert_eq!(verdict.evidence, [("Properties.Good".to_owned(), json!(true))]);

    assert_eq!(judge("when: has(Properties.Other)\n", &resource).status, Status::NotApplicable);

    resource.unread = vec![Unread { paths: vec!["Properties.Policy".to_owned()], cause: denied() }];
    let verdict = judge("cel: Properties.Good && !policy.public(Properties.Policy)\n", &resource);
    assert_eq!(verdict.status, Status::Unknown);
    assert_eq!(verdict.missing, [Missing::Unread { what: "Properties.Policy".to_owned(), cause: denied() }]);
    assert_eq!(judge("when: has(Properties.Policy)\n", &resource).status, Status::Unknown);
    assert_eq!(judge("cel: Properties.Good || policy.public(Properties.Policy)\n", &resource).status, Status::Pass);
    assert_eq!(judge("cel: Properties.Policy == 1 && !Properties.Good\n", &resource).status, Status::Fail);
}

#[test]
fn guard_judges_by_keys_and_by_types() {
    let clause = "guard: Properties.Good == true\n";
    let file = "guard: |\n  rule good when Resources.*[ Type == 'AWS::S3::Bucket' ] !empty {\n    AWS::S3::Bucket { Properties.Good == true }\n  }\n";
    let elsewhere = "guard: |\n  rule good when Resources.*[ Type == 'AWS::SQS::Queue' ] !empty { Resources.x exists }\ntests: [{ name: a, expect: pass, given: {} }, { name: b, expect: fail, given: {} }]\n";
    for lines in [clause, file] {
        assert_eq!(judge(lines, &bucket("b", json!({ "Good": true }))).status, Status::Pass, "{lines}");
        assert_eq!(judge(lines, &bucket("b", json!({ "Good": false }))).status, Status::Fail, "{lines}");
        assert_eq!(judge(lines, &bucket("b", json!({}))).status, Status::Fail, "{lines}");
        let mut unread = bucket("b", json!({ "Good": true }));
        unread.unread = vec![Unread { paths: vec!["Properties.Good".to_owned()], cause: denied() }];
        assert_eq!(judge(lines, &unread).status, Status::Unknown, "{lines}");
        unread.unread = vec![Unread { paths: vec!["Properties.Other".to_owned()], cause: denied() }];
        assert_eq!(judge(lines, &unread).status, Status::Pass, "{lines}");
        unread.unread = vec![Unread { paths: vec!["Properties".to_owned()], cause: denied() }];
        assert_eq!(judge(lines, &unread).status, Status::Unknown, "{lines}");
    }
    assert_eq!(judge(elsewhere, &bucket("b", json!({}))).status, Status::NotApplicable);
    let mut unread = bucket("b", json!({}));
    unread.unread = vec![Unread { paths: vec!["Properties.Other".to_owned()], cause: denied() }];
    assert_eq!(judge("guard: Properties.*.Good == true\n", &unread).status, Status::Unknown);
}

#[test]
fn judging_all_is_the_same_for_any_number_of_threads() {
    let second = format!("id: 1{}\ncel: Id != 'bucket-7'\n", &ID[1..]);
    let other = format!("id: 2{}\nsubject: AWS::SQS::Queue\n", &ID[1..]);
    let engine = engine(&[("s3/b", ""), ("s3/a", &second), ("sqs/c", &other)]);
    let mut inventory = Inventory::default();
    for number in 0..500 {
        let good = bucket(&format!("bucket-{number}"), json!({ "Good": number % 3 == 0 }));
        inventory.add(Seen::Resource(Box::new(good)));
    }
    for region in ["us-east-1", "eu-west-1"] {
        inventory.add(Seen::Unlisted {
            kind: "AWS::SQS::Queue".into(),
            account: "111122223333".into(),
            region: region.into(),
            cause: denied(),
        });
    }
    let all = |threads: usize| engine.judge_all(&inventory, now(), NonZeroUsize::new(threads).unwrap(), |_| true);
    let one = all(1);
    assert_eq!(one.len(), 1002);
    assert!(one == all(2) && one == all(5));
    assert_eq!((one[0].rule.as_str(), one[1].rule.as_str()), ("s3/a", "s3/b"));
    assert_eq!(one.iter().filter(|verdict| verdict.status == Status::Fail).count(), 333 + 1);
    let unlisted: Vec<(&str, &str, Status)> = one[1000..]
        .iter()
        .map(|verdict| (verdict.subject.id.as_str(), verdict.subject.region.as_str(), verdict.status))
        .collect();
    assert_eq!(unlisted, [("*", "eu-west-1", Status::Unknown), ("*", "us-east-1", Status::Unknown)]);
    let filtered = engine.judge_all(&inventory, now(), NonZeroUsize::MIN, |control| control.name.as_str() == "s3/a");
    assert_eq!(filtered.len(), 500);
}

fn problems(lines: &str) -> Vec<String> {
    test_rules(&engine(&[("s3/good", lines)]))
        .failures
        .iter()
        .map(|failure| match &failure.problem {
            Problem::Unexpected { .. } => failure.to_string(),
            Problem::PassesUnread { what } => format!("{}: {what}", failure.case),
        })
        .collect()
}

#[test]
fn a_test_that_fails_says_why() {
    assert_eq!(problems(""), Vec::<String>::new());
    assert_eq!(
        problems(
            "tests:\n  - { name: a, expect: pass, given: { Good: false } }\n  - { name: b, expect: fail, given: { Good: 1 } }\n"
        ),
        [
            "controls/s3/good.yml:10: test `a`: expected pass, found fail\n    Properties.Good = false",
            "controls/s3/good.yml:11: test `b`: expected fail, found unknown\n    `or(Properties.Good, false)` is a number, where true or false is needed\n    Properties.Good = 1",
        ]
    );
}

#[test]
fn tests_see_others_lists_times_and_what_is_unread() {
    let lines = "\
cel: |
  resources('AWS::CloudTrail::Trail').exists(trail, trail.Properties.Bucket == Id && age_days(trail.Attributes.Since) > 10)
  && related('AWS::KMS::Key').all(key, key.Tags.Team == Tags.Team) && Region == 'eu-west-1'
tests:
  - name: good
    expect: pass
    region: eu-west-1
    now: 2026-02-01T00:00:00Z
    given: {}
    tags: { Team: a }
    relations: [{ type: 'AWS::KMS::Key', id: k }]
    others:
      - { type: 'AWS::CloudTrail::Trail', given: { Bucket: example }, attributes: { Since: '2026-01-01' } }
      - { type: 'AWS::KMS::Key', id: k, tags: { Team: a } }
  - { name: none, expect: fail, given: {} }
  - { name: unlisted, expect: unknown, region: eu-west-1, given: {}, unlisted: ['AWS::CloudTrail::Trail'] }
  - name: unread
    expect: unknown
    region: eu-west-1
    given: {}
    others: [{ type: 'AWS::CloudTrail::Trail', unread: [Properties.Bucket] }]
";
    assert_eq!(problems(lines), Vec::<String>::new());
}

#[test]
fn every_read_of_a_passing_test_is_tried_unread() {
    // Enough that the automatic tests run: two paths of two keys and a type.
    let report = test_rules(&engine(&[(
        "s3/good",
        "cel: Properties.A.B == 1 && resources('AWS::SQS::Queue').all(queue, queue.Properties.C == 1)\n\
         tests:\n  - { name: a, expect: pass, given: { A: { B: 1 } }, others: [{ type: 'AWS::SQS::Queue', given: { C: 1 } }] }\n  - { name: b, expect: fail, given: {} }\n",
    )]));
    assert_eq!((report.run, report.failures), (2 + 2 + 1 + 1, Vec::new()));
    // What decides without the unread value stays a pass.
    assert_eq!(
        problems(
            "cel: Properties.Good || Properties.Bad == null\ntests:\n  - { name: a, expect: pass, given: { Good: true } }\n  - { name: b, expect: fail, given: { Good: false, Bad: 1 } }\n"
        ),
        Vec::<String>::new()
    );
}

#[test]
fn an_explanation_shows_each_part() {
    let engine =
        engine(&[("s3/good", "cel: Properties.Rules.all(rule, rule.Port != 22) && Properties.Policy == null\n")]);
    let mut resource = bucket("b", json!({ "Rules": [{ "Port": 80 }, { "Port": 22 }] }));
    resource.unread = vec![Unread { paths: vec!["Properties.Policy".to_owned()], cause: denied() }];
    let inventory = Inventory::default();
    let explained = engine.explain(&engine.rules().controls()[0], &resource, &inventory, now());
    assert_eq!(explained.verdict.status, Status::Fail);
    let logic = explained.logic.unwrap();
    assert_eq!(logic.outcome, StepOutcome::Value(json!(false)));
    let [rules, policy] = logic.steps.as_slice() else { panic!("{logic:#?}") };
    assert_eq!(rules.source, "Properties.Rules.all(rule, rule.Port != 22)");
    assert_eq!(rules.steps[1].source, "rule = {\"Port\":22}");
    assert_eq!(rules.steps[1].outcome, StepOutcome::Value(json!(false)));
    assert_eq!(rules.steps[1].steps[0].steps[0].source, "rule.Port");
    assert!(matches!(policy.outcome, StepOutcome::Missing(_)));
}

#[test]
fn what_a_control_reads_is_known_from_its_text() {
    let engine = engine(&[(
        "s3/good",
        "when: has(Properties.Lock)\ncel: Properties.Rules.all(rule, rule.Port != 22) && related('AWS::KMS::Key').exists(key, or(key.Attributes.On, false)) && policy.public(Properties.P.Q) && Id in table('runtimes')\n",
    )]);
    let reads = engine.rules().controls()[0].reads();
    let texts = |list: &std::collections::BTreeSet<String>| list.iter().cloned().collect::<Vec<_>>();
    assert_eq!(
        texts(&reads.paths),
        ["Properties.Lock", "Properties.P.Q", "Properties.Rules", "Properties.Rules[].Port"]
    );
    assert_eq!(texts(&reads.functions), ["or", "policy.public", "related", "table"]);
    assert_eq!(texts(&reads.tables), ["runtimes"]);
    assert_eq!(reads.types.iter().map(yagura_model::ResourceType::as_str).collect::<Vec<_>>(), ["AWS::KMS::Key"]);
    assert_eq!(reads.others.iter().map(|(_, path)| path.as_str()).collect::<Vec<_>>(), ["Attributes.On"]);
}
