//! The principal dimension: who asks, with the condition keys that only say the same in other words.

use std::collections::BTreeSet;

use super::binding::Bindings;
use super::joint;
use super::limits::Undecided;
use super::pattern::{Kind, Pattern};
use super::values::{Presence, Test};
use crate::evaluate::{Requester, RequesterKind};
use crate::policy::{Principal, Scope};

/// What kind of caller a question is asked for. Within one kind every key that is left is independent of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Caller {
    /// A role.
    Role,
    /// An IAM user.
    User,
    /// The root user of an account.
    Root,
    /// A request without a signature.
    Anonymous,
    /// An AWS service.
    Service,
    /// Somebody whom an identity provider vouches for.
    Provider,
}

/// Condition keys that follow from the caller.
pub(super) const DERIVED: &[&str] = &[
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principaltype",
    "aws:principalisawsservice",
    "aws:principalservicename",
    "aws:principalservicenameslist",
    "aws:username",
    "kms:calleraccount",
];

/// One caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Who {
    pub(super) requester: Requester,
    /// `aws:PrincipalArn`, which a session's own ARN does not tell in full.
    pub(super) arn: Option<String>,
}

impl Who {
    /// The value of a key of [`DERIVED`].
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        let kind = self.requester.kind();
        match key {
            "aws:principalarn" => self.arn.as_deref(),
            "aws:principalaccount" | "kms:calleraccount" => self.requester.account(),
            "aws:principaltype" => self.requester.principal_type(),
            "aws:principalisawsservice" => match kind {
                RequesterKind::Service => Some("true"),
                RequesterKind::Anonymous => None,
                _ => Some("false"),
            },
            "aws:principalservicename" | "aws:principalservicenameslist" => {
                (kind == RequesterKind::Service).then(|| self.requester.as_str())
            }
            "aws:username" => self.requester.username(),
            _ => None,
        }
    }

    /// The same caller but for one key of [`DERIVED`], which has this value; none where that says nothing of its ARN.
    pub(super) fn with(&self, key: &str, value: &str) -> Option<Self> {
        let arn = self.arn.as_deref()?;
        let arn = match key {
            "aws:principalarn" => value.to_owned(),
            "aws:username" if self.requester.kind() == RequesterKind::User => {
                format!("{}/{value}", arn.rsplit_once('/')?.0)
            }
            "aws:principalaccount" | "kms:calleraccount" => arn.replacen(self.requester.account()?, value, 1),
            _ => return None,
        };
        let requester = Requester::from_arn(&arn).ok()?;
        Some(Self { requester, arn: Some(arn) })
    }

    /// Whether a statement's principals name it.
    pub(super) fn is_named(&self, scope: Option<&Scope<Principal>>) -> bool {
        match scope {
            None => true,
            Some(Scope::In(principals)) => principals.iter().any(|principal| self.is(principal)),
            Some(Scope::NotIn(principals)) => !principals.iter().any(|principal| self.is(principal)),
        }
    }

    fn is(&self, principal: &Principal) -> bool {
        let requester = &self.requester;
        let kind = requester.kind();
        match principal {
            Principal::Everyone => true,
            Principal::Service(name) => {
                kind == RequesterKind::Service && (name == "*" || requester.as_str().eq_ignore_ascii_case(name))
            }
            Principal::Federated(provider) => {
                kind == RequesterKind::Federated && (provider == "*" || requester.as_str() == provider)
            }
            Principal::CanonicalUser(id) => requester.canonical_user() == Some(id),
            Principal::Aws(text) => match whole_account(text) {
                Some(account) => kind != RequesterKind::Federated && requester.account() == Some(account),
                None if kind == RequesterKind::RoleSession => {
                    requester.as_str() == text || self.arn.as_ref() == Some(text)
                }
                None if kind == RequesterKind::FederatedUser => {
                    requester.as_str() == text || requester.behind() == Some(text)
                }
                None => requester.as_str() == text,
            },
        }
    }
}

/// The account that a principal stands for as a whole.
fn whole_account(text: &str) -> Option<&str> {
    if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text);
    }
    text.strip_suffix(":root").and_then(|arn| arn.strip_prefix("arn:")).and_then(|rest| rest.split(':').nth(3))
}

/// What a question says of callers.
pub(super) struct Asked<'q, 'a> {
    /// The principals of its statements.
    pub(super) scopes: Vec<&'a Scope<Principal>>,
    /// Its conditions on keys of [`DERIVED`].
    pub(super) tests: Vec<&'q Test<'a>>,
    /// The values that policy variables have.
    pub(super) bindings: &'q Bindings,
}

/// Callers of one kind, at least one for each combination of names and conditions that one of them can have.
pub(super) fn callers(kind: Caller, asked: &Asked<'_, '_>) -> Result<Vec<Who>, Undecided> {
    let all = match kind {
        Caller::Anonymous => vec![Who { requester: Requester::anonymous(), arn: None }],
        Caller::Service => services(asked)?,
        Caller::Provider => providers(asked),
        Caller::Role | Caller::User | Caller::Root => identities(kind, asked)?,
    };
    let suits = |who: &Who| {
        let bound = DERIVED.iter().filter_map(|key| asked.bindings.get(*key).map(|value| (*key, value.as_deref())));
        bound.into_iter().all(|(key, value)| who.value(key) == value)
    };
    Ok(all.into_iter().filter(suits).collect())
}

fn principals<'a>(asked: &Asked<'_, 'a>) -> impl Iterator<Item = &'a Principal> {
    asked.scopes.iter().flat_map(|scope| match scope {
        Scope::In(principals) | Scope::NotIn(principals) => principals,
    })
}

fn services(asked: &Asked<'_, '_>) -> Result<Vec<Who>, Undecided> {
    let named = principals(asked).filter_map(|principal| match principal {
        Principal::Service(name) if name != "*" => Some(Pattern::new(&name.to_ascii_lowercase(), Kind::Literal)),
        _ => None,
    });
    let tested = asked.tests.iter().filter(|test| test.condition.key.starts_with("aws:principalservicename"));
    let patterns: Vec<Pattern> = named.chain(tested.flat_map(|test| test.patterns().cloned())).collect();
    let any = Pattern::new("?*.amazonaws.com", Kind::Like);
    let combinations = joint::combinations(&[&any], &distinct(&patterns))?;
    let all = combinations.into_iter().map(|(_, name)| name);
    Ok(all.filter_map(|name| Requester::service(&name).ok()).map(|requester| Who { requester, arn: None }).collect())
}

fn providers(asked: &Asked<'_, '_>) -> Vec<Who> {
    let named = principals(asked).filter_map(|principal| match principal {
        Principal::Federated(provider) if provider != "*" => Some(provider.as_str()),
        _ => None,
    });
    let all: BTreeSet<&str> = named.chain(["login.example.com"]).collect();
    all.into_iter().map(|provider| Who { requester: Requester::federated(provider), arn: None }).collect()
}

fn identities(kind: Caller, asked: &Asked<'_, '_>) -> Result<Vec<Who>, Undecided> {
    let mut patterns = Vec::new();
    let mut named = Vec::new();
    let mut canonical = BTreeSet::new();
    for principal in principals(asked) {
        match principal {
            Principal::Aws(text) => {
                named.push(text);
                patterns.push(match whole_account(text) {
                    Some(account) => of_account(&Pattern::new(account, Kind::Literal)),
                    None => Pattern::new(text, Kind::Literal),
                });
            }
            Principal::CanonicalUser(id) => {
                canonical.insert(id);
            }
            Principal::Everyone | Principal::Service(_) | Principal::Federated(_) => {}
        }
    }
    for test in &asked.tests {
        match test.condition.key.as_str() {
            "aws:principalarn" => patterns.extend(test.patterns().cloned()),
            "aws:principalaccount" | "kms:calleraccount" => patterns.extend(test.patterns().map(of_account)),
            "aws:username" => patterns.extend(test.patterns().flat_map(of_user)),
            _ => {}
        }
    }
    if patterns.is_empty() && !DERIVED.iter().any(|key| asked.bindings.contains_key(*key)) {
        let arn = format!("arn:aws:iam::111122223333:{}", resource(kind).replace("?*", "example"));
        let requester = Requester::from_arn(&arn).ok();
        return Ok(requester.map(|requester| Who { requester, arn: Some(arn) }).into_iter().collect());
    }
    let mut partitions: BTreeSet<String> = patterns.iter().filter_map(Pattern::partition).collect();
    partitions.insert("aws".to_owned());
    let mut required = Vec::new();
    if let Some(Some(account)) = asked.bindings.get("aws:principalaccount") {
        required.push(of_account(&Pattern::new(account, Kind::Literal)));
    }
    if let Some(Some(arn)) = asked.bindings.get("aws:principalarn") {
        required.push(Pattern::new(arn, Kind::Literal));
    }
    if let Some(Some(name)) = asked.bindings.get("aws:username") {
        required.push(Pattern::framed("arn:*:iam::*:user/", &Pattern::new(name, Kind::Literal), ""));
    }
    let mut all = Vec::new();
    for partition in partitions {
        let identity = Pattern::identity(&partition, resource(kind));
        let required: Vec<&Pattern> = required.iter().chain([&identity]).collect();
        for (_, arn) in joint::combinations(&required, &distinct(&patterns))? {
            let Ok(requester) = Requester::from_arn(&arn) else { continue };
            all.push(Who { requester, arn: Some(arn) });
        }
    }
    all.extend(named.into_iter().filter_map(|text| as_named(kind, text)));
    let plain = all.first().cloned();
    for id in canonical {
        all.extend(
            plain
                .iter()
                .map(|who| Who { requester: who.requester.clone().with_canonical_user(id), arn: who.arn.clone() }),
        );
    }
    Ok(all)
}

/// A session that a policy names, or an identity of an account that the walk does not reach: one without twelve digits.
fn as_named(kind: Caller, text: &str) -> Option<Who> {
    let requester = match Requester::from_arn(text) {
        Ok(requester) => requester,
        Err(_) => Requester::as_named(text)?,
    };
    let suits = match requester.kind() {
        RequesterKind::RoleSession | RequesterKind::Role => kind == Caller::Role,
        RequesterKind::FederatedUser | RequesterKind::User => kind == Caller::User,
        RequesterKind::Root => kind == Caller::Root,
        _ => false,
    };
    let arn = requester.principal_arn().map(str::to_owned);
    suits.then_some(Who { requester, arn })
}

fn resource(kind: Caller) -> &'static str {
    match kind {
        Caller::User => "user/?*",
        Caller::Root => "root",
        _ => "role/?*",
    }
}

fn of_account(account: &Pattern) -> Pattern {
    Pattern::framed("arn:*:iam::", account, ":*")
}

/// The ARNs of users of a name, without a path and with one.
fn of_user(name: &Pattern) -> [Pattern; 2] {
    [Pattern::framed("arn:*:iam::*:user/", name, ""), Pattern::framed("arn:*:iam::*:user/*/", name, "")]
}

fn distinct(patterns: &[Pattern]) -> Vec<&Pattern> {
    let mut found: Vec<&Pattern> = Vec::new();
    for pattern in patterns {
        if !found.contains(&pattern) {
            found.push(pattern);
        }
    }
    found
}

/// Whether a request by such a caller has a key that does not follow from the caller.
pub(super) fn presence(key: &str, kind: Caller, bindings: &Bindings) -> Presence {
    if let Some(value) = bindings.get(key) {
        return Presence::Fixed(value.clone());
    }
    let is_identity = matches!(kind, Caller::Role | Caller::User | Caller::Root);
    match key {
        "aws:securetransport" | "aws:currenttime" | "aws:epochtime" | "aws:requestedregion" | "aws:viaawsservice" => {
            Presence::Always
        }
        "aws:userid" if is_identity => Presence::Always,
        _ if is_identity => Presence::Either,
        "aws:userid"
        | "aws:principalorgid"
        | "aws:principalorgpaths"
        | "aws:multifactorauthpresent"
        | "aws:multifactorauthage"
        | "aws:tokenissuetime" => Presence::Never,
        _ if key.starts_with("aws:principaltag/") => Presence::Never,
        _ => Presence::Either,
    }
}
