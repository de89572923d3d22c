//! Lines that match one of several regular expressions, the first that does.

use std::borrow::Cow;

use super::cells::Cell;
use super::delimited::place;
use super::mapping::{Line, Mapping};
use crate::object::Reason;

/// The cells of one line.
pub(super) fn cells<'r>(
    mapping: &Mapping,
    lines: &'r [Line],
    text: &'r str,
    fields: &mut Vec<Cow<'r, str>>,
    cells: &mut Vec<Cell<'r>>,
) -> Result<(), Reason> {
    fields.clear();
    cells.clear();
    for line in lines {
        let Some(captures) = line.regex.captures(text) else { continue };
        let group = |group: &usize| Cow::Borrowed(captures.get(*group).map_or("", |found| found.as_str()));
        fields.extend(line.groups.iter().map(group));
        fields.extend(line.set.iter().map(|value| Cow::Borrowed(value.as_str())));
        return place(&mapping.columns, &line.places, fields, cells);
    }
    Err(Reason::BadRow("the line matches no pattern".to_owned()))
}
