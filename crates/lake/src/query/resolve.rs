//! Names in a question, as people type them: `eventname` and `userIdentity.arn` find the columns `eventName` and
//! `userIdentity_arn`, wherever that says one thing only.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, Statement, TableAlias, TableFactor, VisitMut,
    VisitorMut,
};

use super::QueryError;

/// Changes of a name by which a misspelt one is still recognised.
const DISTANCE_MAX: usize = 3;

/// The tables there are, each with its columns.
pub(super) type Tables = BTreeMap<String, Vec<String>>;

/// Spells the names of the statement as the tables do.
pub(super) fn resolve(statement: &mut Statement, tables: &Tables) -> Result<BTreeSet<String>, QueryError> {
    let mut names = Names::default();
    let _: ControlFlow<()> = statement.visit(&mut names);
    let mut relations = Relations { tables, names: &names, used: BTreeSet::new() };
    if let ControlFlow::Break(error) = statement.visit(&mut relations) {
        return Err(error);
    }
    let used = relations.used;
    let columns: BTreeSet<&str> = tables
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .flat_map(|(_, columns)| columns)
        .map(String::as_str)
        .collect();
    let qualifiers: BTreeSet<&str> =
        used.iter().map(String::as_str).chain(names.aliases.iter().map(String::as_str)).collect();
    let _: ControlFlow<()> = statement.visit(&mut Columns { known: columns, qualifiers, names: &names });
    Ok(used)
}

/// The name among `known` that is most like `name`, if one is like it.
pub(super) fn like<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = name.to_lowercase();
    let rated = known.into_iter().map(|known| {
        let other = known.to_lowercase();
        let within = lower.len() >= 3 && (other.ends_with(&lower) || other.starts_with(&lower));
        (if within { 1 } else { distance(&lower, &other) }, known)
    });
    rated
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= DISTANCE_MAX.min(name.len() / 2))
        .map(|(_, known)| known)
}

/// Letters to change, add or drop to make one name of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (number, letter) in one.chars().enumerate() {
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), number + 1);
        let mut left = number + 1;
        for (cell, expected) in row.iter_mut().skip(1).zip(&other) {
            let changed = diagonal + usize::from(letter != *expected);
            diagonal = *cell;
            *cell = changed.min(*cell + 1).min(left + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// Names that the question makes itself.
#[derive(Debug, Default)]
struct Names {
    /// Of common table expressions, subqueries and tables.
    aliases: BTreeSet<String>,
    /// Of columns.
    columns: BTreeSet<String>,
}

impl Names {
    fn alias(&mut self, alias: &TableAlias) {
        self.aliases.insert(alias.name.value.clone());
        self.columns.extend(alias.columns.iter().map(|column| column.name.value.clone()));
    }
}

impl VisitorMut for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.alias(&table.alias);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.columns.insert(alias.value.clone());
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { alias: Some(alias), .. }
            | TableFactor::Derived { alias: Some(alias), .. }
            | TableFactor::UNNEST { alias: Some(alias), .. }
            | TableFactor::NestedJoin { alias: Some(alias), .. } => self.alias(alias),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Finds the tables that the question asks.
struct Relations<'a> {
    tables: &'a Tables,
    names: &'a Names,
    used: BTreeSet<String>,
}

impl VisitorMut for Relations<'_> {
    type Break = QueryError;

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<QueryError> {
        let [ObjectNamePart::Identifier(ident)] = relation.0.as_mut_slice() else { return ControlFlow::Continue(()) };
        if self.names.aliases.contains(&ident.value) && !self.tables.contains_key(&ident.value) {
            return ControlFlow::Continue(());
        }
        match spelled(ident, self.tables.keys().map(String::as_str)) {
            Some(name) => {
                self.used.insert(name.to_owned());
                *ident = exact(name);
                ControlFlow::Continue(())
            }
            // A function that gives rows (`generate_series`) is a relation, too, and the planner knows it.
            None if ["range", "generate_series"].contains(&ident.value.as_str()) => ControlFlow::Continue(()),
            None => ControlFlow::Break(QueryError::UnknownTable {
                name: ident.value.clone(),
                like: like(&ident.value, self.tables.keys().map(String::as_str)).map(str::to_owned),
                known: self.tables.keys().cloned().collect(),
            }),
        }
    }
}

/// Spells the columns.
struct Columns<'a> {
    known: BTreeSet<&'a str>,
    qualifiers: BTreeSet<&'a str>,
    names: &'a Names,
}

impl Columns<'_> {
    fn column(&self, ident: &Ident) -> Option<Ident> {
        if self.names.columns.contains(&ident.value) {
            return None;
        }
        let own = self.names.columns.iter().map(String::as_str);
        spelled(ident, self.known.iter().copied().chain(own)).map(exact)
    }

    /// The column that a dotted path names.
    fn path(&self, parts: &[Ident]) -> Option<Ident> {
        let joined: Vec<&str> = parts.iter().map(|part| part.value.as_str()).collect();
        spelled(&Ident::new(joined.join("_")), self.known.iter().copied()).map(exact)
    }

    fn compound(&self, parts: &[Ident]) -> Option<Expr> {
        let [first, rest @ ..] = parts else { return None };
        if let (Some(table), false) = (spelled(first, self.qualifiers.iter().copied()), rest.is_empty()) {
            let column = match rest {
                [column] => self.column(column).unwrap_or_else(|| column.clone()),
                path => self.path(path)?,
            };
            return Some(Expr::CompoundIdentifier(vec![exact(table), column]));
        }
        self.path(parts).map(Expr::Identifier)
    }
}

impl VisitorMut for Columns<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                if let Some(column) = self.column(ident) {
                    *ident = column;
                }
            }
            Expr::CompoundIdentifier(parts) => {
                if let Some(resolved) = self.compound(parts) {
                    *expr = resolved;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The known name that the identifier means: the same, or the only one that differs in case, unless it was quoted.
fn spelled<'k>(ident: &Ident, known: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    if let Some(same) = known.clone().find(|name| *name == ident.value) {
        return Some(same);
    }
    if ident.quote_style.is_some() {
        return None;
    }
    let alike: BTreeSet<&str> = known.filter(|name| name.eq_ignore_ascii_case(&ident.value)).collect();
    match alike.len() {
        1 => alike.into_iter().next(),
        _ => None,
    }
}

fn exact(name: &str) -> Ident {
    Ident::with_quote('"', name)
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn tables() -> Tables {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Tables::from([
            ("cloudtrail".to_owned(), columns(&["eventName", "eventTime", "userIdentity_arn", "account"])),
            ("vpc_flow".to_owned(), columns(&["srcaddr", "account", "Action", "ACTION"])),
        ])
    }

    fn resolved(sql: &str) -> Result<String, String> {
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        resolve(&mut statement, &tables()).map_err(|error| error.to_string())?;
        Ok(statement.to_string())
    }

    #[test]
    fn names_are_spelled_as_the_tables_do() {
        for (given, expected) in [
            ("SELECT eventname FROM CloudTrail", "SELECT \"eventName\" FROM \"cloudtrail\""),
            ("SELECT userIdentity.arn FROM cloudtrail", "SELECT \"userIdentity_arn\" FROM \"cloudtrail\""),
            (
                "SELECT t.EVENTNAME, t.useridentity.ARN FROM cloudtrail t",
                "SELECT \"t\".\"eventName\", \"t\".\"userIdentity_arn\" FROM \"cloudtrail\" t",
            ),
            (
                "SELECT count(*) AS eventname FROM cloudtrail ORDER BY eventname",
                "SELECT count(*) AS eventname FROM \"cloudtrail\" ORDER BY eventname",
            ),
            (
                "SELECT count(*) AS Hits FROM cloudtrail ORDER BY hits",
                "SELECT count(*) AS Hits FROM \"cloudtrail\" ORDER BY \"Hits\"",
            ),
            (
                "WITH e AS (SELECT eventName FROM cloudtrail) SELECT e.eventname FROM e",
                "WITH e AS (SELECT \"eventName\" FROM \"cloudtrail\") SELECT \"e\".\"eventName\" FROM e",
            ),
            ("SELECT action FROM vpc_flow", "SELECT action FROM \"vpc_flow\""),
            ("SELECT \"eventname\" FROM cloudtrail", "SELECT \"eventname\" FROM \"cloudtrail\""),
        ] {
            assert_eq!(resolved(given).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn a_misspelt_table_is_recognised() {
        let error = resolved("SELECT 1 FROM cloudtrial").unwrap_err();
        assert!(error.contains("`cloudtrial`"), "{error}");
        assert_eq!(like("evnetName", ["eventName", "eventTime"]), Some("eventName"));
        assert_eq!(like("arn", ["eventName", "userIdentity_arn"]), Some("userIdentity_arn"));
        assert_eq!(like("xyz", ["eventName"]), None);
    }
}
