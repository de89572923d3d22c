//! `yagura investigate`: all that is known of one subject, on one page.
//!
//! The logs say what was done (the lake's report); the ledger says what an instance's interfaces are, what a bare name
//! belongs to, and what of it all still exists. Here the two are joined.

mod fate;
mod html;
mod text;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::net::IpAddr;

use anyhow::Result;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use yagura_lake::Lake;
use yagura_lake::coverage::Covered;
use yagura_lake::hunt::Within;
use yagura_lake::investigate::{Interfaces, Kind, Profile, Report, Subject};
use yagura_model::Resource;
use yagura_record::Reader;

use super::hunt::{covered, exit, threads, within};
use super::logs::lake;
use crate::cli::{Common, Format, InvestigateArgs, KindArg};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, Usage, pipeline, print};
use fate::Fate;

/// Interfaces and addresses of one instance; the largest instances have 15 interfaces with 50 addresses each.
const INTERFACES_MAX: usize = 100;

/// All that is on the page.
struct Page {
    subject: Subject,
    /// How else it could have been read.
    also: Vec<Kind>,
    interfaces: Interfaces,
    within: Within,
    at: DateTime<Utc>,
    report: Report,
    /// What became of each of the report's changes.
    fates: Vec<Fate>,
    covered: Covered,
}

impl Page {
    /// The events that matter most, and those beside them: of what acts, what it did; of a thing, what was done to it.
    fn profiles(&self) -> (&Profile, &Profile) {
        match self.subject.kind {
            Kind::Resource => (&self.report.named, &self.report.did),
            Kind::Key | Kind::Principal | Kind::Address | Kind::Instance => (&self.report.did, &self.report.named),
        }
    }
}

/// Finds out and prints.
pub(super) fn run(common: &Common, args: &InvestigateArgs, config: &Config, words: &Words) -> Result<Exit> {
    let format = match (common.output, &common.query) {
        (_, Some(_)) => Format::Json,
        (None, None) => Format::Table,
        (Some(format @ (Format::Table | Format::Json | Format::Html)), None) => format,
        (Some(other), None) => {
            let text = format!("this verb has no output in the form `{other:?}`: use table, json or html");
            return Err(Usage(text.to_lowercase()).into());
        }
    };
    let within = within(&args.within)?;
    let runtime = pipeline::runtime()?;
    let lake = lake(config, &runtime)?;
    let page = runtime.block_on(async {
        let reader = pipeline::open_ledger(config).await?.reader().await?;
        let page = page(&lake, &reader, args, within, config).await;
        reader.close().await;
        page
    })?;
    match &args.out {
        Some(path) => print::whole_file(path, |out| write(&page, format, words, out))?,
        None if format == Format::Json => print::document(common, &document(&page)?)?,
        None => write(&page, format, words, &mut io::stdout().lock())?,
    }
    Ok(exit(&page.covered, &args.within))
}

fn write(page: &Page, format: Format, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Html => html::write(page, words, out),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &document(page)?)?;
            out.write_all(b"\n")
        }
        _ => text::write(page, words, out),
    }
}

async fn page(lake: &Lake, reader: &Reader, args: &InvestigateArgs, within: Within, config: &Config) -> Result<Page> {
    let kinds = Kind::of(&args.subject);
    let kind = match args.kind {
        Some(kind) => kind_of(kind),
        None => likeliest(lake, reader, &args.subject, &kinds).await?,
    };
    let subject = Subject::new(&args.subject, kind)?;
    let mut interfaces = Interfaces::default();
    if kind == Kind::Instance {
        interfaces = instance(reader, &subject.name).await?;
    }
    let subject = subject.with_interfaces(&interfaces);
    let report = lake.investigate(&subject, &within, threads()).await?;
    let fates = fate::of(reader, &report.changes).await?;
    let covered = covered(lake, &within, &args.within, config).await?;
    let also = kinds.into_iter().filter(|other| *other != kind).collect();
    Ok(Page { subject, also, interfaces, within, at: crate::now(), report, fates, covered })
}

fn kind_of(kind: KindArg) -> Kind {
    match kind {
        KindArg::Key => Kind::Key,
        KindArg::Principal => Kind::Principal,
        KindArg::Address => Kind::Address,
        KindArg::Instance => Kind::Instance,
        KindArg::Resource => Kind::Resource,
    }
}

/// What a text is, of what it can be: a bare name is a principal's if the ledger or the logs know such a one.
async fn likeliest(lake: &Lake, reader: &Reader, text: &str, kinds: &[Kind]) -> Result<Kind> {
    let is_bare = kinds == [Kind::Principal, Kind::Resource] && !text.starts_with("arn:");
    if is_bare {
        let known = reader.named(&[text.to_owned()]).await?;
        let is_principal =
            known.iter().any(|row| ["AWS::IAM::User", "AWS::IAM::Role"].contains(&row.key.kind.as_str()));
        if !is_principal && (!known.is_empty() || !lake.has_principal(text, threads()).await?) {
            return Ok(Kind::Resource);
        }
    }
    Ok(kinds.first().copied().unwrap_or(Kind::Resource))
}

/// The interfaces of an instance and all its addresses, as it was when it was last seen.
async fn instance(reader: &Reader, name: &str) -> Result<Interfaces> {
    let (mut ids, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    let id = name.rsplit('/').next().unwrap_or(name);
    for resource in last_seen(reader, id).await? {
        let of_type =
            resource.relations.iter().filter(|relation| relation.kind.as_str() == "AWS::EC2::NetworkInterface");
        ids.extend(of_type.map(|relation| relation.id.clone()));
        add_addresses(&resource, &mut addresses);
    }
    for id in ids.iter().take(INTERFACES_MAX) {
        for resource in last_seen(reader, id).await? {
            add_addresses(&resource, &mut addresses);
        }
    }
    Ok(Interfaces {
        ids: ids.into_iter().take(INTERFACES_MAX).collect(),
        addresses: addresses.into_iter().map(|address| address.to_string()).take(INTERFACES_MAX).collect(),
    })
}

/// Resources of this id: as they are, or as they were before they were gone.
async fn last_seen(reader: &Reader, id: &str) -> Result<Vec<Resource>> {
    let mut found = Vec::new();
    for row in reader.named(&[id.to_owned()]).await? {
        let at = row.gone.map(|_| row.last_seen);
        let recorded = reader.resource(&row.key.id, at).await?;
        found.extend(
            recorded.into_iter().map(|recorded| recorded.resource).filter(|resource| resource.key() == row.key),
        );
    }
    Ok(found)
}

/// Every text of the resource that is an address.
fn add_addresses(resource: &Resource, found: &mut BTreeSet<IpAddr>) {
    let mut waiting: Vec<&Value> = resource.properties.values().chain(resource.attributes.values()).collect();
    while let Some(value) = waiting.pop() {
        match value {
            Value::String(text) => found.extend(text.parse::<IpAddr>().ok()),
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => waiting.extend(members.values()),
            _ => {}
        }
    }
}

/// The page for a program.
fn document(page: &Page) -> serde_json::Result<Value> {
    let Page { subject, also, interfaces, within, at, report, fates, covered } = page;
    let mut changes = Vec::new();
    for (change, fate) in report.changes.iter().zip(fates) {
        let mut change = serde_json::to_value(change)?;
        if let Some(members) = change.as_object_mut() {
            members.insert("now".to_owned(), serde_json::to_value(fate)?);
        }
        changes.push(change);
    }
    let total = covered.total();
    let time = |micros: Option<i64>| micros.map(yagura_lake::time::text);
    Ok(json!({
        "subject": subject.name,
        "kind": subject.kind,
        "could_be": also,
        "interfaces": interfaces.ids,
        "addresses": interfaces.addresses,
        "at": at.to_rfc3339_opts(SecondsFormat::Secs, true),
        "since": time(within.since),
        "until": time(within.until),
        "accounts": within.accounts,
        "regions": within.regions,
        "searched": {
            "hours": total.searched, "hours_all": total.hours, "complete": total.complete, "missing": total.missing,
            "tampered": total.tampered, "sources": covered.sources,
        },
        "did": report.did,
        "named": report.named,
        "changes": changes,
        "changes_left_out": report.changes_left_out,
        "became": report.became,
        "before": report.before,
        "other_logs": report.others,
    }))
}
