//! How rows become a file: which columns are compressed how, and what lets a reader skip them.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::source::Source;

/// Rows of a row group: large enough to compress, small enough that one is read and written within a few hundred
/// megabytes.
const ROW_GROUP_ROWS: usize = 131_072;

/// Rows below which a file has one page a column at most, and an index of pages says nothing that the footer does not.
const PAGE_INDEX_ROWS_MIN: usize = 4_096;

/// Rows of a page: what must be decompressed to read one row.
const PAGE_ROWS_MAX: usize = 4_096;

/// The share of look-ups that a bloom filter lets through in vain.
const BLOOM_FALSE_SHARE: f64 = 0.01;

/// Bytes of a text that statistics keep.
const STATISTICS_BYTES_MAX: usize = 64;

/// A file of rows in memory, which is how it is made.
pub(crate) struct FileWriter {
    writer: ArrowWriter<Vec<u8>>,
}

impl FileWriter {
    /// Begins a file of about `rows` rows.
    pub(crate) fn new(source: &Source, schema: &SchemaRef, rows: usize) -> Result<Self, ParquetError> {
        let options =
            ArrowWriterOptions::new().with_properties(properties(source, rows)?).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(schema), options)?;
        Ok(Self { writer })
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        self.writer.write(rows)
    }

    pub(crate) fn finish(self) -> Result<Vec<u8>, ParquetError> {
        self.writer.into_inner()
    }
}

fn properties(source: &Source, rows: usize) -> Result<WriterProperties, ParquetError> {
    let statistics = if rows < PAGE_INDEX_ROWS_MIN { EnabledStatistics::Chunk } else { EnabledStatistics::Page };
    let mut builder = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("yagura".to_owned())
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_statistics_enabled(statistics)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX));
    for column in &source.long {
        let path = ColumnPath::from(*column);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_statistics_enabled(path, EnabledStatistics::None);
    }
    for column in &source.lookup {
        let path = ColumnPath::from(*column);
        builder = builder
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_fpp(path.clone(), BLOOM_FALSE_SHARE)
            .set_column_bloom_filter_max_ndv(path, rows.clamp(1, ROW_GROUP_ROWS) as u64);
    }
    Ok(builder.build())
}
