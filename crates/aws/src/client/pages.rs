//! Following an operation's pages.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::model::{Kind, Operation, Paginator, Service, Shape};

/// No listing has so many pages; one that has is going round in a circle that no token shows.
pub const PAGES_MAX: usize = 10_000;

/// Where the token of the next page goes in a request, and where the answer before has it. A name with `Next` stands before
/// the same name without: where an answer has both, the one without repeats what was asked for.
///
/// These are the names that the published paginators use for such tokens and that mean nothing else anywhere. A cursor of
/// several members (`HostedZoneIdMarker` with two more) or one that goes both ways (`nextForwardToken`) is not among them.
const TOKENS: [(&str, &str); 14] = [
    ("NextToken", "NextToken"),
    ("nextToken", "nextToken"),
    ("NextPageToken", "NextPageToken"),
    ("nextPageToken", "nextPageToken"),
    ("PageToken", "NextPageToken"),
    ("pageToken", "nextPageToken"),
    ("PaginationToken", "PaginationToken"),
    ("ContinuationToken", "NextContinuationToken"),
    ("NextMarker", "NextMarker"),
    ("Marker", "NextMarker"),
    ("Marker", "Marker"),
    ("marker", "nextMarker"),
    ("marker", "marker"),
    ("position", "position"),
];

/// Where a listing stands.
pub(super) struct Cursor {
    /// How the operation's pages are followed; `None` where it has a single one.
    paginator: Option<Paginator>,
    /// The input of the next page.
    input: Value,
    /// The tokens of every page so far: one that comes again would go on for ever.
    seen: HashSet<String>,
    pages: usize,
}

/// What follows after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// There is another page.
    Page,
    /// This was the last.
    End,
}

/// A listing that does not end.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Endless {
    #[error("the token of the next page came twice")]
    TokenAgain,
    #[error("there are more than {PAGES_MAX} pages")]
    TooManyPages,
    #[error("the model's path `{0}` to the token of the next page cannot be read")]
    Path(String),
}

impl Cursor {
    /// Before the first page of an operation. Its pages are followed as the published paginator says. Many listings have
    /// none: their pages are followed where the answer, or the structure that is its whole body, has a text that one of
    /// [`TOKENS`] names and the input has the text it goes to; for as long as the token is there and not empty. Nothing
    /// else ends such a listing: a flag that the token contradicts may be wrong, and half a listing is not a listing.
    pub(super) fn new(service: &Service, operation: &Operation, input: Value) -> Self {
        Self::following(operation.paginator.clone().or_else(|| unpublished(service, operation)), input)
    }

    fn following(paginator: Option<Paginator>, input: Value) -> Self {
        Self { paginator, input, seen: HashSet::new(), pages: 0 }
    }

    pub(super) fn input(&self) -> &Value {
        &self.input
    }

    /// Moves on from `page`.
    pub(super) fn advance(&mut self, page: &Value) -> Result<Next, Endless> {
        self.pages += 1;
        let Some(paginator) = &self.paginator else { return Ok(Next::End) };
        if let Some(more) = &paginator.more_results
            && !is_set(&search(more, page)?)
        {
            return Ok(Next::End);
        }
        let mut tokens = Vec::new();
        for path in &paginator.output_tokens {
            tokens.push(Some(search(path, page)?).filter(is_set));
        }
        if tokens.iter().all(Option::is_none) {
            return Ok(Next::End);
        }
        let together: Value = tokens.iter().cloned().map(Option::unwrap_or_default).collect();
        if !self.seen.insert(together.to_string()) {
            return Err(Endless::TokenAgain);
        }
        if self.pages >= PAGES_MAX {
            return Err(Endless::TooManyPages);
        }
        if !self.input.is_object() {
            self.input = Value::Object(Map::new());
        }
        if let Value::Object(input) = &mut self.input {
            for (name, token) in paginator.input_tokens.iter().zip(tokens) {
                match token {
                    Some(token) => input.insert(name.to_string(), token),
                    None => input.remove(&**name),
                };
            }
        }
        Ok(Next::Page)
    }
}

/// How the pages of an operation without a published paginator are followed, by the names in its shapes.
fn unpublished(service: &Service, operation: &Operation) -> Option<Paginator> {
    let is_text = |shape: &Shape, name: &str| {
        let member = shape.member(name);
        member.is_some_and(|member| matches!(service.shape(member.target.shape).kind, Kind::String))
    };
    let (input, output) = (service.input(operation)?, service.output(operation)?);
    let body = output.payload().map(|member| (&member.name, service.shape(member.target.shape)));
    TOKENS.iter().filter(|(to, _)| is_text(input, to)).find_map(|(to, from)| {
        let path = match body {
            _ if is_text(output, from) => (*from).into(),
            Some((name, body)) if is_text(body, from) => format!("{name}.{from}").into(),
            _ => return None,
        };
        Some(Paginator {
            input_tokens: vec![(*to).into()],
            output_tokens: vec![path],
            more_results: None,
            limit_key: None,
            result_keys: Vec::new(),
            non_aggregate_keys: Vec::new(),
        })
    })
}

/// Whether a token or a flag says that there is more.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => !members.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// What a `JMESPath` names in a page.
fn search(path: &str, page: &Value) -> Result<Value, Endless> {
    let named = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    // Nearly every path is a name or two: the page, which may be large, need not be copied for the interpreter.
    if path.split('.').all(named) {
        let mut value = page;
        for part in path.split('.') {
            value = value.get(part).unwrap_or(&Value::Null);
        }
        return Ok(value.clone());
    }
    let failed = |_| Endless::Path(path.to_owned());
    let found = jmespath::compile(path).and_then(|path| path.search(page)).map_err(failed)?;
    serde_json::to_value(&*found).map_err(|_| Endless::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Models;
    use serde_json::json;

    fn paginator(input: &[&str], output: &[&str], more: Option<&str>) -> Paginator {
        let boxed = |names: &[&str]| names.iter().map(|&name| name.into()).collect();
        Paginator {
            input_tokens: boxed(input),
            output_tokens: boxed(output),
            more_results: more.map(Into::into),
            limit_key: None,
            result_keys: Vec::new(),
            non_aggregate_keys: Vec::new(),
        }
    }

    #[test]
    fn several_tokens_move_together() {
        let paginator = paginator(&["KeyMarker", "UploadMarker"], &["NextKey", "NextUpload"], Some("IsTruncated"));
        let mut cursor = Cursor::following(Some(paginator), json!({"Bucket": "b"}));
        let page = json!({"IsTruncated": true, "NextKey": "k", "NextUpload": "u"});
        assert_eq!(cursor.advance(&page), Ok(Next::Page));
        assert_eq!(cursor.input(), &json!({"Bucket": "b", "KeyMarker": "k", "UploadMarker": "u"}));
        let page = json!({"IsTruncated": true, "NextKey": "l", "NextUpload": ""});
        assert_eq!(cursor.advance(&page), Ok(Next::Page));
        assert_eq!(cursor.input(), &json!({"Bucket": "b", "KeyMarker": "l"}));
        let page = json!({"IsTruncated": false, "NextKey": "m"});
        assert_eq!(cursor.advance(&page), Ok(Next::End));
    }

    #[test]
    fn the_token_may_be_the_last_thing_listed() {
        let paginator = paginator(&["Marker"], &["NextMarker || Contents[-1].Key"], Some("IsTruncated"));
        let mut cursor = Cursor::following(Some(paginator), Value::Null);
        let page = json!({"IsTruncated": true, "Contents": [{"Key": "a"}, {"Key": "b"}]});
        assert_eq!(cursor.advance(&page), Ok(Next::Page));
        assert_eq!(cursor.input(), &json!({"Marker": "b"}));
    }

    #[test]
    fn a_token_that_comes_again_ends_the_listing_with_an_error() {
        let paginator = paginator(&["NextToken"], &["NextToken"], None);
        let mut cursor = Cursor::following(Some(paginator), json!({}));
        assert_eq!(cursor.advance(&json!({"NextToken": "a"})), Ok(Next::Page));
        assert_eq!(cursor.advance(&json!({"NextToken": "b"})), Ok(Next::Page));
        assert_eq!(cursor.advance(&json!({"NextToken": "a"})), Err(Endless::TokenAgain));
        assert_eq!(Cursor::following(None, json!({})).advance(&json!({"NextToken": "a"})), Ok(Next::End));
    }

    /// Where the token of an operation comes from and goes to by its shapes alone.
    fn derived(service: &str, operation: &str) -> Option<(String, String)> {
        let service = Models::embedded().unwrap().service(service).unwrap();
        let paginator = unpublished(&service, service.operation(operation).unwrap())?;
        Some((paginator.output_tokens[0].to_string(), paginator.input_tokens[0].to_string()))
    }

    #[test]
    fn listings_without_a_published_paginator_are_followed() {
        let cases = [
            ("events", "ListEventBuses", "NextToken", "NextToken"),
            ("events", "ListEndpoints", "NextToken", "NextToken"),
            ("cloudtrail", "ListEventDataStores", "NextToken", "NextToken"),
            ("wafv2", "ListWebACLs", "NextMarker", "NextMarker"),
            ("wafv2", "ListRuleGroups", "NextMarker", "NextMarker"),
            ("wafv2", "ListIPSets", "NextMarker", "NextMarker"),
            ("ssm", "DescribeDocumentPermission", "NextToken", "NextToken"),
            ("detective", "ListGraphs", "NextToken", "NextToken"),
            ("s3control", "ListAccessPoints", "NextToken", "NextToken"),
            ("s3control", "ListMultiRegionAccessPoints", "NextToken", "NextToken"),
            ("athena", "ListWorkGroups", "NextToken", "NextToken"),
            ("glue", "GetMLTransforms", "NextToken", "NextToken"),
            ("ecr", "ListPullTimeUpdateExclusions", "nextToken", "nextToken"),
            ("ce", "GetCostAndUsage", "NextPageToken", "NextPageToken"),
            ("cognito-idp", "ListDevices", "PaginationToken", "PaginationToken"),
            ("dms", "DescribeEngineVersions", "Marker", "Marker"),
            ("apigateway", "GetDomainNameAccessAssociations", "position", "position"),
            // The answer repeats the token of the request beside the next one.
            ("s3", "ListBucketInventoryConfigurations", "NextContinuationToken", "ContinuationToken"),
            ("route53", "ListReusableDelegationSets", "NextMarker", "Marker"),
            ("cloudfront", "ListVpcOrigins", "VpcOriginList.NextMarker", "Marker"),
            ("cloudfront", "ListCachePolicies", "CachePolicyList.NextMarker", "Marker"),
        ];
        for (service, operation, from, to) in cases {
            let model = Models::embedded().unwrap().service(service).unwrap();
            let published = &model.operation(operation).unwrap().paginator;
            assert_eq!(*published, None, "{service}:{operation} has a paginator now: choose another case");
            assert_eq!(derived(service, operation), Some((from.to_owned(), to.to_owned())), "{service}:{operation}");
        }
    }

    #[test]
    fn what_only_looks_like_a_token_is_not_followed() {
        for (service, operation) in [
            ("logs", "GetLogEvents"),
            ("waf", "GetChangeTokenStatus"),
            ("s3", "GetObject"),
            ("sso-admin", "DescribeTrustedTokenIssuer"),
            ("iam", "GetUser"),
            ("sts", "GetCallerIdentity"),
        ] {
            assert_eq!(derived(service, operation), None, "{service}:{operation}");
        }
    }

    /// The published paginators are the measure of the rule: wherever it speaks of an operation that has one, both say the
    /// same.
    #[test]
    fn the_names_of_tokens_mean_what_the_published_paginators_say() {
        let models = Models::embedded().unwrap();
        let (mut same, mut others) = (0, Vec::new());
        for name in models.service_names() {
            let service = models.service(name).unwrap();
            for operation in service.operations() {
                let (Some(published), Some(derived)) = (&operation.paginator, unpublished(&service, operation)) else {
                    continue;
                };
                if (&published.input_tokens, &published.output_tokens)
                    == (&derived.input_tokens, &derived.output_tokens)
                {
                    same += 1;
                } else {
                    others.push(format!("{name}:{}", operation.name));
                }
            }
        }
        // Its published path has the last key listed as well, for where there is no `NextMarker`.
        assert_eq!(others, ["s3:ListObjects"]);
        assert!(same > 1200, "only {same} were compared");
    }
}
