//! Observations for tests.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};
use yagura_model::{Cause, CouldNotLook, Observation, Resource, Seen, Unread};
use yagura_record::ScanInfo;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const BUCKET: &str = "AWS::S3::Bucket";

/// A moment, in seconds after the first.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

pub(crate) fn scan(started: i64) -> ScanInfo {
    ScanInfo {
        account: ACCOUNT.into(),
        started: at(started),
        regions: vec!["us-east-1".into()],
        source: "live".to_owned(),
        volatile: BTreeSet::from(["LastUsed".to_owned()]),
    }
}

pub(crate) fn denied() -> CouldNotLook {
    CouldNotLook {
        service: "s3".to_owned(),
        operation: "GetBucketPolicy".to_owned(),
        cause: Cause::Denied,
        error: "AccessDenied".to_owned(),
        action: Some("s3:GetBucketPolicy".to_owned()),
    }
}

pub(crate) fn bucket(id: &str, properties: Value) -> Resource {
    Resource {
        kind: BUCKET.into(),
        account: ACCOUNT.into(),
        region: "us-east-1".into(),
        id: id.to_owned(),
        arn: Some(format!("arn:aws:s3:::{id}").as_str().into()),
        name: None,
        properties: object(properties),
        attributes: Map::new(),
        tags: std::collections::BTreeMap::new(),
        relations: Vec::new(),
        unread: Vec::new(),
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

pub(crate) fn without(mut resource: Resource, paths: &[&str]) -> Resource {
    for path in paths {
        match path.split_once('.') {
            Some(("Properties", key)) => {
                resource.properties.remove(key);
            }
            _ => panic!("{path}"),
        }
    }
    resource.unread = vec![Unread { paths: paths.iter().map(|path| (*path).to_owned()).collect(), cause: denied() }];
    resource
}

pub(crate) fn shown(seconds: i64, resource: Resource) -> Observation {
    Observation { at: at(seconds), seen: Seen::Resource(Box::new(resource)) }
}

pub(crate) fn listed(seconds: i64, kind: &str, region: &str) -> Observation {
    let seen = Seen::Listed { kind: kind.into(), account: ACCOUNT.into(), region: region.into() };
    Observation { at: at(seconds), seen }
}

pub(crate) fn unlisted(seconds: i64, kind: &str, region: &str) -> Observation {
    let (kind, account, region) = (kind.into(), ACCOUNT.into(), region.into());
    Observation { at: at(seconds), seen: Seen::Unlisted { kind, account, region, cause: denied() } }
}

/// A fixed sequence of numbers that look random.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }
}
