//! Fields between separators: flow logs, access logs, the W3C format.

use std::borrow::Cow;

use super::cells::Cell;
use super::columns::{Column, Place, Places, normalise};
use super::file::{self, Header, Separator};
use super::mapping::{Delimited, Layout, Mapping};
use crate::object::Reason;

/// Characters of a wrong value that a reason repeats.
const SHOWN_CHARS_MAX: usize = 40;

/// Fields that a line may have. The longest formats have about 60; more is no line of a log.
const FIELDS_MAX: usize = 1000;

/// What a line is.
pub(super) enum Line {
    /// The names of the fields of the lines that follow.
    Header(Layout),
    /// Says nothing.
    Comment,
    /// A row, or what should be one.
    Row,
}

impl Delimited {
    /// What this line is.
    pub(super) fn line(&self, columns: &[Column], line: &str) -> Line {
        match self.spec.header {
            Header::None => Line::Row,
            Header::Fields => match line.strip_prefix('#') {
                None => Line::Row,
                Some(directive) => match directive.trim_start().strip_prefix("Fields:") {
                    Some(names) => Line::Header(Self::layout(columns, names)),
                    None => Line::Comment,
                },
            },
            Header::Line => {
                let known = |word: &str| {
                    let field = normalise(word);
                    columns.iter().any(|column| column.takes(&field))
                };
                // A row has digits or `-` where a header has names: one known word would do, all of them are sure.
                let is_header = !line.trim().is_empty() && line.split_whitespace().all(known);
                if is_header { Line::Header(Self::layout(columns, line)) } else { Line::Row }
            }
        }
    }

    /// The layout that the start of an object says, for lines that come later.
    pub(super) fn layout_of(&self, columns: &[Column], head: &str) -> Option<Layout> {
        head.lines().take(HEADER_LINES_MAX).find_map(|line| match self.line(columns, line) {
            Line::Header(layout) => Some(layout),
            Line::Comment | Line::Row => None,
        })
    }

    fn layout(columns: &[Column], names: &str) -> Layout {
        let fields: Vec<String> = names.split_whitespace().take(FIELDS_MAX).map(normalise).collect();
        Layout { places: Places::of(columns, &fields), least: fields.len(), fields: fields.len() }
    }

    /// The cells of one row.
    pub(super) fn cells<'r>(
        &self,
        mapping: &Mapping,
        layout: &Layout,
        line: &'r str,
        fields: &mut Vec<Cow<'r, str>>,
        cells: &mut Vec<Cell<'r>>,
    ) -> Result<(), Reason> {
        fields.clear();
        cells.clear();
        split(&self.spec, line, fields)?;
        let count = fields.len();
        if count < layout.least || (count > layout.fields && !self.spec.more) {
            return Err(Reason::BadRow(format!("{count} fields where {} should be", layout.fields)));
        }
        place(&mapping.columns, &layout.places, fields, cells)
    }
}

/// Lines at the start of an object among which its header is.
const HEADER_LINES_MAX: usize = 10;

/// Makes cells of fields that stand at known places.
pub(super) fn place<'r>(
    columns: &[Column],
    places: &Places,
    fields: &[Cow<'r, str>],
    cells: &mut Vec<Cell<'r>>,
) -> Result<(), Reason> {
    for (column, place) in columns.iter().zip(&places.0) {
        let field = match place {
            Place::Nowhere => None,
            Place::At(at) => fields.get(*at).filter(|field| !is_null(field)).cloned(),
            Place::Join(several) => {
                let parts = several.iter().map(|at| fields.get(*at).filter(|field| !is_null(field)));
                let parts = parts.map(|part| part.map(AsRef::as_ref)).collect::<Option<Vec<&str>>>();
                parts.map(|parts| Cow::Owned(parts.join(" ")))
            }
        };
        let cell = match field {
            None => Cell::Null,
            Some(field) => {
                let shown = field.clone();
                column.kind.cell(column.part, field).map_err(|()| wrong(column, &shown))?
            }
        };
        cells.push(cell);
    }
    Ok(())
}

/// Says that a field is not what its column holds.
pub(super) fn wrong(column: &Column, text: &str) -> Reason {
    let shown: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    Reason::BadRow(format!("`{}` is not {}: `{shown}`", column.name, column.kind.noun()))
}

fn is_null(field: &str) -> bool {
    field.is_empty() || field == "-"
}

fn split<'r>(spec: &file::Delimited, line: &'r str, fields: &mut Vec<Cow<'r, str>>) -> Result<(), Reason> {
    let too_many = || Reason::BadRow(format!("more than {FIELDS_MAX} fields"));
    if spec.separator == Separator::Tab {
        for field in line.split('\t') {
            if fields.len() == FIELDS_MAX {
                return Err(too_many());
            }
            fields.push(Cow::Borrowed(field));
        }
        return Ok(());
    }
    let mut rest = line.trim_matches(' ');
    while !rest.is_empty() {
        if fields.len() == FIELDS_MAX {
            return Err(too_many());
        }
        let (field, behind) = match rest.as_bytes().first() {
            Some(b'"') if spec.quotes => closed(rest, '"')?,
            Some(b'[') if spec.brackets => closed(rest, ']')?,
            _ => rest.split_once(' ').unwrap_or((rest, "")),
        };
        fields.push(Cow::Borrowed(field));
        rest = behind.trim_start_matches(' ');
    }
    Ok(())
}

/// The text between the first character and the closing one that a blank or the end follows: a quote that a client
/// sent as part of its name does not end the field.
fn closed(text: &str, end: char) -> Result<(&str, &str), Reason> {
    let inner = text.get(1..).unwrap_or_default();
    for (at, _) in inner.match_indices(end) {
        let behind = inner.get(at + end.len_utf8()..).unwrap_or_default();
        if behind.is_empty() || behind.starts_with(' ') {
            return Ok((inner.get(..at).unwrap_or_default(), behind));
        }
    }
    Err(Reason::BadRow(format!("a field without its closing `{end}`")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spec(separator: Separator) -> file::Delimited {
        file::Delimited {
            separator,
            quotes: true,
            brackets: true,
            header: Header::None,
            order: vec![],
            least: None,
            more: false,
        }
    }

    #[track_caller]
    fn check(line: &str, expected: &[&str]) {
        let mut fields = Vec::new();
        split(&spec(Separator::Blank), line, &mut fields).unwrap();
        assert_eq!(fields, expected, "{line}");
    }

    #[test]
    fn fields_come_apart() {
        check("a b  c ", &["a", "b", "c"]);
        check(r#"a "b c" [d e] f"#, &["a", "b c", "d e", "f"]);
        check(r#"a "" -"#, &["a", "", "-"]);
        check(r#"a "say "hi" there" b"#, &["a", r#"say "hi"#, "there\"", "b"]);
        check(r#"a "Mozilla"5.0" b"#, &["a", r#"Mozilla"5.0"#, "b"]);
        check("", &[]);
    }

    #[test]
    fn a_field_that_never_closes_is_no_row() {
        let mut fields = Vec::new();
        assert!(split(&spec(Separator::Blank), r#"a "b c"#, &mut fields).is_err());
    }

    proptest! {
        #[test]
        fn what_is_put_together_comes_apart_again(words in prop::collection::vec("[a-z0-9.:/-]{1,8}( [a-z]{1,5})?", 1..20)) {
            let line: Vec<String> = words.iter().map(|word| if word.contains(' ') { format!("\"{word}\"") } else { word.clone() }).collect();
            let line = line.join(" ");
            let mut fields = Vec::new();
            split(&spec(Separator::Blank), &line, &mut fields).unwrap();
            prop_assert_eq!(fields, words);
        }

        #[test]
        fn no_line_is_too_strange(line in any::<String>()) {
            let _ = split(&spec(Separator::Blank), &line, &mut Vec::new());
            let _ = split(&spec(Separator::Tab), &line, &mut Vec::new());
        }
    }
}
