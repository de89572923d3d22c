//! One request: who wants to do what, on which resource, in which circumstances.

use std::cell::RefCell;

use super::requester::{Requester, RequesterKind};
use super::text::{ArnParts, arn_ends};

/// A request as AWS evaluates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    action: String,
    resource: String,
    ends: Option<[usize; 5]>,
    resource_account: Option<String>,
    principal: Requester,
    context: Context,
}

impl Request {
    /// A request without context keys. The account of the resource is the one in its ARN, where it has one.
    pub fn new(action: &str, resource: &str, principal: Requester) -> Self {
        let ends = arn_ends(resource);
        let mut request = Self {
            action: action.trim().to_ascii_lowercase(),
            resource: resource.to_owned(),
            ends,
            resource_account: None,
            principal,
            context: Context::default(),
        };
        let account = request.arn().part(4);
        // `aws` stands in the ARNs of what AWS itself gives to every account.
        if !account.is_empty() && account != "aws" {
            request.resource_account = Some(account.to_owned());
        }
        request
    }

    /// Says which account the resource belongs to, which the ARN of a bucket does not show.
    #[must_use]
    pub fn with_resource_account(mut self, account: &str) -> Self {
        self.resource_account = Some(account.to_owned());
        self
    }

    /// Adds what is known of the circumstances.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The action, in lower case.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The resource's ARN, or `*` for an action that works on none.
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The account that the resource belongs to, where it is known.
    pub fn resource_account(&self) -> Option<&str> {
        self.resource_account.as_deref()
    }

    /// Who asks.
    pub fn principal(&self) -> &Requester {
        &self.principal
    }

    /// The context keys that were given.
    pub fn context(&self) -> &Context {
        &self.context
    }

    pub(super) fn arn(&self) -> ArnParts<'_> {
        ArnParts::with_ends(&self.resource, self.ends)
    }

    /// The values of a context key in lower case: those that were given, else what the requester and the resource
    /// themselves tell. A key without values is absent.
    pub fn values(&self, key: &str) -> Values<'_> {
        match self.context.get(key) {
            Some(values) => Values::Given(values),
            None => self.derived(key).map_or(Values::Given(&[]), Values::Derived),
        }
    }

    fn derived(&self, key: &str) -> Option<&str> {
        let who = &self.principal;
        match key {
            "aws:principalarn" => who.principal_arn(),
            "aws:principalaccount" => who.account(),
            "aws:principaltype" => who.principal_type(),
            "aws:username" => who.username(),
            "aws:userid" => who.user_id(),
            "aws:principalisawsservice" => match who.kind() {
                RequesterKind::Service => Some("true"),
                RequesterKind::Anonymous => None,
                _ => Some("false"),
            },
            "aws:principalservicename" | "aws:principalservicenameslist" => {
                (who.kind() == RequesterKind::Service).then(|| who.as_str())
            }
            "aws:federatedprovider" => (who.kind() == RequesterKind::Federated).then(|| who.as_str()),
            "aws:resourceaccount" => self.resource_account(),
            "s3:resourceaccount" if self.action.starts_with("s3") => self.resource_account(),
            "kms:calleraccount" if self.action.starts_with("kms:") => who.account(),
            _ => None,
        }
    }
}

/// The circumstances of a request, by context key. Keys are read without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Context(Vec<(String, Vec<String>)>);

impl Context {
    /// Adds a key with its values; a key that is there already gets these values instead.
    pub fn insert(&mut self, key: &str, values: Vec<String>) {
        let key = key.trim().to_ascii_lowercase();
        match self.0.iter_mut().find(|(known, _)| *known == key) {
            Some((_, known)) => *known = values,
            None => self.0.push((key, values)),
        }
    }

    /// The values given for a key in lower case.
    pub fn get(&self, key: &str) -> Option<&[String]> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, values)| values.as_slice())
    }

    /// Every key, in lower case, with its values, in the order given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(key, values)| (key.as_str(), values.as_slice()))
    }
}

impl<K: AsRef<str>, V: Into<String>> FromIterator<(K, Vec<V>)> for Context {
    fn from_iter<T: IntoIterator<Item = (K, Vec<V>)>>(pairs: T) -> Self {
        let mut context = Self::default();
        for (key, values) in pairs {
            context.insert(key.as_ref(), values.into_iter().map(Into::into).collect());
        }
        context
    }
}

/// The values of one context key in one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// As they were given.
    Given(&'a [String]),
    /// One that follows from the requester or the resource.
    Derived(&'a str),
}

impl<'a> Values<'a> {
    /// Whether the request does not have the key.
    pub fn is_absent(self) -> bool {
        matches!(self, Self::Given([]))
    }

    /// The value, where there is exactly one.
    pub fn single(self) -> Option<&'a str> {
        match self {
            Self::Given([value]) => Some(value),
            Self::Given(_) => None,
            Self::Derived(value) => Some(value),
        }
    }

    /// Every value.
    pub fn iter(self) -> impl Iterator<Item = &'a str> {
        let (given, derived) = match self {
            Self::Given(values) => (values, None),
            Self::Derived(value) => ([].as_slice(), Some(value)),
        };
        given.iter().map(String::as_str).chain(derived)
    }
}

/// A request under evaluation, and where what is noticed meanwhile is noted, if anyone wants to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    /// The request.
    pub(super) request: &'a Request,
    /// Where to note.
    pub(super) notes: Option<&'a RefCell<Notes>>,
}

/// What an evaluation noticed besides its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// Context keys, in lower case, that a statement which otherwise matches asked for and the request does not have.
    pub missing_keys: Vec<String>,
    /// What cannot be read or is uncertain, as sentences.
    pub remarks: Vec<String>,
}

impl Notes {
    pub(super) fn add_missing(&mut self, key: &str) {
        if !self.missing_keys.iter().any(|known| known == key) {
            self.missing_keys.push(key.to_owned());
        }
    }

    pub(super) fn add_remark(&mut self, remark: String) {
        if !self.remarks.contains(&remark) {
            self.remarks.push(remark);
        }
    }
}

impl<'a> Scene<'a> {
    /// The values of a context key in lower case.
    pub(super) fn values(self, key: &str) -> Values<'a> {
        self.request.values(key)
    }

    /// Notes that a key was asked for and is not there.
    pub(super) fn missing(self, key: &str) {
        if let Some(notes) = self.notes {
            notes.borrow_mut().add_missing(key);
        }
    }

    /// Notes what was noticed, made only where somebody wants to know.
    pub(super) fn remark(self, remark: impl FnOnce() -> String) {
        if let Some(notes) = self.notes {
            notes.borrow_mut().add_remark(remark());
        }
    }
}
