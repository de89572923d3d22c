//! How fast events are judged, and how much is remembered.
//!
//! `cargo run --release -p yagura-detect --example detect_rate [EVENTS]` makes CloudTrail events and Sigma rules of the selectivity that public
//! collections have (an event source and an event name, with a third condition in most; one in fifty looks into a text), and prints
//! events per second of processor time with 10, 100, 1,000 and 10,000 rules: here, and with rsigma as a library, which parses the same text
//! and evaluates the same rules. Both must find the same. Then it fills the state of a detector with 10,000 principals and 1,000,000 addresses.

#![expect(clippy::print_stdout, reason = "the rates are for a person to read")]

use std::error::Error;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rsigma_parser::SigmaCollection;
use yagura_detect::{Context, Detection, Engine, Event, Input, Source, State};

/// Made once and the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap_or(1)).unwrap_or(0)
    }

    /// Small numbers often, large ones seldom, as calls of an account are spread over the API.
    fn skewed(&mut self, limit: usize) -> usize {
        let (one, other) = (self.below(limit), self.below(limit));
        one * other / limit
    }
}

const VERBS: [&str; 20] = [
    "Create",
    "Delete",
    "Put",
    "Update",
    "Attach",
    "Detach",
    "Modify",
    "Disable",
    "Enable",
    "Stop",
    "Start",
    "Get",
    "List",
    "Describe",
    "Associate",
    "Register",
    "Authorize",
    "Revoke",
    "Run",
    "Assume",
];
const NOUNS: usize = 200;
const SERVICES: usize = 50;

fn name(number: usize) -> String {
    format!("{}Thing{}", VERBS.get(number % VERBS.len()).unwrap_or(&""), number / VERBS.len() % NOUNS)
}

fn service(number: usize) -> String {
    format!("service{}.amazonaws.com", number % SERVICES)
}

fn event(random: &mut Random, number: usize) -> String {
    let call = random.skewed(VERBS.len() * NOUNS);
    let who = random.below(500);
    let error = if random.below(12) == 0 {
        r#""errorCode":"AccessDenied","errorMessage":"User is not authorized","#
    } else {
        ""
    };
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"AssumedRole","principalId":"AROAEXAMPLE:session{who}","arn":"arn:aws:sts::111122223333:assumed-role/role{who}/session","accountId":"111122223333","accessKeyId":"ASIAEXAMPLE{who}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::111122223333:role/role{who}","accountId":"111122223333","userName":"role{who}"}},"attributes":{{"creationDate":"2026-01-05T09:00:00Z","mfaAuthenticated":"false"}}}}}},"eventTime":"2026-01-05T{:02}:{:02}:{:02}Z","eventSource":"{}","eventName":"{}","awsRegion":"us-east-1","sourceIPAddress":"192.0.2.{}","userAgent":"aws-cli/2.15.0 Python/3.11.6 Linux/5.15 exe/x86_64",{error}"requestParameters":{{"name":"resource-{}","tags":[{{"key":"team","value":"shop"}},{{"key":"stage","value":"production"}}],"policyDocument":"{{\"Version\":\"2012-10-17\",\"Statement\":[]}}"}},"responseElements":{{"requestId":"0123456789abcdef"}},"requestID":"{number:032x}","eventID":"0a1b2c3d-0000-4000-8000-{number:012x}","readOnly":false,"eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333","eventCategory":"Management"}}"#,
        number / 3600 % 24,
        number / 60 % 60,
        number % 60,
        service(call),
        name(call),
        random.below(250),
        random.below(2_000),
    )
}

fn rule(random: &mut Random, number: usize) -> String {
    let call = random.below(VERBS.len() * NOUNS);
    let mut text = format!(
        "title: rule {number}\nname: rule-{number}\nlogsource: {{product: aws, service: cloudtrail}}\ndetection:\n  selection:\n    \
         eventSource: {}\n    eventName: {}\n",
        service(call),
        name(call)
    );
    let condition = match random.below(50) {
        0 => "    requestParameters.policyDocument|contains: '\"Principal\":\"*\"'\n  condition: selection\n",
        1..=15 => "  failed:\n    errorCode|exists: true\n  condition: selection and not failed\n",
        16..=25 => "    errorCode: [AccessDenied, UnauthorizedOperation]\n  condition: selection\n",
        26..=35 => "    userIdentity.type: Root\n  condition: selection\n",
        _ => "  condition: selection\n",
    };
    text.push_str(condition);
    text
}

fn rules(count: usize) -> Vec<String> {
    let mut random = Random(7);
    (0..count).map(|number| rule(&mut random, number)).collect()
}

fn detections(texts: &[String]) -> Result<Vec<Detection>, Box<dyn Error>> {
    let parsed = texts
        .iter()
        .enumerate()
        .map(|(number, text)| Detection::parse(&format!("detections/cloudtrail/r{number}.yml"), text));
    Ok(parsed.collect::<Result<_, _>>()?)
}

/// A stretch of work, in seconds that this thread had a processor for, so that what else the machine does is not measured;
/// where the system does not say, in seconds.
struct Work {
    started: Instant,
    processor: Option<Duration>,
}

impl Work {
    fn start() -> Self {
        Self { started: Instant::now(), processor: processor() }
    }

    fn rate(&self, count: usize) -> f64 {
        let processor = processor().zip(self.processor).map(|(now, then)| now.saturating_sub(then));
        #[expect(clippy::cast_precision_loss, reason = "a rate is an estimate")]
        let count = count as f64;
        count / processor.unwrap_or_else(|| self.started.elapsed()).as_secs_f64()
    }
}

fn processor() -> Option<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    statistics.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn compare(count: usize, events: &[String]) -> Result<(), Box<dyn Error>> {
    let texts = rules(count);
    let engine = Engine::new(detections(&texts)?, [])?;
    let source = Source::named("cloudtrail").ok_or("no such log")?;
    let mut plain = rsigma_eval::Engine::new();
    let mut collection = SigmaCollection::new();
    for text in &texts {
        collection.rules.extend(rsigma_parser::parse_sigma_yaml(text)?.rules);
    }
    plain.add_collection(&collection)?;

    let work = Work::start();
    let mut hits = 0;
    for text in events {
        let event = Event::read(&Input::new(source, text), &Context::EMPTY)?;
        engine.matches(&event, &mut |_| hits += 1);
    }
    let matching = work.rate(events.len());

    let mut state = State::new(&engine);
    let work = Work::start();
    for text in events {
        engine.process(&mut state, &Input::new(source, text), &Context::EMPTY)?;
    }
    let judging = work.rate(events.len());

    let work = Work::start();
    let mut their_hits = 0;
    for text in events {
        let value: serde_json::Value = serde_json::from_str(text)?;
        their_hits += plain.evaluate(&rsigma_eval::JsonEvent::borrow(&value)).len();
    }
    let theirs = work.rate(events.len());
    if hits != their_hits {
        return Err(format!("{hits} hits here, {their_hits} with rsigma").into());
    }
    println!(
        "{count:>6} rules  {matching:>9.0}/s matched  {judging:>9.0}/s judged  {theirs:>9.0}/s rsigma  {hits:>8} hits  {} findings  {} unindexed",
        state.findings().count(),
        engine.unindexed()
    );
    Ok(())
}

const FIRST_TIME: &str = "
title: new network
logsource: {product: aws, service: cloudtrail}
detection: {s: {eventName: ConsoleLogin}, condition: s}
yagura:
  finding: UnauthorizedAccess:IAMUser/New
  identity: [userIdentity.arn]
  new: {of: [sourceIPAddress], for: [userIdentity.arn], learning: 14d, remember: 90d}
  title: {en: t, ja: 題}
  what: {en: w, ja: 内容}
  check: {en: c, ja: 確認}
  do: {en: d, ja: 対処}
tests:
  - {name: silent, events: [{eventName: ConsoleLogin}], findings: 0}
  - name: fires
    events:
      - {eventName: ConsoleLogin, userIdentity: {arn: a}, sourceIPAddress: 192.0.2.1}
      - {after: 15d, eventName: ConsoleLogin, userIdentity: {arn: a}, sourceIPAddress: 192.0.2.2}
    findings: 1
";

const SWEPT: &str = "
title: many ports
logsource: {product: aws, service: vpcflow}
detection: {s: {action: REJECT}, condition: s}
yagura:
  finding: Recon:EC2/Example
  identity: [srcaddr]
  count: {within: 10m, by: [srcaddr], distinct: [dstport], at_least: 20}
  title: {en: t, ja: 題}
  what: {en: w, ja: 内容}
  check: {en: c, ja: 確認}
  do: {en: d, ja: 対処}
tests:
  - {name: silent, events: [{action: REJECT, srcaddr: 192.0.2.1, dstport: 1}], findings: 0}
  - name: fires
    events: [ROWS]
    findings: 1
";

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn memory() -> Result<(), Box<dyn Error>> {
    let mut rows = String::new();
    for port in 1..=20 {
        write!(rows, "{{after: 1s, action: REJECT, srcaddr: 192.0.2.1, dstport: {port}}}, ")?;
    }
    let swept = SWEPT.replace("ROWS", &rows);
    let files = [("detections/cloudtrail/new.yml", FIRST_TIME), ("detections/vpcflow/swept.yml", swept.as_str())];
    let detections = files.iter().map(|(path, text)| Detection::parse(path, text)).collect::<Result<Vec<_>, _>>()?;
    let engine = Engine::new(detections, [])?;
    let mut state = State::new(&engine);
    let before = resident_kib();
    let trail = Source::named("cloudtrail").ok_or("no such log")?;
    for principal in 0..10_000 {
        for network in 0..100 {
            let text = format!(
                r#"{{"eventTime":"2026-01-05T10:00:00Z","eventName":"ConsoleLogin","userIdentity":{{"arn":"arn:aws:iam::111122223333:user/u{principal}"}},"sourceIPAddress":"10.{network}.2.3"}}"#
            );
            engine.process(&mut state, &Input::new(trail, &text), &Context::EMPTY)?;
        }
    }
    show("10,000 principals with 100 networks each", &state, before);
    let before = resident_kib();
    let flow = Source::named("vpcflow").ok_or("no such log")?;
    for address in 0..1_000_000_u32 {
        let [a, b, c, d] = (0x1000_0000 + address).to_be_bytes();
        let text =
            format!(r#"{{"time":"2026-01-05T10:00:00Z","srcaddr":"{a}.{b}.{c}.{d}","dstport":22,"action":"REJECT"}}"#);
        engine.process(&mut state, &Input::new(flow, &text), &Context::EMPTY)?;
    }
    show("and windows of 1,000,000 addresses", &state, before);
    let started = Instant::now();
    let saved = state.save();
    let loaded = State::load(&saved, &engine, yagura_detect::Limits::default())?;
    let same = loaded.size().window_entries == state.size().window_entries;
    println!(
        "saved in {} MiB and loaded again in {:.1} s, complete: {same}",
        saved.len() >> 20,
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn show(what: &str, state: &State, before_kib: u64) {
    let size = state.size();
    println!(
        "{what}: {} MiB reserved, {} MiB more resident; {} combinations, {} learners, {} groups, {:?}",
        size.bytes >> 20,
        resident_kib().saturating_sub(before_kib) >> 10,
        size.combinations,
        size.learners,
        size.groups,
        state.report()
    );
}

fn main() -> Result<(), Box<dyn Error>> {
    let count = std::env::args().nth(1).map_or(Ok(50_000), |text| text.parse())?;
    let mut random = Random(42);
    let events: Vec<String> = (0..count).map(|number| event(&mut random, number)).collect();
    let bytes: usize = events.iter().map(String::len).sum();
    println!("{count} events of {} bytes on average, one thread", bytes / count.max(1));
    for count in [10, 100, 1_000, 10_000] {
        compare(count, &events)?;
    }
    memory()
}
