//! The shape of a control file as it is written.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use serde_saphyr::Spanned;
use yagura_model::{Relation, Resource, ResourceType, Status};

use crate::control::{Case, unread_in_test};
use crate::locate::Position;

/// A text with its place.
pub(crate) type Said = Spanned<String>;

/// The account of a test that names none.
const TEST_ACCOUNT: &str = "111122223333";
/// The region of a test that names none.
const TEST_REGION: &str = "us-east-1";
/// The id of a test's subject that has none.
const TEST_ID: &str = "example";
/// The time of a test that names none: 2026-01-01T00:00:00Z.
const TEST_SECONDS: i64 = 1_767_225_600;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawControl {
    pub(crate) title: Said,
    pub(crate) id: Said,
    pub(crate) level: Said,
    #[serde(default)]
    pub(crate) aws: Vec<Said>,
    pub(crate) subject: Spanned<OneOrMore>,
    pub(crate) why: Said,
    pub(crate) fix: Said,
    pub(crate) command: Option<Said>,
    pub(crate) minutes: Option<u32>,
    pub(crate) ja: RawWords,
    pub(crate) when: Option<Said>,
    pub(crate) cel: Option<Said>,
    pub(crate) guard: Option<Said>,
    /// None in a packed file.
    tests: Option<Spanned<Vec<Spanned<RawCase>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWords {
    pub(crate) title: Said,
    pub(crate) why: Said,
    pub(crate) fix: Said,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a type or a list of types")]
pub(crate) enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    pub(crate) fn types(&self) -> Vec<String> {
        match self {
            Self::One(kind) => vec![kind.clone()],
            Self::More(types) => types.clone(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCase {
    name: String,
    expect: Status,
    #[serde(default)]
    given: Map<String, Value>,
    #[serde(rename = "type")]
    kind: Option<ResourceType>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    id: Option<String>,
    arn: Option<String>,
    resource_name: Option<String>,
    region: Option<String>,
    account: Option<String>,
    now: Option<DateTime<Utc>>,
    #[serde(default)]
    relations: Vec<Relation>,
    #[serde(default)]
    others: Vec<RawOther>,
    #[serde(default)]
    unread: Vec<String>,
    #[serde(default)]
    unlisted: Vec<ResourceType>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOther {
    #[serde(rename = "type")]
    kind: ResourceType,
    id: Option<String>,
    arn: Option<String>,
    name: Option<String>,
    region: Option<String>,
    account: Option<String>,
    #[serde(default)]
    given: Map<String, Value>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    relations: Vec<Relation>,
    #[serde(default)]
    unread: Vec<String>,
}

impl RawControl {
    /// The tests; the error is a place and what is wrong there.
    pub(crate) fn cases(&self, subjects: &[ResourceType]) -> Result<Vec<Case>, (Position, String)> {
        let Some(tests) = &self.tests else { return Err((Position::START, "expected `tests`".to_owned())) };
        let at = Position::of(tests.referenced);
        let mut cases: Vec<Case> = Vec::with_capacity(tests.value.len());
        for raw in &tests.value {
            let position = Position::of(raw.referenced);
            let case = raw.value.case(position.line, subjects).map_err(|message| (position, message))?;
            if cases.iter().any(|other| other.name == case.name) {
                return Err((position, format!("another test is called `{}` too", case.name)));
            }
            cases.push(case);
        }
        for needed in [Status::Pass, Status::Fail] {
            if cases.iter().all(|case| case.expect != needed) {
                return Err((at, format!("expected a test with `expect: {}`", needed.as_str())));
            }
        }
        Ok(cases)
    }
}

impl RawCase {
    fn case(&self, line: u64, subjects: &[ResourceType]) -> Result<Case, String> {
        let kind = match &self.kind {
            Some(kind) if !subjects.contains(kind) => return Err(format!("`{kind}` is not a subject of the control")),
            Some(kind) => kind.clone(),
            None => subjects.first().cloned().ok_or("the control has no subject")?,
        };
        for path in self.unread.iter().chain(self.others.iter().flat_map(|other| &other.unread)) {
            let section = path.split('.').next().unwrap_or_default();
            if !["Properties", "Attributes", "Tags", "Relations", "Arn", "Name"].contains(&section) {
                return Err(format!("`{path}` is not a path such as `Properties.Policy`"));
            }
        }
        let subject = Resource {
            kind,
            account: self.account.as_deref().unwrap_or(TEST_ACCOUNT).into(),
            region: self.region.as_deref().unwrap_or(TEST_REGION).into(),
            id: self.id.clone().unwrap_or_else(|| TEST_ID.to_owned()),
            arn: self.arn.as_deref().map(Into::into),
            name: self.resource_name.clone(),
            properties: self.given.clone(),
            attributes: self.attributes.clone(),
            tags: self.tags.clone(),
            relations: self.relations.clone(),
            unread: unread_in_test(self.unread.clone()),
        };
        let others = self.others.iter().enumerate().map(|(number, other)| other.resource(number, &subject)).collect();
        Ok(Case {
            name: self.name.clone(),
            line,
            expect: self.expect,
            others,
            unlisted: self.unlisted.clone(),
            now: self.now.or_else(|| DateTime::from_timestamp(TEST_SECONDS, 0)).unwrap_or_default(),
            subject,
        })
    }
}

impl RawOther {
    fn resource(&self, number: usize, subject: &Resource) -> Resource {
        Resource {
            kind: self.kind.clone(),
            account: self.account.as_deref().map_or_else(|| subject.account.clone(), Into::into),
            region: self.region.as_deref().map_or_else(|| subject.region.clone(), Into::into),
            id: self.id.clone().unwrap_or_else(|| format!("other-{}", number + 1)),
            arn: self.arn.as_deref().map(Into::into),
            name: self.name.clone(),
            properties: self.given.clone(),
            attributes: self.attributes.clone(),
            tags: self.tags.clone(),
            relations: self.relations.clone(),
            unread: unread_in_test(self.unread.clone()),
        }
    }
}
