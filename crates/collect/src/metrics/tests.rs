use std::sync::Mutex;

use chrono::TimeDelta;
use futures::executor::block_on;
use futures::future::BoxFuture;

use super::*;
use crate::collector::Pages;

/// Answers by the operation, page after page, and what was asked.
#[derive(Default)]
struct Recorded {
    answers: BTreeMap<&'static str, Vec<Value>>,
    denied: bool,
    asked: Mutex<Vec<Value>>,
}

impl Api for Recorded {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move { Err(Failure::own(call, Cause::NotImplemented, "asked for one page")) })
    }

    fn pages<'a>(&'a self, call: Call<'a>, _: usize) -> BoxFuture<'a, Pages> {
        self.asked.lock().unwrap().push(call.input.clone());
        let pages = self.answers.get(call.operation).cloned().unwrap_or_default();
        let failure = self.denied.then(|| Failure::own(call, Cause::Denied, "AccessDenied"));
        Box::pin(async move { Pages { pages, failure } })
    }

    fn iam_action(&self, _: &str, _: &str) -> Option<String> {
        None
    }
}

fn wanted(text: &str) -> Wanted {
    MetricSet::parse("metrics/ec2.yml", text).unwrap().wanted
}

const EC2: &str = "{title: Instances, ja: インスタンス, namespace: AWS/EC2, dimensions: [[InstanceId]], \
                   metrics: {CPUUtilization: {unit: Percent, extended: [p99]}}}";

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn listed(api: &Recorded, wanted: &Wanted) -> Result<Vec<Query>, Failure> {
    block_on(list(api, &AccountId::from("111122223333"), &Region::from("us-east-1"), wanted))
}

fn dimension(name: &str, value: &str) -> Value {
    json!([{ "Name": name, "Value": value }])
}

#[test]
fn only_what_the_set_describes_is_fetched() {
    let metric =
        |name: &str, dimensions: Value| json!({ "Namespace": "AWS/EC2", "MetricName": name, "Dimensions": dimensions });
    let pages = vec![
        json!({ "Metrics": [metric("CPUUtilization", dimension("InstanceId", "i-1")), metric("NetworkIn", json!([]))] }),
        json!({ "Metrics": [metric("CPUUtilization", dimension("AutoScalingGroupName", "web")),
                            metric("CPUUtilization", dimension("InstanceId", "i-2"))] }),
    ];
    let api = Recorded { answers: [("ListMetrics", pages)].into(), ..Recorded::default() };
    let queries = listed(&api, &wanted(EC2)).unwrap();
    let shown: Vec<(String, Option<&str>)> =
        queries.iter().map(|query| (query.series.dimensions_text(), query.series.unit.as_deref())).collect();
    assert_eq!(shown, [("InstanceId=i-1".to_owned(), Some("Percent")), ("InstanceId=i-2".to_owned(), Some("Percent"))]);
    let one = Wanted { dimensions: [("InstanceId".to_owned(), "i-2".to_owned())].into(), ..wanted(EC2) };
    assert_eq!(listed(&api, &one).unwrap().len(), 1);
    assert_eq!(
        api.asked.lock().unwrap().last(),
        Some(
            &json!({ "Namespace": "AWS/EC2", "MetricName": "CPUUtilization", "Dimensions": dimension("InstanceId", "i-2") })
        )
    );
}

#[test]
fn a_listing_that_is_denied_is_no_empty_one() {
    let api = Recorded { denied: true, ..Recorded::default() };
    assert_eq!(listed(&api, &wanted(EC2)).unwrap_err().look.cause, Cause::Denied);
}

fn query(id: &str) -> Query {
    let series = Series {
        account: AccountId::from("111122223333"),
        region: Region::from("us-east-1"),
        namespace: "AWS/EC2".to_owned(),
        metric: "CPUUtilization".to_owned(),
        dimensions: [("InstanceId".to_owned(), id.to_owned())].into(),
        unit: Some("Percent".to_owned()),
    };
    Query { series: Arc::new(series), period_seconds: 300, extended: BTreeSet::from(["p99".to_owned()]) }
}

#[test]
fn pages_and_statistics_come_together_as_points() {
    let result = |id: &str, status: &str, values: &[(&str, f64)]| {
        let times: Vec<&str> = values.iter().map(|(time, _)| *time).collect();
        let values: Vec<f64> = values.iter().map(|(_, value)| *value).collect();
        json!({ "Id": id, "Label": "x", "StatusCode": status, "Timestamps": times, "Values": values })
    };
    let (first, second) = ("2026-11-01T00:00:00Z", "2026-11-01T00:05:00Z");
    let pages = vec![
        json!({ "MetricDataResults": [result("q0_0", "PartialData", &[(first, 5.0)]), result("q0_1", "Complete", &[(first, 50.0), (second, 8.0)])] }),
        json!({ "MetricDataResults": [result("q0_0", "Complete", &[(second, 4.0)]), result("q0_4", "Forbidden", &[]),
            // Not asked for: the period is not over.
            result("q1_1", "Complete", &[("2026-11-01T00:10:00Z", 1.0)])] }),
    ];
    let api = Recorded { answers: [("GetMetricData", pages)].into(), ..Recorded::default() };
    let now = time("2026-11-01T00:12:00Z");
    let span = (time(first), now);
    let fetched = block_on(fetch(&api, &Region::from("us-east-1"), &[query("i-1"), query("i-2")], span, now));
    let of = |index: usize| {
        let point = &fetched.points[index];
        (point.start, point.statistics.sample_count, point.statistics.mean(), point.period_seconds)
    };
    assert_eq!(fetched.points.len(), 2);
    assert_eq!([of(0), of(1)], [(time(first), Some(5.0), Some(10.0), 300), (time(second), Some(4.0), Some(2.0), 300)]);
    let said: Vec<&str> = fetched.failures.iter().map(|failure| failure.look.error.as_str()).collect();
    assert_eq!(said, ["`CPUUtilization` was not given: Forbidden"]);
    let asked = api.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["MetricDataQueries"].as_array().unwrap().len(), 10);
    assert_eq!(asked[0]["EndTime"], "2026-11-01T00:10:00+00:00");
}

#[test]
fn no_question_is_larger_than_aws_takes() {
    let api = Recorded::default();
    let queries: Vec<Query> = (0..250).map(|number| query(&format!("i-{number}"))).collect();
    let now = time("2026-11-01T00:12:00Z");
    block_on(fetch(&api, &Region::from("us-east-1"), &queries, (now - TimeDelta::hours(1), now), now));
    let asked = api.asked.lock().unwrap();
    let sizes: Vec<usize> = asked.iter().map(|input| input["MetricDataQueries"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [500, 500, 250]);
}

#[test]
fn a_file_that_is_no_set_is_refused() {
    for text in [
        "",
        "[]",
        "{title: x, ja: x, namespace: N, metrics: {}}",
        "{title: x, ja: x, namespace: N, metrics: {A: {period: 0}}}",
    ] {
        assert!(MetricSet::parse("metrics/x.yml", text).is_err(), "{text}");
    }
}
