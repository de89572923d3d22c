//! An answer on its way, kept in a temporary file until all of it is here: nothing of an answer is given before it is
//! known to be whole, and an answer may be larger than memory.

use std::fs::File;
use std::io::{BufReader, BufWriter, Seek};

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::ipc::reader::StreamReader;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use yagura_lake::SPILL_BYTES_MAX;

/// Rows of one answer, in a file that has no name and goes with the process.
pub(crate) struct Spool {
    schema: SchemaRef,
    writer: StreamWriter<BufWriter<File>>,
    bytes: u64,
}

impl Spool {
    /// An empty one for rows of these columns.
    pub(crate) fn new(schema: SchemaRef) -> Result<Self, DataFusionError> {
        let file = BufWriter::new(tempfile::tempfile()?);
        let writer = StreamWriter::try_new(file, &schema)?;
        Ok(Self { schema, writer, bytes: 0 })
    }

    /// Adds rows. Columns of other types than the answer has are an error.
    pub(crate) fn add(&mut self, rows: &RecordBatch) -> Result<(), DataFusionError> {
        self.bytes += rows.get_array_memory_size() as u64;
        if self.bytes > SPILL_BYTES_MAX {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "the answer has more than {SPILL_BYTES_MAX} bytes"
            )));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), rows.columns().to_vec(), &options)?;
        Ok(self.writer.write(&rows)?)
    }

    /// The rows, from the first on.
    pub(crate) fn finish(mut self) -> Result<SendableRecordBatchStream, DataFusionError> {
        self.writer.finish()?;
        let mut file = self.writer.into_inner()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        let reader = StreamReader::try_new(BufReader::new(file), None)?;
        let rows = futures::stream::iter(reader.map(|rows| rows.map_err(DataFusionError::from)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema, rows)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::arrow::array::{Int64Array, StringArray};
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use futures::TryStreamExt;

    use super::*;

    #[tokio::test]
    async fn rows_come_back_as_they_went() {
        let schema =
            Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false), Field::new("b", DataType::Utf8, true)]));
        let rows = |from: i64| {
            let numbers = Int64Array::from_iter_values(from..from + 3);
            let texts = StringArray::from(vec![Some("one"), None, Some("三")]);
            RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers), Arc::new(texts)]).unwrap()
        };
        let mut spool = Spool::new(Arc::clone(&schema)).unwrap();
        spool.add(&rows(0)).unwrap();
        spool.add(&rows(3)).unwrap();
        let other = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true)]));
        let other = RecordBatch::try_new(other, vec![Arc::new(StringArray::from(vec!["x"]))]).unwrap();
        assert!(spool.add(&other).is_err());
        let read: Vec<RecordBatch> = spool.finish().unwrap().try_collect().await.unwrap();
        assert_eq!(read, [rows(0), rows(3)]);
        let empty: Vec<RecordBatch> = Spool::new(schema).unwrap().finish().unwrap().try_collect().await.unwrap();
        assert_eq!(empty, []);
    }
}
