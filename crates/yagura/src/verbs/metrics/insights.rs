//! `yagura metrics insights`: unusual rates of API calls and API errors, as CloudTrail Insights' two kinds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use yagura_lake::Lake;
use yagura_lake::metrics::{Call, Rate};

use super::unusual::{BASELINE_BINS, BASELINE_BINS_MIN, BIN_SECONDS, BINS_PER_DAY, Unusual, to_f64, unusual};
use super::{is_for_people, lake, table, threads};
use crate::cli::{Common, MetricsInsightsArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};

/// Values of an attribute that are told of.
const ATTRIBUTED: usize = 5;

/// What is told of the calls, and the column of it.
const ATTRIBUTES: [(&str, &str); 3] =
    [("userIdentityArn", "userIdentity_arn"), ("userAgent", "userAgent"), ("errorCode", "errorCode")];

/// The longest time that is judged at once: the counts of every API are in memory.
const SPAN_MAX: TimeDelta = TimeDelta::days(92);

/// The two kinds, by CloudTrail's names.
const KINDS: [(&str, bool); 2] = [("ApiCallRateInsight", false), ("ApiErrorRateInsight", true)];

/// Finds and prints them.
pub(super) fn run(common: &Common, args: &MetricsInsightsArgs, config: &Config, words: &Words) -> Result<Exit> {
    let now = crate::now();
    let since = print::time(&args.since, now)?;
    let until = args.until.as_deref().map_or(Ok(now), |text| print::time(text, now))?;
    if since >= until || until - since > SPAN_MAX {
        let text = format!("the time must end after it begins, and within {} days", SPAN_MAX.num_days());
        return Err(Usage(text).into());
    }
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let (mut rows, mut unjudged) = (Vec::new(), BTreeSet::new());
    runtime.block_on(async {
        let known = known_days(&lake).await?;
        for (kind, errors) in KINDS {
            for (call, found) in find(&lake, (since, until), errors, &known, &mut unjudged).await? {
                rows.push(described(&lake, kind, &call, &found).await?);
            }
        }
        anyhow::Ok(())
    })?;
    rows.sort_by(|one, other| text(one, "start").cmp(text(other, "start")));
    if is_for_people(common) {
        describe(&rows, words)?;
    } else {
        let keys = [
            "insightType",
            "account",
            "region",
            "eventSource",
            "eventName",
            "errorCode",
            "start",
            "end",
            "baselineAverage",
            "insightAverage",
        ];
        table(common, &keys, &rows, words)?;
    }
    // What could not be judged is not quiet.
    for place in unjudged {
        eprintln!("{}", words.fill("metrics.insight_unjudged", &[("place", &place)]));
    }
    Ok(Exit::Clean)
}

/// The days of which there are logs, by account and region.
type Known = BTreeMap<(String, String), BTreeSet<i64>>;

async fn known_days(lake: &Lake) -> Result<Known> {
    let mut known = Known::new();
    for day in lake.trail_days().await? {
        let place = (day.place.account, day.place.region);
        known.entry(place).or_default().insert(i64::from(day.place.day));
    }
    Ok(known)
}

async fn find(
    lake: &Lake,
    span: (DateTime<Utc>, DateTime<Utc>),
    errors: bool,
    known: &Known,
    unjudged: &mut BTreeSet<String>,
) -> Result<Vec<(Call, Unusual)>> {
    let bin = |time: DateTime<Utc>| time.timestamp().div_euclid(i64::from(BIN_SECONDS));
    let bins = (bin(span.0), bin(span.1));
    let from = span.0 - TimeDelta::seconds(BASELINE_BINS * i64::from(BIN_SECONDS));
    let rates = lake.trail_rates((from, span.1), BIN_SECONDS, errors, threads()).await?;
    let mut by_place: BTreeMap<(String, String), Vec<(Call, Rate)>> = BTreeMap::new();
    for (call, rate) in rates {
        by_place.entry((call.account.clone(), call.region.clone())).or_default().push((call, rate));
    }
    let mut found = Vec::new();
    let nothing = BTreeSet::new();
    for (place, calls) in by_place {
        let days = known.get(&place).unwrap_or(&nothing);
        let count = calls.len();
        for (call, rate) in calls {
            found.extend(unusual(&rate, days, bins, count).into_iter().map(|one| (call.clone(), one)));
        }
    }
    for ((account, region), days) in known {
        let first = bins.0.div_euclid(BINS_PER_DAY);
        let baseline = days.range(first - BASELINE_BINS / BINS_PER_DAY..first).count();
        let is_judged = i64::try_from(baseline).unwrap_or(i64::MAX) * BINS_PER_DAY >= BASELINE_BINS_MIN;
        if !is_judged && days.range(first..=bins.1.div_euclid(BINS_PER_DAY)).next().is_some() {
            unjudged.insert(format!("{account} {region}"));
        }
    }
    Ok(found)
}

/// An insight with who made the calls, then and before.
async fn described(lake: &Lake, kind: &str, call: &Call, found: &Unusual) -> Result<Value> {
    let time = |bin: i64| DateTime::from_timestamp(bin * i64::from(BIN_SECONDS), 0).unwrap_or_default();
    let (start, end) = (time(found.bins.0), time(found.bins.1));
    let minutes = (end - start).num_minutes();
    let baseline = (start - TimeDelta::seconds(BASELINE_BINS * i64::from(BIN_SECONDS)), start);
    let baseline_minutes = found.baseline_bins * i64::from(BIN_SECONDS) / 60;
    let per_minute = |calls: u64, minutes: i64| round(to_f64(calls) / to_f64(minutes.max(1).unsigned_abs()));
    let mut attributions = Vec::new();
    for (name, column) in ATTRIBUTES {
        // Of calls of one error that error says nothing.
        if column == "errorCode" && call.error_code.is_some() {
            continue;
        }
        let mut sides = Vec::new();
        for (span, minutes) in [((start, end), minutes), (baseline, baseline_minutes)] {
            let callers = lake.trail_callers(call, span, column, ATTRIBUTED, threads()).await?;
            let side: Vec<Value> = callers
                .into_iter()
                .map(|(value, calls)| json!({ "value": value, "average": per_minute(calls, minutes) }))
                .collect();
            sides.push(side);
        }
        let baseline = sides.pop().unwrap_or_default();
        let insight = sides.pop().unwrap_or_default();
        attributions.push(json!({ "attribute": name, "insight": insight, "baseline": baseline }));
    }
    Ok(json!({
        "insightType": kind, "account": call.account, "region": call.region, "eventSource": call.event_source,
        "eventName": call.event_name, "errorCode": call.error_code, "start": start, "end": end,
        "durationMinutes": minutes, "calls": found.calls,
        "baselineAverage": round(found.baseline * 60.0 / f64::from(BIN_SECONDS)), "baselineMinutes": baseline_minutes,
        "insightAverage": per_minute(found.calls, minutes), "probability": found.probability,
        "attributions": attributions,
    }))
}

/// Four digits behind the point: calls a minute are often few.
fn round(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

fn describe(rows: &[Value], words: &Words) -> Result<()> {
    let mut out = io::stdout().lock();
    if rows.is_empty() {
        writeln!(out, "{}", words.get("metrics.insight_none"))?;
    }
    for row in rows {
        let is_error = text(row, "insightType") == "ApiErrorRateInsight";
        let heading = if is_error { "metrics.insight_errors" } else { "metrics.insight_calls" };
        let number = |key: &str| row.get(key).map(ToString::to_string).unwrap_or_default();
        let values: [(&str, &dyn std::fmt::Display); 10] = [
            ("name", &text(row, "eventName")),
            ("source", &text(row, "eventSource")),
            ("error", &text(row, "errorCode")),
            ("account", &text(row, "account")),
            ("region", &text(row, "region")),
            ("start", &text(row, "start")),
            ("end", &text(row, "end")),
            ("calls", &number("calls")),
            ("average", &number("insightAverage")),
            ("baseline", &number("baselineAverage")),
        ];
        writeln!(out, "{}", words.fill(heading, &values))?;
        writeln!(out, "  {}", words.fill("metrics.insight_rates", &values))?;
        for attribution in row.get("attributions").and_then(Value::as_array).into_iter().flatten() {
            let side = |key: &str| {
                let values = attribution.get(key).and_then(Value::as_array).into_iter().flatten();
                let values = values.filter(|value| !text(value, "value").is_empty());
                let values: Vec<String> = values
                    .map(|value| format!("{} ({})", text(value, "value"), value.get("average").unwrap_or(&Value::Null)))
                    .collect();
                if values.is_empty() { "-".to_owned() } else { values.join(", ") }
            };
            let (insight, baseline) = (side("insight"), side("baseline"));
            if insight == "-" && baseline == "-" {
                continue;
            }
            let values: [(&str, &dyn std::fmt::Display); 3] =
                [("attribute", &text(attribution, "attribute")), ("insight", &insight), ("baseline", &baseline)];
            writeln!(out, "  {}", words.fill("metrics.insight_who", &values))?;
        }
    }
    Ok(())
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
