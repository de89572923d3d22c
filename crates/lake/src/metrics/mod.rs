//! The table of metrics: points of series, each known once.
//!
//! A point is identified by its account, region, namespace, name, dimensions, unit, period and time. Unlike an event of a
//! log it may become better known: samples arrive late, percentiles are asked for afterwards. So a point that is said again
//! is compared with what is kept, and replaces it where it says more ([`Statistics::with_later`]). The files that hold
//! replaced points are written anew in the same commit; nothing is ever there twice, whoever reads the table and however
//! often a fetch is repeated or killed.

mod events;
mod read;
mod rows;
mod write;

use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
#[expect(unused_imports, reason = "named in the documentation")]
use yagura_model::metric::Statistics;

pub use events::{Call, Rate, TrailDay};
pub use read::{Changed, Choice, Held, POINTS_READ_MAX};
pub use write::Put;

use crate::object::{LogObject, Skipped, Text};
use crate::query::QueryError;
use crate::source::{ACCOUNT, Framing, Identity, Parse, REGION, Source, Stopped};

/// The name of the table.
pub const TABLE: &str = "metrics";

/// The column of a point's beginning.
const TIME: &str = "Timestamp";
const NAMESPACE: &str = "Namespace";
const METRIC: &str = "MetricName";
const DIMENSIONS: &str = "Dimensions";
const UNIT: &str = "Unit";
const PERIOD: &str = "Period";
/// The basic statistics, in the order in which rows have them.
const BASIC: [&str; 5] = ["SampleCount", "Sum", "Minimum", "Maximum", "Average"];
const EXTENDED: &str = "ExtendedStatistics";
/// The column of when a point was learnt.
const KNOWN: &str = "_known";

/// Why metrics cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum MetricError {
    /// The question about them.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A row is not as it was written.
    #[error("the rows of the table `{TABLE}` do not have its shape")]
    Shape(#[from] arrow::error::ArrowError),
    /// More than [`POINTS_READ_MAX`].
    #[error("more than {POINTS_READ_MAX} points: ask for fewer metrics or a shorter time")]
    TooMany,
}

/// The table as the lake's machinery knows it. No log object belongs to it.
pub(crate) fn source() -> &'static Source {
    static SOURCE: LazyLock<Source> = LazyLock::new(|| {
        let text = |name: &str| Field::new(name, DataType::Utf8View, true);
        let time =
            |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::from("UTC"))), false);
        let mut fields = vec![time(TIME), text(NAMESPACE), text(METRIC), text(DIMENSIONS), text(UNIT)];
        fields.push(Field::new(PERIOD, DataType::Int32, false));
        fields.extend(BASIC.map(|name| Field::new(name, DataType::Float64, true)));
        fields.extend([text(EXTENDED), time(KNOWN), text(ACCOUNT), text(REGION)]);
        Source {
            name: TABLE.into(),
            schema: Arc::new(Schema::new(fields)),
            time: TIME,
            identity: Identity::Position,
            sort: vec![NAMESPACE, METRIC, DIMENSIONS, TIME],
            lookup: vec![DIMENSIONS],
            long: Vec::new(),
            has_digests: false,
            cadence: None,
            parser: Arc::new(NoObjects),
            clues: crate::hunt::Clues::default(),
        }
    });
    &SOURCE
}

/// Points are put in, never read from log objects.
#[derive(Debug)]
struct NoObjects;

impl Parse for NoObjects {
    fn recognises(&self, _: &LogObject, _: &[u8]) -> bool {
        false
    }

    fn framing(&self, _: &[u8]) -> Framing {
        Framing::Whole
    }

    fn parse(
        &self,
        _: &LogObject,
        _: &Text,
        _: &mut dyn FnMut(RecordBatch) -> Result<(), Stopped>,
        _: &mut Vec<Skipped>,
    ) -> Result<(), Stopped> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
