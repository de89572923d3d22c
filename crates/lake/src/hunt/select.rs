//! Hunts as SQL: for each table the rows that match, in the shape that all tables share.

use arrow::datatypes::DataType;

use super::wanted::{Arn, Wanted, is_principal_id};
use super::{Hunt, Within};
use crate::source::{ACCOUNT, OBJECT, REGION, Source};
use crate::time;

/// Services whose calls hand out, change and use identities: what names a key or a principal elsewhere says little.
const IDENTITY_SERVICES: &str = "('iam.amazonaws.com', 'sts.amazonaws.com', 'sso.amazonaws.com', \
    'signin.amazonaws.com', 'cognito-identity.amazonaws.com', 'rolesanywhere.amazonaws.com')";

/// Groups of rows that each table is asked for when its rows are counted and not read.
const GROUPS_MAX: usize = 25;

/// How a row has to do with what is hunted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Matched {
    /// It did what the row says, or it was done from there.
    Acting,
    /// The row names it.
    Named,
}

impl Matched {
    fn as_str(self) -> &'static str {
        match self {
            Self::Acting => "acting",
            Self::Named => "named",
        }
    }
}

/// The whole question of a hunt.
pub(super) fn question(sources: &[Source], hunt: &Hunt) -> String {
    let kinds: &[Matched] = if hunt.acting { &[Matched::Acting] } else { &[Matched::Acting, Matched::Named] };
    let mut parts = Vec::new();
    for source in sources {
        // One scan for each: a filter that is one comparison is answered by bloom filters and statistics, and one that
        // is everything at once by nothing.
        for kind in kinds {
            let Some(filter) = predicate(source, &hunt.wanted, *kind) else { continue };
            parts.push(format!(
                "SELECT {} FROM \"{}\" WHERE {filter}{}",
                shape(source, *kind),
                source.name,
                within(source, &hunt.within)
            ));
        }
    }
    if parts.is_empty() {
        // No source can answer: no rows, in the shape of some.
        parts.extend(
            sources.first().map(|source| {
                format!("SELECT {} FROM \"{}\" WHERE false", shape(source, Matched::Acting), source.name)
            }),
        );
    }
    let limit = hunt.limit.map(|rows| format!(" LIMIT {rows}")).unwrap_or_default();
    format!("SELECT * FROM ({}) ORDER BY time, source, id{limit}", parts.join(" UNION ALL "))
}

/// For each table that is not the first one: how many rows match, how many bytes they moved, and when.
pub(crate) fn totals(sources: &[&Source], wanted: &[Wanted], times: &Within) -> Option<String> {
    let parts = sources.iter().filter_map(|source| {
        let bytes = source.clues.bytes.map_or("CAST(NULL AS BIGINT)".to_owned(), |column| format!("sum(\"{column}\")"));
        Some(format!(
            "SELECT {} AS source, count(*) AS events, {bytes} AS bytes, min(\"{time}\") AS first, max(\"{time}\") AS last \
            FROM \"{}\" WHERE ({}){}",
            text_literal(&source.name),
            source.name,
            either(source, wanted)?,
            within(source, times),
            time = source.time,
        ))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
}

/// The same by what the rows say, the largest groups of each table.
pub(crate) fn groups(sources: &[&Source], wanted: &[Wanted], times: &Within) -> Option<String> {
    let parts = sources.iter().filter_map(|source| {
        let clues = &source.clues;
        let group = if clues.group.is_empty() { &clues.what } else { &clues.group };
        let bytes = clues.bytes.map_or("CAST(NULL AS BIGINT)".to_owned(), |column| format!("sum(\"{column}\")"));
        let order = if clues.bytes.is_some() { "bytes DESC NULLS LAST, events DESC" } else { "events DESC" };
        Some(format!(
            "SELECT * FROM (SELECT {} AS source, {} AS what, {} AS outcome, count(*) AS events, {bytes} AS bytes, \
            min(\"{time}\") AS first, max(\"{time}\") AS last FROM \"{}\" WHERE ({}){} GROUP BY 2, 3 \
            ORDER BY {order}, what LIMIT {GROUPS_MAX})",
            text_literal(&source.name),
            group.sql(),
            clues.outcome.sql(),
            source.name,
            either(source, wanted)?,
            within(source, times),
            time = source.time,
        ))
    });
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join(" UNION ALL "))
}

fn either(source: &Source, wanted: &[Wanted]) -> Option<String> {
    let both: Vec<String> =
        [Matched::Acting, Matched::Named].into_iter().filter_map(|kind| conditions(source, wanted, kind)).collect();
    (!both.is_empty()).then(|| both.join(" OR "))
}

/// What is true of the rows that match in this way, and in no earlier one; none if the source cannot say.
pub(crate) fn predicate(source: &Source, wanted: &[Wanted], kind: Matched) -> Option<String> {
    let own = conditions(source, wanted, kind)?;
    let before = (kind == Matched::Named).then(|| conditions(source, wanted, Matched::Acting)).flatten();
    Some(match before {
        Some(before) => format!("({before}) IS NOT TRUE AND ({own})"),
        None => format!("({own})"),
    })
}

/// The restriction to times and places, as something to go on with after a condition.
pub(crate) fn within(source: &Source, within: &Within) -> String {
    let mut text = Vec::new();
    if let Some(since) = within.since {
        text.push(format!(" AND \"{}\" >= '{}'", source.time, time::text(since)));
    }
    if let Some(until) = within.until {
        text.push(format!(" AND \"{}\" < '{}'", source.time, time::text(until)));
    }
    for (column, values) in [(ACCOUNT, &within.accounts), (REGION, &within.regions)] {
        if !values.is_empty() {
            let values: Vec<String> = values.iter().map(|value| text_literal(value)).collect();
            text.push(format!(" AND \"{column}\" IN ({})", values.join(", ")));
        }
    }
    text.concat()
}

/// A text in SQL.
pub(crate) fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn conditions(source: &Source, wanted: &[Wanted], kind: Matched) -> Option<String> {
    let mut all: Vec<String> = Vec::new();
    let mut networks: Vec<String> = Vec::new();
    for one in wanted {
        match (one, kind) {
            (Wanted::Key(key), Matched::Acting) => all.extend(equal(&source.clues.keys, key)),
            (Wanted::Key(key), Matched::Named) => {
                all.extend(identity(source, &mentioned(source, &[quoted(key)]), None));
            }
            (Wanted::Principal(principal), Matched::Acting) => all.extend(acting_principal(source, principal)),
            (Wanted::Principal(principal), Matched::Named) => all.extend(named_principal(source, principal)),
            (Wanted::Network(network), Matched::Acting) => {
                let is_plain = network.prefix_len() == 32 && network.addr().is_ipv4();
                if is_plain {
                    // Spelled in one way only: an equality, which bloom filters answer.
                    all.extend(equal(&source.clues.addresses, &network.addr().to_string()));
                }
                let spelled = if is_plain { network.addr().to_string() } else { network.to_string() };
                networks.push(spelled);
                if !is_plain {
                    all.extend(in_networks(&source.clues.addresses, &network.to_string()));
                }
            }
            (Wanted::Resource(resource), Matched::Named) => all.extend(named_resource(source, resource)),
            (Wanted::Network(_), Matched::Named) | (Wanted::Resource(_), Matched::Acting) => {}
        }
    }
    if !networks.is_empty() {
        all.extend(in_networks(&source.clues.address_lists, &networks.join(" ")));
    }
    (!all.is_empty()).then(|| all.join(" OR "))
}

fn equal(columns: &[&str], value: &str) -> Vec<String> {
    columns.iter().map(|column| format!("\"{column}\" = {}", text_literal(value))).collect()
}

fn in_networks(columns: &[&str], networks: &str) -> Vec<String> {
    columns.iter().map(|column| format!("in_network(\"{column}\", {})", text_literal(networks))).collect()
}

/// Rows whose JSON holds one of the texts.
fn mentioned(source: &Source, texts: &[String]) -> Vec<String> {
    let columns = &source.clues.mentions;
    let mut all = Vec::new();
    for text in texts {
        all.extend(columns.iter().map(|column| format!("contains(\"{column}\", {})", text_literal(text))));
    }
    all
}

/// A text as it stands in JSON.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// The conditions where services that deal in identities were called, and in one account, if it is said.
fn identity(source: &Source, conditions: &[String], account: Option<&str>) -> Option<String> {
    if conditions.is_empty() {
        return None;
    }
    let mut text = format!("({})", conditions.join(" OR "));
    if let Some(service) = source.clues.service {
        text = format!("\"{service}\" IN {IDENTITY_SERVICES} AND {text}");
    }
    if let Some(account) = account {
        text = format!("\"{ACCOUNT}\" = {} AND {text}", text_literal(account));
    }
    Some(format!("({text})"))
}

fn acting_principal(source: &Source, principal: &str) -> Vec<String> {
    let mut all = equal(&source.clues.principals, principal);
    let mut more = |function: &str, text: &str| {
        let columns = &source.clues.principals;
        all.extend(columns.iter().map(|column| format!("{function}(\"{column}\", {})", text_literal(text))));
    };
    match Arn::parse(principal) {
        // A role acts as sessions, whose ARNs leave out its path.
        Some(arn) if arn.service == "iam" && arn.resource.starts_with("role/") => {
            let Arn { partition, account, .. } = arn;
            more("starts_with", &format!("arn:{partition}:sts::{account}:assumed-role/{}/", arn.name()));
        }
        Some(_) => {}
        None if is_principal_id(principal) => more("starts_with", &format!("{principal}:")),
        None if principal.contains(['/', ':']) => {}
        None => {
            more("ends_with", &format!("/{principal}"));
            more("contains", &format!(":assumed-role/{principal}/"));
        }
    }
    all
}

fn named_principal(source: &Source, principal: &str) -> Vec<String> {
    let mut all: Vec<String> = identity(source, &mentioned(source, &[quoted(principal)]), None).into_iter().collect();
    let arn = Arn::parse(principal).filter(|arn| arn.service == "iam" && arn.resource.starts_with(['r', 'u']));
    // By its name alone only where the name cannot be another account's, nor anything but a principal's.
    if let (Some(arn), true) = (arn, source.clues.service.is_some()) {
        all.extend(identity(source, &mentioned(source, &[quoted(arn.name())]), Some(arn.account)));
    }
    all
}

fn named_resource(source: &Source, resource: &str) -> Vec<String> {
    let arn = Arn::parse(resource);
    let mut names = vec![resource];
    if let Some(arn) = arn {
        names.extend([arn.id(), arn.name()]);
    }
    names.dedup();
    let mut all = Vec::new();
    for column in &source.clues.resources {
        let is_list = source
            .schema
            .column_with_name(column)
            .is_some_and(|(_, field)| matches!(field.data_type(), DataType::List(_) | DataType::LargeList(_)));
        if !is_list {
            for name in &names {
                all.extend(equal(&[column], name));
            }
            if arn.is_none() {
                // The name or the id at the end of an ARN.
                let ends = |end: String| format!("ends_with(\"{column}\", {})", text_literal(&end));
                all.extend([ends(format!("/{resource}")), ends(format!(":{resource}"))]);
            }
            continue;
        }
        let listed = format!("concat(array_to_string(\"{column}\", ' '), ' ')");
        let starts: &[&str] = if arn.is_some() { &[""] } else { &["/", ":"] };
        // Itself, or what is in it: the objects of a bucket.
        for (start, end) in starts.iter().flat_map(|start| [" ", "/"].map(|end| (start, end))) {
            all.push(format!("contains({listed}, {})", text_literal(&format!("{start}{resource}{end}"))));
        }
    }
    let mut texts = vec![quoted(resource)];
    if arn.is_none() {
        texts.extend([format!("/{resource}\""), format!(":{resource}\"")]);
    }
    all.extend(mentioned(source, &texts));
    if let (Some(arn), Some(service)) = (arn, source.clues.service) {
        let by_name = mentioned(source, &[quoted(arn.id()), quoted(arn.name())]);
        let mut text = format!(
            "starts_with(\"{service}\", {}) AND ({})",
            text_literal(&format!("{}.", arn.service)),
            by_name.join(" OR ")
        );
        if !arn.account.is_empty() {
            text = format!("{text} AND \"{ACCOUNT}\" = {}", text_literal(arn.account));
        }
        all.push(format!("({text})"));
    }
    all
}

/// The columns of [`super::COLUMNS`].
fn shape(source: &Source, kind: Matched) -> String {
    let clues = &source.clues;
    let text = |column: &str| format!("CAST(\"{column}\" AS VARCHAR)");
    let first = |columns: &[&'static str]| match columns {
        [] => "CAST(NULL AS VARCHAR)".to_owned(),
        [column] => text(column),
        columns => format!("coalesce({})", columns.iter().map(|column| text(column)).collect::<Vec<_>>().join(", ")),
    };
    let one = |column: Option<&'static str>| first(column.as_slice());
    let resource = match (clues.service, clues.resources.as_slice(), clues.mentions.as_slice()) {
        (Some(_), [resources], [request, response]) => format!(
            "event_target({}, \"{request}\", \"{response}\", array_to_string(\"{resources}\", ' '))",
            clues.what.sql()
        ),
        (_, resources, _) => first(resources),
    };
    [
        format!("\"{}\" AS time", source.time),
        format!("{} AS source", text_literal(&source.name)),
        format!("{} AS account", text(ACCOUNT)),
        format!("{} AS region", text(REGION)),
        format!("{} AS service", one(clues.service)),
        format!("{} AS what", clues.what.sql()),
        format!("{} AS outcome", clues.outcome.sql()),
        format!("{} AS principal", first(&clues.principals)),
        format!("{} AS key", first(&clues.keys)),
        format!("{} AS address", first(&clues.addresses)),
        format!("{resource} AS resource"),
        format!("{} AS agent", one(clues.agent)),
        format!("'{}' AS matched", kind.as_str()),
        format!("{} AS id", one(clues.id)),
        format!("{} AS object", text(OBJECT)),
        format!("{} AS record", text("record")),
    ]
    .join(", ")
}
