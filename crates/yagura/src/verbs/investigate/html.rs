//! One HTML page that needs nothing else: made whole here, without a script, and every text escaped.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};

use yagura_lake::investigate::{Link, Moment, Names, OtherLog, Profile};

use super::super::hours;
use super::super::hunt::shortened;
use super::Page;
use super::text::{activity_text, counts, fate_text, heading, in_order, link_text, lists, moment, other_text};
use crate::words::Words;

const PAGE: &str = include_str!("page.html");

/// Names of one kind on the page.
const NAMES_SHOWN: usize = 50;

/// Names of one kind that are shown unfolded.
const NAMES_OPEN: usize = 8;

/// Characters of a name; the whole of it comes up under the pointer.
const NAME_CHARACTERS_MAX: usize = 120;

/// Days of the calendar: the last ones; more bars are no longer seen.
const DAYS_SHOWN: usize = 120;

pub(super) fn write(page: &Page, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let lines = heading(page, words);
    let title = lines.first().cloned().unwrap_or_default();
    let meta: Vec<String> = lines.iter().skip(1).map(|line| format!("<p>{}</p>", Text(line))).collect();
    let at = page.at.format("%Y-%m-%d %H:%M:%S").to_string();
    let made = words.fill("investigate.made", &[("time", &at), ("version", &env!("CARGO_PKG_VERSION"))]);
    let main = body(page, words);
    let mut rest = PAGE;
    while let Some((before, after)) = rest.split_once("{{") {
        out.write_all(before.as_bytes())?;
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        match name {
            "lang" => write!(out, "{}", words.lang().code())?,
            "title" => write!(out, "{}", Text(&title))?,
            "meta" => out.write_all(meta.concat().as_bytes())?,
            "main" => out.write_all(main.as_bytes())?,
            "made" => write!(out, "{}", Text(&made))?,
            _ => {}
        }
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

/// Goes on with the page. That it is made of formatted pieces is plain here, and no page is so long that it matters.
fn add(html: &mut String, text: &str) {
    html.push_str(text);
}

/// A text as it stands in HTML, in an attribute too.
struct Text<T>(T);

impl<T: Display> Display for Text<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for letter in self.0.to_string().chars() {
            match letter {
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '&' => f.write_str("&amp;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                control if control.is_control() => f.write_str(" ")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn body(page: &Page, words: &Words) -> String {
    let (main, beside) = page.profiles();
    let mut html = tiles(main, page, words);
    add(&mut html, &format!("<p>{}</p>", Text(counts(main, words))));
    html.push_str(&calendar(main, words));
    html.push_str("<div class=\"columns\">");
    for (key, names) in lists(main, page.subject.kind) {
        html.push_str(&list(key, names, words));
    }
    html.push_str("</div>");
    html.push_str(&changes(page, words));
    for (links, is_more, key) in [
        (&page.report.became.links, page.report.became.more, "investigate.became"),
        (&page.report.before.links, page.report.before.more, "investigate.before"),
    ] {
        html.push_str(&chain(links, is_more, key, words));
    }
    if beside.events > 0 {
        add(
            &mut html,
            &format!("<h2>{}</h2><p>{}</p>", Text(words.get("investigate.beside")), Text(counts(beside, words))),
        );
        html.push_str("<div class=\"columns\">");
        html.push_str(&list("principals", &beside.principals, words));
        html.push_str(&list("calls", &beside.calls, words));
        html.push_str("</div>");
    }
    for other in &page.report.others {
        html.push_str(&other_log(other, words));
    }
    add(&mut html, &format!("<h2>{}</h2><div class=\"card\">", Text(words.get("investigate.completeness"))));
    for line in hours::searched(&page.covered, words) {
        add(&mut html, &format!("<p>{}</p>", Text(line)));
    }
    html + "</div>"
}

fn tiles(profile: &Profile, page: &Page, words: &Words) -> String {
    let total = page.covered.total();
    let tiles: [(&str, String, &str); 6] = [
        ("investigate.column.events", profile.events.to_string(), ""),
        ("investigate.column.writes", profile.writes.to_string(), "write"),
        ("investigate.column.failed", profile.failed.to_string(), "bad"),
        ("investigate.tile.changes", (page.report.changes.len() as u64 + page.report.changes_left_out).to_string(), ""),
        ("investigate.tile.became", page.report.became.links.len().to_string(), ""),
        ("investigate.tile.hours", format!("{} / {}", total.searched, total.hours), ""),
    ];
    let tile = |(key, value, class): &(&str, String, &str)| {
        format!(
            "<div class=\"tile\"><b class=\"{class}\">{}</b><span class=\"soft\">{}</span></div>",
            Text(value),
            Text(words.get(key))
        )
    };
    format!("<div class=\"tiles\">{}</div>", tiles.iter().map(tile).collect::<String>())
}

/// The last days as bars.
fn calendar(profile: &Profile, words: &Words) -> String {
    let most = profile.days.iter().map(|day| day.events).max().unwrap_or_default();
    if profile.days.len() < 2 || most == 0 {
        return String::new();
    }
    let days = profile.days.iter().skip(profile.days.len().saturating_sub(DAYS_SHOWN));
    let bar = |day: &yagura_lake::investigate::Day| {
        // In hundredths, and never so low that a day with events looks empty.
        let height = (day.events.saturating_mul(100) / most).max(3);
        let values: [(&str, &dyn Display); 3] = [("day", &day.day), ("events", &day.events), ("failed", &day.failed)];
        let text = words.fill("investigate.day", &values);
        format!("<i style=\"height:{height}%\" title=\"{0}\" aria-label=\"{0}\"></i>", Text(text))
    };
    let bars: String = days.map(bar).collect();
    format!("<h2>{}</h2><div class=\"days card\">{bars}</div>", Text(words.get("investigate.days")))
}

fn list(key: &str, names: &Names, words: &Words) -> String {
    if names.different == 0 {
        return String::new();
    }
    let title = words.fill(&format!("investigate.list.{key}"), &[("count", &names.different)]);
    let column = |key: &str| Text(words.get(&format!("investigate.column.{key}"))).to_string();
    let row = |named: &yagura_lake::investigate::Named| {
        let seen = format!("{} – {}", moment(named.first), moment(named.last));
        let failed =
            if named.failed > 0 { format!("<span class=\"bad\">{}</span>", named.failed) } else { "0".to_owned() };
        format!(
            "<tr><td class=\"name\" title=\"{}\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{failed}</td></tr>",
            Text(format!("{} ({seen})", named.name)),
            Text(shortened(&named.name, NAME_CHARACTERS_MAX)),
            named.events,
            named.writes,
        )
    };
    let table = |rows: &[yagura_lake::investigate::Named], with_head: bool| {
        let head = format!(
            "<thead><tr><th>{}</th><th class=\"n\">{}</th><th class=\"n\">{}</th><th class=\"n\">{}</th></tr></thead>",
            Text(&title),
            column("events"),
            column("writes"),
            column("failed")
        );
        let rows: String = rows.iter().map(row).collect();
        format!("<table>{}<tbody>{rows}</tbody></table>", if with_head { head } else { String::new() })
    };
    let shown = names.names.get(..names.names.len().min(NAMES_SHOWN)).unwrap_or_default();
    let (open, folded) = shown.split_at(shown.len().min(NAMES_OPEN));
    let mut html = format!("<section class=\"scroll\">{}", table(open, true));
    if names.different > open.len() as u64 {
        let more = words.fill("investigate.more", &[("count", &(names.different - open.len() as u64))]);
        add(&mut html, &format!("<details><summary>{}</summary>{}</details>", Text(more), table(folded, false)));
    }
    html + "</section>"
}

fn changes(page: &Page, words: &Words) -> String {
    let report = &page.report;
    if report.changes.is_empty() {
        return String::new();
    }
    let all = report.changes.len() as u64 + report.changes_left_out;
    let column = |key: &str| Text(words.get(&format!("investigate.column.{key}"))).to_string();
    let mut html = format!(
        "<h2>{}</h2><div class=\"scroll\"><table><thead><tr>",
        Text(words.fill("investigate.changes", &[("count", &all)]))
    );
    for key in ["resource", "created", "changed", "deleted", "calls", "now"] {
        add(&mut html, &format!("<th>{}</th>", column(key)));
    }
    html.push_str("</tr></thead><tbody>");
    for (change, fate) in report.changes.iter().zip(&page.fates) {
        let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
        let calls: Vec<String> = change
            .calls
            .iter()
            .map(|(call, count)| if *count > 1 { format!("{call} ×{count}") } else { call.clone() })
            .collect();
        let class = match fate {
            super::Fate::Exists { .. } => "write",
            _ => "soft",
        };
        add(
            &mut html,
            &format!(
                "<tr><td class=\"name\" title=\"{}\">{}<div class=\"soft\">{} · {} {}</div></td><td>{}</td><td>{}</td><td>{}</td><td class=\"name\">{}</td><td class=\"{class}\">{}</td></tr>",
                Text(change.names.join(" ")),
                Text(&change.name),
                Text(&change.service),
                Text(&change.account),
                Text(&change.region),
                time(change.created),
                time(change.changed),
                time(change.deleted),
                Text(calls.join(", ")),
                Text(fate_text(change, fate, words)),
            ),
        );
    }
    html.push_str("</tbody></table></div>");
    if report.changes_left_out > 0 {
        add(
            &mut html,
            &format!(
                "<p class=\"soft\">{}</p>",
                Text(words.fill("investigate.more", &[("count", &report.changes_left_out)]))
            ),
        );
    }
    html
}

fn chain(links: &[Link], is_more: bool, key: &str, words: &Words) -> String {
    if links.is_empty() {
        return String::new();
    }
    let mut html = format!("<h2>{}</h2><div class=\"card chain\">", Text(words.get(key)));
    for number in in_order(links) {
        let Some(link) = links.get(number) else { continue };
        add(
            &mut html,
            &format!(
                "<div style=\"margin-left:{}px\"><p>{}</p>",
                (link.depth.saturating_sub(1)) * 18,
                Text(link_text(link, words))
            ),
        );
        if link.activity.events > 0 {
            add(&mut html, &format!("<p class=\"soft\">{}</p>", Text(activity_text(link, words))));
        }
        html.push_str("</div>");
    }
    if is_more {
        add(&mut html, &format!("<p class=\"soft\">{}</p>", Text(words.get("investigate.chain_more"))));
    }
    html + "</div>"
}

fn other_log(other: &OtherLog, words: &Words) -> String {
    let column = |key: &str| Text(words.get(&format!("investigate.column.{key}"))).to_string();
    let mut html = format!("<h2>{}</h2><div class=\"scroll\"><table><thead><tr>", Text(other_text(other, words)));
    for (key, class) in [("what", ""), ("outcome", ""), ("events", "n"), ("bytes", "n"), ("first", ""), ("last", "")] {
        add(&mut html, &format!("<th class=\"{class}\">{}</th>", column(key)));
    }
    html.push_str("</tr></thead><tbody>");
    for group in &other.groups {
        let time = |at: Option<Moment>| at.map(moment).unwrap_or_default();
        add(
            &mut html,
            &format!(
                "<tr><td class=\"name\">{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td><td>{}</td></tr>",
                Text(&group.what),
                Text(group.outcome.as_deref().unwrap_or_default()),
                group.events,
                group.bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
                time(group.first),
                time(group.last),
            ),
        );
    }
    html + "</tbody></table></div>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_logs_are_never_markup() {
        let text = Text("<script>alert(\"1\")</script>&'\u{7}").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39; ");
        // Without a script of its own, the page lets none run.
        assert!(PAGE.contains("default-src 'none'; style-src 'unsafe-inline'\""));
        assert!(!PAGE.contains("<script"));
    }
}
