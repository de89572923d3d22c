//! A mapping, checked and ready to drive an engine.

use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use regex::{Regex, RegexBuilder};

use super::cells::Kind;
use super::columns::{Column, Places, intern, normalise, timestamp};
use super::{file, parse};
use crate::hunt::{Clues, Template};
use crate::source::{ACCOUNT, DAY, Identity, LINE, OBJECT, REGION, Source};

/// The column of a row's time, in every mapped source.
pub(super) const TIME: &str = "time";
/// The column that holds the line or the JSON that the row was made of, whole.
pub(super) const RECORD: &str = "record";

/// Bytes that a regular expression of a mapping may take when compiled; the longest of ours take a tenth.
const REGEX_BYTES_MAX: usize = 4 << 20;

/// Columns that a mapping may have; Delta and Parquet bear more, a person does not.
const COLUMNS_MAX: usize = 300;

/// A mapping that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`: {reason}")]
pub struct InvalidMapping {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The sources that these mappings describe: pairs of a source's name and the text of its `source.yml`, in the order
/// in which they shall be asked whether an object is theirs.
///
/// All mappings or none: a source that silently is not there would leave its objects unread.
pub fn sources<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Vec<Source>, InvalidMapping> {
    files.into_iter().map(|(name, text)| source(name, text)).collect()
}

fn source(name: &str, text: &str) -> Result<Source, InvalidMapping> {
    let invalid = |reason: String| InvalidMapping { file: format!("sources/{name}/source.yml"), reason };
    let mut file: file::File = serde_saphyr::from_str(text).map_err(|error| invalid(error.to_string()))?;
    let names = |names: &[String]| names.iter().map(|name| intern(name)).collect::<Vec<_>>();
    let (sort, lookup) = (names(&file.sort), names(&file.lookup));
    let cadence = file.cadence_minutes.map(|minutes| Duration::from_secs(60 * u64::from(minutes)));
    let hunt = std::mem::take(&mut file.hunt);
    let mapping = Mapping::new(file).map_err(invalid)?;
    let clues = clues(hunt, &mapping.schema).map_err(invalid)?;
    for column in sort.iter().chain(&lookup) {
        if mapping.schema.column_with_name(column).is_none() {
            return Err(invalid(format!("there is no column `{column}` to sort or look up by")));
        }
    }
    Ok(Source {
        name: name.into(),
        schema: Arc::clone(&mapping.schema),
        time: TIME,
        identity: Identity::Position,
        sort: if sort.is_empty() { vec![TIME] } else { sort },
        lookup,
        long: vec![RECORD],
        has_digests: false,
        cadence,
        clues,
        parser: Arc::new(parse::Mapped(mapping)),
    })
}

/// What the mapping tells a hunter, its columns looked up.
fn clues(hunt: file::Hunt, schema: &SchemaRef) -> Result<Clues, String> {
    let column = |name: &str| match schema.column_with_name(name) {
        Some(_) => Ok(intern(name)),
        None => Err(format!("there is no column `{name}` to hunt by")),
    };
    let columns = |names: file::OneOrMany| names.0.iter().map(|name| column(name)).collect::<Result<Vec<_>, _>>();
    let template = |text: Option<String>| Template::parse(&text.unwrap_or_default(), &column);
    Ok(Clues {
        keys: columns(hunt.keys)?,
        principals: columns(hunt.principals)?,
        addresses: columns(hunt.addresses)?,
        address_lists: columns(hunt.address_lists)?,
        resources: columns(hunt.resources)?,
        mentions: columns(hunt.mentions)?,
        service: None,
        what: template(hunt.what)?,
        outcome: template(hunt.outcome)?,
        group: template(hunt.group)?,
        agent: hunt.agent.as_deref().map(column).transpose()?,
        id: hunt.id.as_deref().map(column).transpose()?,
        bytes: hunt.bytes.as_deref().map(column).transpose()?,
    })
}

/// What drives an engine.
#[derive(Debug)]
pub(super) struct Mapping {
    /// The columns as the mapping has them; [`TIME`] may be among them.
    pub(super) columns: Vec<Column>,
    /// The columns of a batch: time, account, region, then the mapping's, the record and its line.
    pub(super) schema: SchemaRef,
    /// Places in `columns`.
    pub(super) time: Vec<usize>,
    pub(super) account: Vec<usize>,
    pub(super) region: Vec<usize>,
    pub(super) path: Vec<Regex>,
    pub(super) record: Vec<Regex>,
    pub(super) cloudwatch: bool,
    pub(super) shape: Shape,
}

/// The engine and what it needs.
#[derive(Debug)]
pub(super) enum Shape {
    Delimited(Delimited),
    Json(file::Json),
    Pattern(Vec<Line>),
}

/// Fields between separators.
#[derive(Debug)]
pub(super) struct Delimited {
    pub(super) spec: file::Delimited,
    /// The fields where no header says them, and where the columns find them.
    pub(super) order: Layout,
}

/// The fields of a text in their order.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) places: Places,
    pub(super) least: usize,
    pub(super) fields: usize,
}

/// One pattern of lines.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) regex: Regex,
    /// Values of fields behind the named groups.
    pub(super) set: Vec<String>,
    /// For each field, named groups first: its group.
    pub(super) groups: Vec<usize>,
    pub(super) places: Places,
}

impl Mapping {
    fn new(file: file::File) -> Result<Self, String> {
        if file.title.trim().is_empty() {
            return Err("`title` says nothing".to_owned());
        }
        if file.columns.0.len() > COLUMNS_MAX {
            return Err(format!("more than {COLUMNS_MAX} columns"));
        }
        let mut columns: Vec<Column> = Vec::new();
        for (name, column) in file.columns.0 {
            let made = [DAY, OBJECT, LINE, RECORD].contains(&name.as_str());
            if made || columns.iter().any(|column| column.name == name) {
                return Err(format!("a second column `{name}`"));
            }
            columns.push(Column::new(&name, column).map_err(|reason| format!("column `{name}`: {reason}"))?);
        }
        let at = |names: &file::OneOrMany| -> Result<Vec<usize>, String> {
            let find = |name: &String| {
                let found = columns.iter().position(|column| column.name == name);
                found.ok_or_else(|| format!("there is no column `{name}`"))
            };
            names.0.iter().map(find).collect()
        };
        // A field of the log that has the name of a column that every table has is that column.
        let own = |name: &str, mut places: Vec<usize>| {
            places.extend(columns.iter().position(|column| column.name == name).filter(|own| !places.contains(own)));
            places
        };
        let time = own(TIME, at(&file.time)?);
        let (account, region) = (own(ACCOUNT, at(&file.account)?), own(REGION, at(&file.region)?));
        if time.is_empty() || time.iter().any(|at| !columns.get(*at).is_some_and(|column| is_time(&column.kind))) {
            return Err("`time` names columns of type `time`, one at least".to_owned());
        }
        let shape = shape(file.shape, file.delimited, file.json, file.pattern, &columns)?;
        Ok(Self {
            schema: schema(&columns),
            time,
            account,
            region,
            path: file.recognise.path.iter().map(|text| regex(text)).collect::<Result<_, _>>()?,
            record: file.recognise.record.iter().map(|text| regex(text)).collect::<Result<_, _>>()?,
            cloudwatch: file.cloudwatch,
            shape,
            columns,
        })
    }
}

/// Whether the column is one that every mapped source has.
pub(super) fn is_common(column: &Column) -> bool {
    [TIME, ACCOUNT, REGION].contains(&column.name)
}

fn is_time(kind: &Kind) -> bool {
    matches!(kind, Kind::Time(_))
}

fn schema(columns: &[Column]) -> SchemaRef {
    let mut fields = vec![
        Field::new(TIME, timestamp(), false),
        Field::new(ACCOUNT, DataType::Utf8View, true),
        Field::new(REGION, DataType::Utf8View, true),
    ];
    let own = columns.iter().filter(|column| !is_common(column));
    fields.extend(own.map(|column| Field::new(column.name, column.data_type(), true)));
    fields.push(Field::new(RECORD, DataType::Utf8View, true));
    fields.push(Field::new(LINE, DataType::Int64, true));
    Arc::new(Schema::new(fields))
}

fn shape(
    shape: file::Shape,
    delimited: Option<file::Delimited>,
    json: Option<file::Json>,
    pattern: Option<file::Pattern>,
    columns: &[Column],
) -> Result<Shape, String> {
    match (shape, delimited, json, pattern) {
        (file::Shape::Delimited, Some(spec), None, None) => {
            let order: Vec<String> = spec.order.iter().map(|field| normalise(field)).collect();
            let unread = |field: &&String| !columns.iter().any(|column| column.takes(field));
            if let Some(field) = order.iter().find(unread) {
                return Err(format!("no column takes the field `{field}`"));
            }
            let (fields, least) = (order.len(), spec.least.unwrap_or(order.len()));
            let order = Layout { places: Places::of(columns, &order), least, fields };
            Ok(Shape::Delimited(Delimited { spec, order }))
        }
        (file::Shape::Json, None, json, None) => Ok(Shape::Json(json.unwrap_or_default())),
        (file::Shape::Pattern, None, None, Some(pattern)) => {
            Ok(Shape::Pattern(pattern.lines.into_iter().map(|spec| line(spec, columns)).collect::<Result<_, _>>()?))
        }
        _ => Err("`shape` and what is said of the shape do not go together".to_owned()),
    }
}

fn line(spec: file::Line, columns: &[Column]) -> Result<Line, String> {
    let regex = regex(&spec.regex)?;
    let (mut fields, mut groups) = (Vec::new(), Vec::new());
    for (group, name) in regex.capture_names().enumerate() {
        if let Some(name) = name {
            fields.push(normalise(name));
            groups.push(group);
        }
    }
    fields.extend(spec.set.keys().map(|field| normalise(field)));
    let unread = |field: &&String| !columns.iter().any(|column| column.takes(field));
    if let Some(field) = fields.iter().find(unread) {
        return Err(format!("no column takes the field `{field}`"));
    }
    let places = Places::of(columns, &fields);
    Ok(Line { regex, set: spec.set.into_values().collect(), groups, places })
}

fn regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build().map_err(|error| format!("`{text}`: {error}"))
}
