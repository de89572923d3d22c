//! The page at a terminal.

use std::io::{self, Write};

use comfy_table::{Cell, CellAlignment};
use yagura_lake::investigate::{Changed, Kind, Link, Moment, Names, OtherLog, Profile};
use yagura_lake::time;

use super::super::hours;
use super::super::hunt::{cell, short_arn};
use super::fate::Fate;
use super::{Page, Within};
use crate::report::plain_table;
use crate::words::Words;

/// Names of one kind shown: a screen holds all kinds then. The HTML page and JSON hold more.
const NAMES_SHOWN: usize = 8;

/// Resources shown.
const CHANGES_SHOWN: usize = 40;

/// Credentials shown.
const LINKS_SHOWN: usize = 30;

/// Groups of rows shown of each other log.
const GROUPS_SHOWN: usize = 10;

pub(super) fn write(page: &Page, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    for line in heading(page, words) {
        writeln!(out, "{line}")?;
    }
    let (main, beside) = page.profiles();
    profile(main, page, words, out)?;
    changes(page, words, out)?;
    chain(&page.report.became.links, page.report.became.more, "investigate.became", words, out)?;
    chain(&page.report.before.links, page.report.before.more, "investigate.before", words, out)?;
    if beside.events > 0 {
        title(words.get("investigate.beside"), out)?;
        writeln!(out, "{}", counts(beside, words))?;
        names(&[("principals", &beside.principals), ("calls", &beside.calls)], words, out)?;
    }
    for other in &page.report.others {
        other_log(other, words, out)?;
    }
    title(words.get("investigate.completeness"), out)?;
    for line in hours::searched(&page.covered, words) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// What it is, how it was read, and what there is of it, a line each.
pub(super) fn heading(page: &Page, words: &Words) -> Vec<String> {
    let kind = words.get(kind_key(page.subject.kind));
    let mut lines = vec![words.fill("investigate.heading", &[("kind", &kind), ("name", &page.subject.name)])];
    for other in &page.also {
        let values: [(&str, &dyn std::fmt::Display); 3] =
            [("kind", &kind), ("other", &words.get(kind_key(*other))), ("flag", &other.as_str())];
        lines.push(words.fill("investigate.also", &values));
    }
    if page.subject.kind == Kind::Instance {
        let list = |all: &[String]| if all.is_empty() { "-".to_owned() } else { all.join(", ") };
        let (ids, addresses) = (list(&page.interfaces.ids), list(&page.interfaces.addresses));
        let key = if page.interfaces.ids.is_empty() { "investigate.no_interfaces" } else { "investigate.interfaces" };
        lines.push(words.fill(key, &[("ids", &ids), ("addresses", &addresses)]));
    }
    lines.extend(restriction(&page.within, words));
    lines
}

fn restriction(within: &Within, words: &Words) -> Option<String> {
    let time = |micros: Option<i64>| micros.map_or("…".to_owned(), time::text);
    let mut parts = Vec::new();
    if within.since.is_some() || within.until.is_some() {
        parts.push(format!("{} – {}", time(within.since), time(within.until)));
    }
    parts.extend(within.accounts.iter().chain(&within.regions).cloned());
    (!parts.is_empty()).then(|| words.fill("investigate.only", &[("parts", &parts.join(", "))]))
}

pub(super) fn kind_key(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "investigate.kind.key",
        Kind::Principal => "investigate.kind.principal",
        Kind::Address => "investigate.kind.address",
        Kind::Instance => "investigate.kind.instance",
        Kind::Resource => "investigate.kind.resource",
    }
}

fn title(text: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n{}", console::Style::new().bold().apply_to(text))
}

/// How many events, of what kinds, from when to when.
pub(super) fn counts(profile: &Profile, words: &Words) -> String {
    let (Some(first), Some(last)) = (profile.first, profile.last) else {
        return words.get("investigate.no_events").to_owned();
    };
    let values: [(&str, &dyn std::fmt::Display); 6] = [
        ("events", &profile.events),
        ("reads", &profile.reads),
        ("writes", &profile.writes),
        ("failed", &profile.failed),
        ("first", &moment(first)),
        ("last", &moment(last)),
    ];
    words.fill("investigate.counts", &values)
}

fn profile(profile: &Profile, page: &Page, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let key = if page.subject.kind == Kind::Resource { "investigate.named" } else { "investigate.did" };
    title(words.get(key), out)?;
    writeln!(out, "{}", counts(profile, words))?;
    names(&lists(profile, page.subject.kind), words, out)
}

/// The lists of a profile that say something of a subject of this kind, by the keys of their titles.
pub(super) fn lists(profile: &Profile, kind: Kind) -> Vec<(&'static str, &Names)> {
    let all = [
        ("addresses", &profile.addresses, kind != Kind::Address || profile.addresses.different > 1),
        ("principals", &profile.principals, true),
        ("keys", &profile.keys, kind != Kind::Key),
        ("accounts", &profile.accounts, true),
        ("regions", &profile.regions, true),
        ("services", &profile.services, true),
        ("calls", &profile.calls, true),
        ("errors", &profile.errors, true),
        ("agents", &profile.agents, true),
    ];
    all.into_iter()
        .filter(|(_, names, says)| *says && names.different > 0)
        .map(|(key, names, _)| (key, names))
        .collect()
}

fn names(lists: &[(&str, &Names)], words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let (single, several): (Vec<_>, Vec<_>) = lists.iter().partition(|(_, names)| names.different == 1);
    for (key, names) in single {
        // A table of one line says no more than the line.
        for named in &names.names {
            let title = words.fill(&format!("investigate.list.{key}"), &[("count", &names.different)]);
            writeln!(out, " {title}: {}", named.name)?;
        }
    }
    for (key, names) in several {
        let mut table = plain_table();
        let number = |count: u64| Cell::new(count).set_alignment(CellAlignment::Right);
        let head = ["events", "writes", "failed", "first", "last"].map(|key| format!("investigate.column.{key}"));
        let name = words.fill(&format!("investigate.list.{key}"), &[("count", &names.different)]);
        table.set_header(std::iter::once(name.as_str()).chain(head.iter().map(|key| words.get(key))));
        for named in names.names.iter().take(NAMES_SHOWN) {
            table.add_row([
                Cell::new(cell(short_arn(&named.name))),
                number(named.events),
                number(named.writes),
                number(named.failed),
                Cell::new(moment(named.first)),
                Cell::new(moment(named.last)),
            ]);
        }
        writeln!(out, "\n{table}")?;
        more(names.different.saturating_sub(NAMES_SHOWN as u64), words, out)?;
    }
    Ok(())
}

fn more(count: u64, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    if count > 0 {
        writeln!(out, " {}", words.fill("investigate.more", &[("count", &count)]))?;
    }
    Ok(())
}

fn changes(page: &Page, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let report = &page.report;
    if report.changes.is_empty() {
        return Ok(());
    }
    title(
        &words.fill("investigate.changes", &[("count", &(report.changes.len() as u64 + report.changes_left_out))]),
        out,
    )?;
    let mut table = plain_table();
    let head =
        ["resource", "place", "created", "changed", "deleted", "now"].map(|key| format!("investigate.column.{key}"));
    table.set_header(head.iter().map(|key| words.get(key)));
    for (change, fate) in report.changes.iter().zip(&page.fates).take(CHANGES_SHOWN) {
        let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
        table.add_row([
            cell(&format!("{}: {}", change.service, short_arn(&change.name))),
            format!("{} {}", change.account, change.region),
            time(change.created),
            time(change.changed),
            time(change.deleted),
            fate_text(change, fate, words),
        ]);
    }
    writeln!(out, "{table}")?;
    more((report.changes.len().saturating_sub(CHANGES_SHOWN)) as u64 + report.changes_left_out, words, out)
}

/// What became of a resource, in a few words.
pub(super) fn fate_text(change: &Changed, fate: &Fate, words: &Words) -> String {
    let day = |at: &chrono::DateTime<chrono::Utc>| at.format("%Y-%m-%d %H:%M").to_string();
    match fate {
        Fate::Exists { seen } => words.fill("investigate.fate.exists", &[("time", &day(seen))]),
        Fate::Gone { since } => words.fill("investigate.fate.gone", &[("time", &day(since))]),
        // Nobody looked, but nothing else happened to it since it was deleted.
        _ if change.deleted.is_some() && change.deleted == change.last() => {
            words.get("investigate.fate.deleted").to_owned()
        }
        Fate::NotSince { seen } => words.fill("investigate.fate.not_since", &[("time", &day(seen))]),
        Fate::Unknown => words.get("investigate.fate.unknown").to_owned(),
    }
}

fn chain(links: &[Link], is_more: bool, key: &str, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    title(words.get(key), out)?;
    for number in in_order(links).into_iter().take(LINKS_SHOWN) {
        let Some(link) = links.get(number) else { continue };
        writeln!(out, "{}{}", "  ".repeat(link.depth), link_text(link, words))?;
        if link.activity.events > 0 {
            writeln!(out, "{}{}", "  ".repeat(link.depth + 2), activity_text(link, words))?;
        }
    }
    more(links.len().saturating_sub(LINKS_SHOWN) as u64, words, out)?;
    if is_more {
        writeln!(out, " {}", words.get("investigate.chain_more"))?;
    }
    Ok(())
}

/// The links so that what came of one stands below it.
pub(super) fn in_order(links: &[Link]) -> Vec<usize> {
    let mut order = Vec::with_capacity(links.len());
    let below = |parent: Option<usize>| -> Vec<usize> {
        links.iter().enumerate().filter(|(_, link)| link.parent == parent).map(|(number, _)| number).rev().collect()
    };
    let mut waiting = below(None);
    while let Some(number) = waiting.pop() {
        order.push(number);
        waiting.extend(below(Some(number)));
    }
    order
}

/// One handing over of credentials.
pub(super) fn link_text(link: &Link, words: &Words) -> String {
    let or = |text: &Option<String>| text.as_deref().map_or("?".to_owned(), |text| cell(short_arn(text)));
    let from = match &link.by_account {
        Some(account) if *account != link.account => format!(" ({account})"),
        _ => String::new(),
    };
    let by = or(&link.by) + &from;
    let key = link.key.as_deref().unwrap_or("?");
    let address = link.address.as_deref().unwrap_or("?");
    let values: [(&str, &dyn std::fmt::Display); 7] = [
        ("time", &moment(link.at)),
        ("how", &link.how),
        ("by", &by),
        ("becomes", &or(&link.becomes)),
        ("account", &link.account),
        ("key", &key),
        ("address", &address),
    ];
    words.fill("investigate.link", &values)
}

/// What was done with the key of a link.
pub(super) fn activity_text(link: &Link, words: &Words) -> String {
    let activity = &link.activity;
    let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
    let values: [(&str, &dyn std::fmt::Display); 6] = [
        ("events", &activity.events),
        ("writes", &activity.writes),
        ("failed", &activity.failed),
        ("first", &time(activity.first)),
        ("last", &time(activity.last)),
        ("addresses", &activity.addresses.join(", ")),
    ];
    words.fill("investigate.activity", &values)
}

fn other_log(other: &OtherLog, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    title(&other_text(other, words), out)?;
    let mut table = plain_table();
    let head = ["what", "outcome", "events", "bytes", "first", "last"].map(|key| format!("investigate.column.{key}"));
    table.set_header(head.iter().map(|key| words.get(key)));
    let number = |count: u64| Cell::new(count).set_alignment(CellAlignment::Right);
    for group in other.groups.iter().take(GROUPS_SHOWN) {
        let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
        table.add_row([
            Cell::new(cell(&group.what)),
            Cell::new(group.outcome.as_deref().unwrap_or_default()),
            number(group.events),
            group.bytes.map_or_else(|| Cell::new(""), number),
            Cell::new(time(group.first)),
            Cell::new(time(group.last)),
        ]);
    }
    writeln!(out, "{table}")
}

/// How much one other log knows.
pub(super) fn other_text(other: &OtherLog, words: &Words) -> String {
    let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
    let values: [(&str, &dyn std::fmt::Display); 4] = [
        ("source", &other.source),
        ("events", &other.events),
        ("first", &time(other.first)),
        ("last", &time(other.last)),
    ];
    words.fill("investigate.other", &values)
}

/// A time to the second, in UTC.
pub(super) fn moment(at: Moment) -> String {
    chrono::DateTime::from_timestamp_micros(at.0)
        .map_or_else(|| at.0.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S").to_string())
}
