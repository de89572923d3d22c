//! Where each column comes from.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use arrow::datatypes::{DataType, TimeUnit};

use super::cells::{Kind, Part};
use super::file;
use super::time::TimeFormat;

/// A column, ready to be filled.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) part: Part,
    pub(super) origin: Origin,
}

/// The fields of which a column is made.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// The first of these that is there. Each is the way into a JSON object; elsewhere only the first key counts.
    First(Vec<Vec<String>>),
    /// All of these, with a blank between.
    Join(Vec<String>),
}

/// Where the fields of one header, or of one pattern, stand.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(pub(super) Vec<Place>);

/// Where one column's fields stand.
#[derive(Debug, Clone)]
pub(super) enum Place {
    Nowhere,
    At(usize),
    Join(Vec<usize>),
}

impl Column {
    /// Reads the column as the mapping has it.
    pub(super) fn new(name: &str, column: file::Column) -> Result<Self, String> {
        let full = match column {
            file::Column::Full(full) => full,
            file::Column::Type(kind) => file::FullColumn {
                kind: Some(kind),
                from: file::OneOrMany::default(),
                path: None,
                join: None,
                part: None,
                format: file::OneOrMany::default(),
            },
        };
        let kind = kind(full.kind.as_deref().unwrap_or("text"), &full.format.0)?;
        let part = match full.part.as_deref() {
            None => Part::Whole,
            Some("host") => Part::Host,
            Some("port") => Part::Port,
            Some(other) => return Err(format!("`{other}` is no part of a field: `host` or `port`")),
        };
        let origin = match (full.from.0, full.path, full.join) {
            (from, None, None) if from.is_empty() => Origin::First(vec![vec![name.to_owned()]]),
            (from, None, None) => {
                Origin::First(from.iter().map(|way| way.split('.').map(str::to_owned).collect()).collect())
            }
            (from, Some(path), None) if from.is_empty() => Origin::First(vec![path]),
            (from, None, Some(join)) if from.is_empty() => Origin::Join(join),
            _ => return Err("only one of `from`, `path` and `join` says where a column comes from".to_owned()),
        };
        Ok(Self { name: intern(name), kind, part, origin })
    }

    /// The Arrow type of the column.
    pub(super) fn data_type(&self) -> DataType {
        match &self.kind {
            Kind::Text | Kind::Json => DataType::Utf8View,
            Kind::Int32 => DataType::Int32,
            Kind::Int64 => DataType::Int64,
            Kind::Double => DataType::Float64,
            Kind::Bool => DataType::Boolean,
            Kind::Time(_) => timestamp(),
        }
    }

    /// Whether a header's field of this normalised name is one of the column's.
    pub(super) fn takes(&self, field: &str) -> bool {
        match &self.origin {
            Origin::First(ways) => ways.iter().filter_map(|way| way.first()).any(|key| normalise(key) == field),
            Origin::Join(keys) => keys.iter().any(|key| normalise(key) == field),
        }
    }

    fn place(&self, fields: &[String]) -> Place {
        let at = |key: &String| {
            let key = normalise(key);
            fields.iter().position(|field| *field == key)
        };
        match &self.origin {
            Origin::First(ways) => {
                ways.iter().filter_map(|way| way.first()).find_map(at).map_or(Place::Nowhere, Place::At)
            }
            Origin::Join(keys) => keys.iter().map(at).collect::<Option<Vec<_>>>().map_or(Place::Nowhere, Place::Join),
        }
    }
}

impl Places {
    /// Where each column's fields stand among `fields`, whose names are normalised.
    pub(super) fn of(columns: &[Column], fields: &[String]) -> Self {
        Self(columns.iter().map(|column| column.place(fields)).collect())
    }
}

/// The type of every time in the lake.
pub(super) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// A field's name as a column's: `cs(User-Agent)` is `cs_user_agent`, `account-id` is `account_id`.
pub(super) fn normalise(field: &str) -> String {
    let mut name = String::with_capacity(field.len());
    for letter in field.chars() {
        if letter.is_ascii_alphanumeric() {
            name.push(letter.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    if name.ends_with('_') {
        name.pop();
    }
    name
}

/// The name for as long as the program lives, since a source's columns are named once and used everywhere. Each
/// distinct name is kept once.
pub(super) fn intern(name: &str) -> &'static str {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(kept);
    kept
}

fn kind(name: &str, formats: &[String]) -> Result<Kind, String> {
    let kind = match (name, formats) {
        ("time", []) => return Ok(Kind::Time(TimeFormat::Iso)),
        ("time", [format]) => return Ok(Kind::Time(TimeFormat::new(format)?)),
        ("time", formats) => {
            let formats = formats.iter().map(|format| TimeFormat::new(format)).collect::<Result<_, _>>()?;
            return Ok(Kind::Time(TimeFormat::First(formats)));
        }
        ("text", _) => Kind::Text,
        ("int32", _) => Kind::Int32,
        ("int64", _) => Kind::Int64,
        ("double", _) => Kind::Double,
        ("bool", _) => Kind::Bool,
        ("json", _) => Kind::Json,
        (other, _) => {
            return Err(format!("`{other}` is no type: text, int32, int64, double, bool, time or json"));
        }
    };
    if formats.is_empty() { Ok(kind) } else { Err(format!("`format` is for a time, not for {name}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn field_names_become_column_names() {
        for (field, expected) in [
            ("account-id", "account_id"),
            ("cs(User-Agent)", "cs_user_agent"),
            ("x-edge-location", "x_edge_location"),
            ("timestamp(ms)", "timestamp_ms"),
            ("client:port", "client_port"),
            ("--", ""),
        ] {
            assert_eq!(normalise(field), expected);
        }
    }

    #[test]
    fn a_name_is_kept_once() {
        assert!(std::ptr::eq(intern("interned"), intern(&["inter", "ned"].concat())));
    }
}
