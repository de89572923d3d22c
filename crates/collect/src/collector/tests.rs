use std::collections::BTreeMap;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, join, ready};
use serde_json::{Value, json};
use yagura_model::{Cause, CouldNotLook, Resource};

use super::*;

/// Answers by `region service:operation input`, the first that the question contains; everything else is denied.
struct Recorded {
    answers: Vec<(&'static str, Result<Vec<Value>, &'static str>)>,
    asked: Mutex<Vec<String>>,
}

impl Recorded {
    fn new(answers: Vec<(&'static str, Result<Vec<Value>, &'static str>)>) -> Self {
        Self { answers, asked: Mutex::default() }
    }

    fn find(&self, call: Call<'_>) -> Result<Vec<Value>, Failure> {
        let question = format!("{} {}:{} {}", call.region, call.service, call.operation, call.input);
        self.asked.lock().unwrap().push(question.clone());
        let found = self.answers.iter().find(|(part, _)| question.contains(part));
        let error = |code: &str| Failure {
            look: Box::new(CouldNotLook {
                service: call.service.to_owned(),
                operation: call.operation.to_owned(),
                cause: if code.contains("Denied") { Cause::Denied } else { Cause::Failed },
                error: code.to_owned(),
                action: None,
            }),
            code: code.to_owned(),
            message: String::new(),
        };
        match found {
            Some((_, Ok(pages))) => Ok(pages.clone()),
            Some((_, Err(code))) => Err(error(code)),
            None => Err(error("AccessDenied")),
        }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().unwrap().clone();
        asked.sort();
        asked
    }
}

impl Api for Recorded {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(ready(self.find(call).map(|pages| pages[0].clone())))
    }

    fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
        Box::pin(async move {
            // Others get their turn, as with a network.
            tokio::task::yield_now().await;
            match self.find(call) {
                Ok(pages) => Pages { pages, failure: None },
                Err(failure) => Pages { pages: Vec::new(), failure: Some(failure) },
            }
        })
    }

    fn iam_action(&self, service: &str, operation: &str) -> Option<String> {
        Some(format!("{service}:{operation}"))
    }
}

#[derive(Default)]
struct Waits(Mutex<u32>);

impl Clock for Waits {
    fn now(&self) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH
    }

    fn wait(&self, _: std::time::Duration) -> BoxFuture<'_, ()> {
        *self.0.lock().unwrap() += 1;
        Box::pin(ready(()))
    }
}

fn types(files: &[(&str, &str)]) -> Arc<ResourceTypes> {
    let (types, errors) = ResourceTypes::load_files(files.iter().copied());
    assert_eq!(errors, []);
    Arc::new(types)
}

fn scope(regions: &[&str]) -> Scope {
    Scope {
        account: "111122223333".into(),
        partition: "aws".into(),
        regions: regions.iter().map(|region| Region::from(*region)).collect(),
        disabled_regions: Vec::new(),
        types: None,
    }
}

async fn collect(types: &Arc<ResourceTypes>, scope: &Scope, api: &Recorded) -> Vec<Seen> {
    let (sink, mut observations) = mpsc::channel::<Observation>(2);
    let collector = Collector::new(types.clone());
    let taken = async {
        let mut seen = Vec::new();
        while let Some(observation) = observations.recv().await {
            seen.push(observation.seen);
        }
        seen
    };
    let clock = Waits::default();
    let (ended, seen) = join(collector.run(scope, api, &clock, sink), taken).await;
    ended.unwrap();
    let progress = collector.progress();
    assert_eq!(progress.types_done(), progress.types_total());
    assert_eq!(progress.resources(), seen.iter().filter(|seen| matches!(seen, Seen::Resource(_))).count());
    seen
}

fn resources(seen: &[Seen]) -> Vec<&Resource> {
    let found = seen.iter().filter_map(|seen| match seen {
        Seen::Resource(resource) => Some(&**resource),
        _ => None,
    });
    found.collect()
}

/// What was said of the listings, as text.
fn listings(seen: &[Seen]) -> BTreeMap<String, String> {
    let said = seen.iter().filter_map(|seen| match seen {
        Seen::Listed { kind, region, .. } => Some((format!("{kind} {region}"), "listed".to_owned())),
        Seen::Unlisted { kind, region, cause, .. } => Some((format!("{kind} {region}"), cause.to_string())),
        _ => None,
    });
    said.collect()
}

const INSTANCE: &str = r#"
type: AWS::X::Instance
service: x
list: { operation: ListInstances, items: Instances }
details:
  - { into: key, operation: GetKey, input: { KeyId: "{item.KeyId}" }, when: item.KeyId }
  - { into: settings, operation: GetSettings }
id: "{item.Id}"
properties: { Id: item.Id, Rotation: key.Rotation, Settings: settings.Mode }
"#;

const VOLUME: &str = r#"
type: AWS::X::Volume
service: x
list: { operation: ListVolumes, items: Volumes }
details:
  - { into: key, operation: GetKey, input: { KeyId: "{item.KeyId}" } }
  - { into: settings, operation: GetSettings }
id: "{item.Id}"
properties: { Rotation: key.Rotation }
"#;

#[tokio::test]
async fn the_same_call_is_made_once_whoever_asks() {
    let api = Recorded::new(vec![
        (
            "ListInstances",
            Ok(vec![
                json!({"Instances": [{"Id": "i-1", "KeyId": "k"}, {"Id": "i-2", "KeyId": "k"}]}),
                json!({"Instances": [{"Id": "i-3"}]}),
            ]),
        ),
        ("ListVolumes", Ok(vec![json!({"Volumes": [{"Id": "v-1", "KeyId": "k"}]})])),
        ("GetKey", Ok(vec![json!({"Rotation": true})])),
        ("GetSettings", Ok(vec![json!({"Mode": "on"})])),
    ]);
    let seen =
        collect(&types(&[("i", INSTANCE), ("v", VOLUME)]), &scope(&["us-east-1", "eu-west-1", "us-east-1"]), &api)
            .await;
    let of = |region: &str| api.asked().into_iter().filter(|question| question.starts_with(region)).collect::<Vec<_>>();
    assert_eq!(
        of("eu-west-1"),
        [
            "eu-west-1 x:GetKey {\"KeyId\":\"k\"}",
            "eu-west-1 x:GetSettings {}",
            "eu-west-1 x:ListInstances {}",
            "eu-west-1 x:ListVolumes {}",
        ]
    );
    assert_eq!(of("us-east-1").len(), 4);
    let resources = resources(&seen);
    assert_eq!(resources.len(), 8);
    let third = resources.iter().find(|resource| resource.id == "i-3").unwrap();
    assert_eq!(Value::Object(third.properties.clone()), json!({"Id": "i-3", "Settings": "on"}));
    assert!(third.unread.is_empty());
}

#[tokio::test]
async fn an_answer_is_dropped_when_nobody_can_ask_for_it_again() {
    let types = types(&[("i", INSTANCE), ("v", VOLUME)]);
    let api = Recorded::new(vec![("", Ok(vec![json!({"Mode": 1})]))]);
    let progress = Progress::default();
    let clock = Waits::default();
    let readings: Vec<_> = types.iter().map(|definition| (&**definition, "r")).collect();
    let calls = Calls::new(&api, &clock, &progress, readings.iter().copied());
    let call = Call { service: "x", region: "r", operation: "GetSettings", input: &json!({}) };
    for _ in 0..3 {
        calls.pages(calls::Ask { call, place: "r", once_an_item: false }).await;
    }
    assert_eq!((api.asked().len(), calls.kept()), (1, 1));
    calls.done(readings[0].0, "r");
    assert_eq!(calls.kept(), 1);
    calls.done(readings[1].0, "r");
    assert_eq!(calls.kept(), 0);
}

#[tokio::test]
async fn what_could_not_be_read_is_said_with_the_permission_that_would_allow_it() {
    let api = Recorded::new(vec![
        ("eu-west-1 x:ListInstances", Ok(vec![json!({"Instances": [{"Id": "i-1", "KeyId": "k"}, {"Id": null}]})])),
        ("us-east-1 x:ListInstances", Err("AccessDenied")),
        ("GetSettings", Ok(vec![json!({"Mode": "on"})])),
    ]);
    let seen = collect(&types(&[("i", INSTANCE)]), &scope(&["us-east-1", "eu-west-1"]), &api).await;
    let [resource] = resources(&seen)[..] else { panic!("one resource") };
    assert_eq!(resource.unread.len(), 1);
    assert_eq!(resource.unread[0].paths, ["Properties.Rotation"]);
    assert_eq!(resource.unread[0].cause.action.as_deref(), Some("x:GetKey"));
    assert_eq!(
        listings(&seen),
        BTreeMap::from([
            ("AWS::X::Instance eu-west-1".to_owned(), "x:ListInstances answered an item has no `id`".to_owned()),
            ("AWS::X::Instance us-east-1".to_owned(), "x:ListInstances answered AccessDenied".to_owned()),
        ])
    );
}

const PART: &str = r#"
type: AWS::X::Part
service: x
list:
  operation: ListParts
  for: AWS::X::Instance
  when: item.HasParts
  input: { Instance: "{parent.id}" }
  items: Parts
id: "{parent.id}/{item.Id}"
properties: { Rotation: parent.key.Rotation, Mode: parent.settings.Mode }
"#;

#[tokio::test]
async fn a_child_waits_for_its_parents_and_is_not_complete_without_them() {
    let api = Recorded::new(vec![
        (
            "eu-west-1 x:ListInstances",
            Ok(vec![json!({"Instances": [
                {"Id": "i-1", "KeyId": "k", "HasParts": true}, {"Id": "i-2"}, {"Id": "i-3", "HasParts": true}
            ]})]),
        ),
        ("us-east-1 x:ListInstances", Err("Throttling")),
        ("ListParts {\"Instance\":\"i-1\"}", Ok(vec![json!({"Parts": [{"Id": "a"}, {"Id": "a"}]})])),
        ("GetSettings", Ok(vec![json!({"Mode": "on"})])),
    ]);
    let mut scope = scope(&["us-east-1", "eu-west-1"]);
    scope.types = Some(["AWS::X::Part".into()].into());
    let seen = collect(&types(&[("i", INSTANCE), ("p", PART)]), &scope, &api).await;
    let resources = resources(&seen);
    let part = resources.iter().find(|resource| resource.kind.as_str() == "AWS::X::Part").unwrap();
    assert_eq!((part.id.as_str(), Value::Object(part.properties.clone())), ("i-1/a", json!({"Mode": "on"})));
    assert_eq!(part.unread[0].paths, ["Properties.Rotation"]);
    assert_eq!(resources.len(), 4, "the same part is given once");
    let listings = listings(&seen);
    assert_eq!(listings["AWS::X::Part us-east-1"], "x:ListInstances answered Throttling");
    assert_eq!(listings["AWS::X::Part eu-west-1"], "x:ListParts answered AccessDenied");
    assert_eq!(listings["AWS::X::Instance eu-west-1"], "listed");
    assert!(!api.asked().iter().any(|question| question.contains("i-2\"")), "{:?}", api.asked());
}

#[tokio::test]
async fn a_disabled_region_is_named_and_not_asked() {
    let api = Recorded::new(vec![("ListInstances", Ok(vec![json!({})]))]);
    let mut scope = scope(&["eu-west-1"]);
    scope.disabled_regions = vec!["af-south-1".into()];
    let seen = collect(&types(&[("i", INSTANCE)]), &scope, &api).await;
    assert!(
        seen.iter().any(|seen| matches!(seen, Seen::RegionDisabled { region, .. } if region.as_str() == "af-south-1"))
    );
    assert_eq!(api.asked(), ["eu-west-1 x:ListInstances {}"]);
    assert_eq!(listings(&seen)["AWS::X::Instance eu-west-1"], "listed");
}

#[tokio::test]
async fn a_run_ends_when_nobody_listens() {
    let api = Recorded::new(vec![("ListInstances", Ok(vec![json!({"Instances": [{"Id": "i-1"}]})]))]);
    let (sink, observations) = mpsc::channel(1);
    drop(observations);
    let collector = Collector::new(types(&[("i", INSTANCE)]));
    let ended = collector.run(&scope(&["eu-west-1"]), &api, &Waits::default(), sink).await;
    assert_eq!(ended, Err(Stopped::NobodyListens));
}

#[tokio::test]
async fn pages_after_a_failure_do_not_make_a_listing_complete() {
    struct Torn;
    impl Api for Torn {
        fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
            Box::pin(ready(Err(Failure::own(call, Cause::Failed, "not asked here"))))
        }

        fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
            let pages = vec![json!({"Instances": [{"Id": "i-1"}]}), json!("torn")];
            Box::pin(ready(match call.operation {
                "ListInstances" => Pages { pages, failure: None },
                _ => Pages { pages, failure: Some(Failure::own(call, Cause::Throttled, "Throttling")) },
            }))
        }

        fn iam_action(&self, _: &str, _: &str) -> Option<String> {
            None
        }
    }
    let (sink, mut observations) = mpsc::channel(10);
    let collector = Collector::new(types(&[("i", INSTANCE)]));
    collector.run(&scope(&["eu-west-1"]), &Torn, &Waits::default(), sink).await.unwrap();
    let first = observations.recv().await.unwrap();
    assert!(matches!(&first.seen, Seen::Resource(resource) if resource.unread[0].cause.cause == Cause::Throttled));
    let last = observations.recv().await.unwrap();
    assert!(matches!(last.seen, Seen::Unlisted { cause, .. } if cause.cause == Cause::Malformed));
}

#[tokio::test]
async fn a_preparation_is_asked_for_until_it_is_done_and_once_for_all() {
    let text = r#"
type: AWS::X::User
service: x
scope: global
list: { operation: ListUsers, items: Users }
details:
  - { into: report, operation: GetReport, prepare: { operation: MakeReport, until: "State=='COMPLETE'" }, items: Rows, pick: { key: user, of: "{item.Id}" } }
id: "{item.Id}"
properties: { Active: report.active }
"#;
    let users = json!({"Users": [{"Id": "a"}, {"Id": "b"}, {"Id": "c"}]});
    let rows = json!({"Rows": [{"user": "b", "active": 1}, {"user": "a", "active": 2}]});
    let api = Recorded::new(vec![
        ("ListUsers", Ok(vec![users.clone()])),
        ("MakeReport", Ok(vec![json!({"State": "COMPLETE"})])),
        ("GetReport", Ok(vec![rows.clone()])),
    ]);
    let types = types(&[("u", text)]);
    let seen = collect(&types, &scope(&[]), &api).await;
    let active: Vec<_> = resources(&seen).iter().map(|user| user.properties.get("Active").cloned()).collect();
    assert_eq!(active, [Some(json!(2)), Some(json!(1)), None]);
    assert_eq!(api.asked().len(), 3);
    let api = Recorded::new(vec![
        ("ListUsers", Ok(vec![users])),
        ("MakeReport", Ok(vec![json!({"State": "STARTED"})])),
        ("GetReport", Ok(vec![rows])),
    ]);
    let seen = collect(&types, &scope(&[]), &api).await;
    assert!(resources(&seen).iter().all(|user| user.unread[0].cause.error == "not ready after 20 times"));
    assert_eq!(api.asked().len(), 21);
}

#[tokio::test]
async fn discovery_falls_back_on_the_account_service() {
    let identity = json!({"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/alice", "UserId": "A"});
    let regions = json!({"Regions": [
        {"RegionName": "us-east-1", "RegionOptStatus": "ENABLED_BY_DEFAULT"}, {"RegionName": "af-south-1", "RegionOptStatus": "DISABLED"}
    ]});
    let api = Recorded::new(vec![
        ("sts:GetCallerIdentity", Ok(vec![identity.clone()])),
        ("account:ListRegions", Ok(vec![regions])),
    ]);
    let found = discover(&api, &"us-east-1".into()).await.unwrap();
    assert_eq!((found.account.as_str(), found.partition.as_str()), ("111122223333", "aws"));
    assert_eq!((found.regions, found.disabled_regions), (vec!["us-east-1".into()], vec!["af-south-1".into()]));
    let api = Recorded::new(vec![("sts:GetCallerIdentity", Ok(vec![identity]))]);
    let Err(Undiscovered::Regions { ec2, .. }) = discover(&api, &"us-east-1".into()).await else { panic!("regions") };
    assert_eq!(ec2.action.as_deref(), Some("ec2:DescribeRegions"));
    assert!(matches!(discover(&Recorded::new(vec![]), &"us-east-1".into()).await, Err(Undiscovered::Caller(_))));
}

#[tokio::test]
async fn what_types_ask_together_is_asked_once_for_all_of_them() {
    let file = |kind: &str, filter: &str| {
        format!(
            r#"
type: AWS::X::{kind}
service: x
list: {{ operation: List{kind}, items: Items }}
details:
  - into: tags
    service: t
    operation: GetTags
    input: {{ Kinds: ["{filter}"], Page: 1 }}
    items: Tagged
    pick: {{ key: Arn, of: "{{item.Arn}}", together: Kinds }}
id: "{{item.Arn}}"
properties: {{ Team: tags.Team }}
"#
        )
    };
    let (one, two) = (file("One", "x:one"), file("Two", "x:two"));
    let api = Recorded::new(vec![
        ("ListOne", Ok(vec![json!({"Items": [{"Arn": "1"}]})])),
        ("ListTwo", Ok(vec![json!({"Items": [{"Arn": "2"}]})])),
        ("GetTags", Ok(vec![json!({"Tagged": [{"Arn": "2", "Team": "b"}, {"Arn": "1", "Team": "a"}]})])),
    ]);
    let seen = collect(&types(&[("one", &one), ("two", &two)]), &scope(&["us-east-1"]), &api).await;
    let teams: BTreeMap<String, Value> =
        resources(&seen).iter().map(|resource| (resource.id.clone(), resource.properties["Team"].clone())).collect();
    assert_eq!(teams, BTreeMap::from([("1".to_owned(), json!("a")), ("2".to_owned(), json!("b"))]));
    let asked: Vec<String> = api.asked().into_iter().filter(|question| question.contains("GetTags")).collect();
    assert_eq!(asked, ["us-east-1 t:GetTags {\"Kinds\":[\"x:one\",\"x:two\"],\"Page\":1}"]);
}

#[tokio::test]
async fn one_of_each_is_described_where_only_the_calls_matter() {
    let api = Recorded::new(vec![
        ("ListInstances", Ok(vec![json!({"Instances": [{"Id": "i-1", "KeyId": "a"}, {"Id": "i-2", "KeyId": "b"}]})])),
        ("GetKey", Ok(vec![json!({"Rotation": true})])),
        ("GetSettings", Ok(vec![json!({"Mode": "on"})])),
    ]);
    let (sender, mut receiver) = mpsc::channel(100);
    let collector = Collector::new(types(&[("i", INSTANCE)])).one_of_each();
    let clock = Waits::default();
    let scope = scope(&["us-east-1"]);
    let (run, seen) = join(collector.run(&scope, &api, &clock, sender), async {
        let mut seen = Vec::new();
        while let Some(observation) = receiver.recv().await {
            seen.push(observation.seen);
        }
        seen
    })
    .await;
    run.unwrap();
    assert_eq!(resources(&seen).len(), 1);
    assert_eq!(api.asked().iter().filter(|question| question.contains("GetKey")).count(), 1);
}
