//! The columns of an event, and how a row of them is built without copying what the text already holds.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, ListBuilder, RecordBatch, StringBuilder, StringViewArray, TimestampMicrosecondBuilder,
    make_view,
};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use crate::source::{ACCOUNT, REGION};
use crate::time;

/// Columns of text, in the order of the builders. `userIdentity_arn` is AWS's `userIdentity.arn`: a column whose name
/// every engine can write, found by either spelling in Yagura's SQL.
const TEXTS: [&str; TEXT_COUNT] = [
    "eventID",
    "eventName",
    "eventSource",
    "awsRegion",
    "recipientAccountId",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "eventCategory",
    "eventType",
    "sharedEventID",
    "requestID",
    "vpcEndpointId",
    "userIdentity_type",
    "userIdentity_principalId",
    "userIdentity_arn",
    "userIdentity_accountId",
    "userIdentity_accessKeyId",
    "userIdentity_userName",
    "userIdentity_invokedBy",
    "userIdentity_sessionContext_sessionIssuer_arn",
    "userIdentity_sessionContext_attributes_mfaAuthenticated",
    "requestParameters",
    "responseElements",
    "record",
];
const TEXT_COUNT: usize = 26;
const EVENT_ID: usize = 0;
const AWS_REGION: usize = 3;
const RECIPIENT: usize = 4;
const RECORD: usize = 25;

/// The number of the buffer that holds texts which do not stand in the log as they are: escapes, wrapped events.
const OWN: u32 = 0;

/// The schema of the batches.
pub(super) fn schema() -> SchemaRef {
    let mut fields =
        vec![Field::new("eventTime", DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))), false)];
    fields.extend(TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8View, true)));
    fields.push(Field::new("readOnly", DataType::Boolean, true));
    fields.push(Field::new("managementEvent", DataType::Boolean, true));
    fields.push(Field::new("resources", DataType::List(resource_field()), true));
    fields.push(Field::new(ACCOUNT, DataType::Utf8View, true));
    fields.push(Field::new(REGION, DataType::Utf8View, true));
    Arc::new(Schema::new(fields))
}

/// A stretch of JSON and where it lies: in which buffer, and where that buffer's first byte would be.
#[derive(Clone, Copy)]
pub(super) struct Block {
    buffer: u32,
    /// The address of the text's first byte; only distances are made of it.
    start: usize,
    /// Where the text begins in the buffer.
    base: usize,
}

/// The columns being built and the row being read.
pub(super) struct Columns {
    schema: SchemaRef,
    /// The buffers that views point into; the first is [`OWN`], which stands empty until the batch is finished.
    buffers: Vec<Buffer>,
    own: Vec<u8>,
    views: [Vec<u128>; TEXT_COUNT],
    /// Whether each text is there.
    valid: [Vec<bool>; TEXT_COUNT],
    time: TimestampMicrosecondBuilder,
    read_only: BooleanBuilder,
    management: BooleanBuilder,
    resources: ListBuilder<StringBuilder>,
    row: Row,
}

#[derive(Default)]
struct Row {
    views: [Option<u128>; TEXT_COUNT],
    time: Option<i64>,
    read_only: Option<bool>,
    management: Option<bool>,
    resources: Vec<String>,
}

impl Block {
    /// Whether views into it stay right after the batch is finished.
    pub(super) fn is_lasting(self) -> bool {
        self.buffer != OWN
    }
}

impl Columns {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self {
            schema: Arc::clone(schema),
            buffers: vec![Buffer::default()],
            own: Vec::new(),
            views: std::array::from_fn(|_| Vec::new()),
            valid: std::array::from_fn(|_| Vec::new()),
            time: TimestampMicrosecondBuilder::new().with_timezone("UTC"),
            read_only: BooleanBuilder::new(),
            management: BooleanBuilder::new(),
            resources: ListBuilder::new(StringBuilder::new()).with_field(resource_field()),
            row: Row::default(),
        }
    }

    /// Makes `buffer` one that views may point into.
    pub(super) fn add_buffer(&mut self, buffer: &Buffer) -> Block {
        self.buffers.push(buffer.clone());
        let number = u32::try_from(self.buffers.len() - 1).unwrap_or(OWN);
        Block { buffer: number, start: buffer.as_ptr() as usize, base: 0 }
    }

    /// Takes in a text that stands in no buffer.
    pub(super) fn add_own(&mut self, text: &str) -> Block {
        let base = self.own.len();
        self.own.extend_from_slice(text.as_bytes());
        Block { buffer: OWN, start: text.as_ptr() as usize, base }
    }

    /// Begins a row.
    pub(super) fn begin(&mut self) {
        self.row = Row::default();
    }

    /// Takes one member of an event; says whether events have such a member.
    pub(super) fn set(&mut self, key: &str, value: &str, block: Block) -> bool {
        match key {
            "eventTime" => self.row.time = unquoted(value).and_then(time::micros),
            "readOnly" => self.row.read_only = flag(value),
            "managementEvent" => self.row.management = flag(value),
            "resources" => self.row.resources = arns(value),
            "userIdentity" => self.identity(value, block),
            _ => match column(key) {
                Some(column) => self.put(column, value, block),
                None => return false,
            },
        }
        true
    }

    fn identity(&mut self, json: &str, block: Block) {
        members(json, &mut |key, value| {
            let column = match key {
                "type" => 14,
                "principalId" => 15,
                "arn" => 16,
                "accountId" => 17,
                "accessKeyId" => 18,
                "userName" => 19,
                "invokedBy" => 20,
                "sessionContext" => return self.session(value, block),
                _ => return,
            };
            self.put(column, value, block);
        });
    }

    fn session(&mut self, json: &str, block: Block) {
        members(json, &mut |key, value| {
            let (wanted, column) = match key {
                "sessionIssuer" => ("arn", 21),
                "attributes" => ("mfaAuthenticated", 22),
                _ => return,
            };
            members(value, &mut |key, value| {
                if key == wanted {
                    self.put(column, value, block);
                }
            });
        });
    }

    /// Sets a text: a string without its quotes, anything else as the JSON it is, a null as nothing.
    fn put(&mut self, column: usize, json: &str, block: Block) {
        let view = match unquoted(json) {
            _ if json == "null" => None,
            Some(text) => view(text, block),
            None if json.starts_with('"') => sonic_rs::from_str::<String>(json).ok().and_then(|text| {
                let block = self.add_own(&text);
                view(&text, block)
            }),
            None => view(json, block),
        };
        if let Some(cell) = self.row.views.get_mut(column) {
            *cell = view;
        }
    }

    /// The member without which the row has no place, if one is missing.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let [event_id, ..] = &self.row.views;
        match (event_id, self.row.time) {
            (None, _) => Some("eventID"),
            (_, None) => Some("eventTime"),
            _ => None,
        }
    }

    /// Ends the row, whose whole text is `json`.
    pub(super) fn end(&mut self, json: &str, block: Block) {
        let record = view(json, block);
        let mut row = std::mem::take(&mut self.row);
        if let Some(cell) = row.views.get_mut(RECORD) {
            *cell = record;
        }
        for ((view, views), valid) in row.views.iter().zip(&mut self.views).zip(&mut self.valid) {
            views.push(view.unwrap_or_default());
            valid.push(view.is_some());
        }
        self.time.append_option(row.time);
        self.read_only.append_option(row.read_only);
        self.management.append_option(row.management);
        for arn in &row.resources {
            self.resources.values().append_value(arn);
        }
        self.resources.append(!row.resources.is_empty());
    }

    /// Rows that stand finished.
    pub(super) fn rows(&self) -> usize {
        self.views.first().map_or(0, Vec::len)
    }

    /// Makes a batch of the rows; none if there is none. The buffers stay.
    pub(super) fn finish(&mut self) -> Result<Option<RecordBatch>, ArrowError> {
        let rows = self.rows();
        if rows == 0 {
            return Ok(None);
        }
        if let Some(own) = self.buffers.first_mut() {
            *own = Buffer::from_vec(std::mem::take(&mut self.own));
        }
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(self.time.finish())];
        let buffers: Arc<[Buffer]> = Arc::from(self.buffers.as_slice());
        for (views, valid) in self.views.iter_mut().zip(&mut self.valid) {
            let valid = std::mem::take(valid);
            let nulls = NullBuffer::from(valid);
            let nulls = (nulls.null_count() > 0).then_some(nulls);
            let views = ScalarBuffer::from(std::mem::take(views));
            arrays.push(Arc::new(StringViewArray::try_new(views, Arc::clone(&buffers), nulls)?));
        }
        arrays.push(Arc::new(self.read_only.finish()));
        arrays.push(Arc::new(self.management.finish()));
        arrays.push(Arc::new(self.resources.finish()));
        for column in [RECIPIENT, AWS_REGION] {
            if let Some(array) = arrays.get(column + 1).map(Arc::clone) {
                arrays.push(array);
            }
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map(Some)
    }
}

/// A view of `text`, which lies in the block.
fn view(text: &str, block: Block) -> Option<u128> {
    let offset = (text.as_ptr() as usize).checked_sub(block.start)? + block.base;
    Some(make_view(text.as_bytes(), block.buffer, u32::try_from(offset).ok()?))
}

fn resource_field() -> Arc<Field> {
    Arc::new(Field::new("element", DataType::Utf8, true))
}

/// The column of a member of an event; the columns of `userIdentity` are not members by themselves.
fn column(name: &str) -> Option<usize> {
    Some(match name {
        "eventID" => EVENT_ID,
        "eventName" => 1,
        "eventSource" => 2,
        "awsRegion" => AWS_REGION,
        "recipientAccountId" => RECIPIENT,
        "sourceIPAddress" => 5,
        "userAgent" => 6,
        "errorCode" => 7,
        "errorMessage" => 8,
        "eventCategory" => 9,
        "eventType" => 10,
        "sharedEventID" => 11,
        "requestID" => 12,
        "vpcEndpointId" => 13,
        "requestParameters" => 23,
        "responseElements" => 24,
        _ => return None,
    })
}

/// Visits the members of an object; a second time from the first on where the quick way cannot go on.
fn members(json: &str, visit: &mut dyn FnMut(&str, &str)) {
    if crate::json::object(json, &mut |key, value| visit(key, value)).is_none() {
        for (key, value) in sonic_rs::to_object_iter(json).map_while(Result::ok) {
            visit(&key, super::raw(&value));
        }
    }
}

/// The text of a JSON string that has no escapes.
fn unquoted(json: &str) -> Option<&str> {
    let text = json.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains('\\')).then_some(text)
}

fn flag(json: &str) -> Option<bool> {
    match json {
        "true" | "\"true\"" => Some(true),
        "false" | "\"false\"" => Some(false),
        _ => None,
    }
}

/// The ARNs of the resources that an event names; CloudTrail writes the member both ways.
fn arns(json: &str) -> Vec<String> {
    let mut found = Vec::new();
    if !json.starts_with('[') {
        return found;
    }
    for resource in sonic_rs::to_array_iter(json).map_while(Result::ok) {
        let mut arn = None;
        members(super::raw(&resource), &mut |key, value| {
            if key == "ARN" || key == "arn" {
                arn = sonic_rs::from_str::<String>(value).ok();
            }
        });
        found.extend(arn);
    }
    found
}
