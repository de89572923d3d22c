//! How rows become a file: which columns are compressed how, and what lets a reader skip them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::schema::types::ColumnPath;

use crate::source::Source;

/// Rows of a row group: large enough to compress, small enough that one is read and written within a few hundred
/// megabytes.
const ROW_GROUP_ROWS: usize = 131_072;

/// How hard columns are compressed: what more effort saves is a hundredth, and costs a third more time.
const ZSTD_LEVEL: i32 = 1;

/// Rows below which a file is read as a whole as quickly as what is written to skip parts of it: statistics, an index of
/// pages, bloom filters. Of small files there are many, and to write those of every column takes longer than to write the
/// rows.
const SMALL_ROWS: usize = 4_096;

/// Rows of a page: what must be decompressed to read one row.
const PAGE_ROWS_MAX: usize = 4_096;

/// Bytes of a page of long text. As many as [`PAGE_ROWS_MAX`] rows seldom have: events repeat each other, and compress a
/// sixth better where more of them are seen at once.
const PAGE_BYTES_MAX: usize = 8 << 20;

/// Bytes below which a column is not compressed in a small file: its dictionary is all there is.
const COMPRESSED_BYTES_MIN: usize = 2_048;

/// The share of look-ups that a bloom filter lets through in vain.
const BLOOM_FALSE_SHARE: f64 = 0.01;

/// Bytes of a text that statistics keep.
const STATISTICS_BYTES_MAX: usize = 64;

/// A file of rows in memory, which is how it is made.
pub(crate) struct FileWriter<'a> {
    source: &'a Source,
    schema: &'a SchemaRef,
    rows: usize,
    /// None until the first rows say what the columns are like.
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl<'a> FileWriter<'a> {
    /// Begins a file of `rows` rows.
    pub(crate) fn new(source: &'a Source, schema: &'a SchemaRef, rows: usize) -> Self {
        Self { source, schema, rows, writer: None }
    }

    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<(), ParquetError> {
        match &mut self.writer {
            Some(writer) => writer.write(rows),
            None => self.begin(Some(rows))?.write(rows),
        }
    }

    pub(crate) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        if self.writer.is_none() {
            self.begin(None)?;
        }
        self.writer.map_or_else(|| Ok(Vec::new()), ArrowWriter::into_inner)
    }

    fn begin(&mut self, first: Option<&RecordBatch>) -> Result<&mut ArrowWriter<Vec<u8>>, ParquetError> {
        let small = first.filter(|first| first.num_rows() >= self.rows && self.rows < SMALL_ROWS);
        let properties = match small {
            Some(all) => small_properties(self.source, all)?,
            None => properties(self.source, self.rows)?,
        };
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(self.schema), options)?;
        Ok(self.writer.insert(writer))
    }
}

fn builder() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_1_0)
        .set_created_by("yagura".to_owned())
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX))
}

fn compression() -> Result<Compression, ParquetError> {
    Ok(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
}

/// The properties of a file of many rows.
fn properties(source: &Source, rows: usize) -> Result<WriterProperties, ParquetError> {
    let mut builder = builder().set_compression(compression()?).set_statistics_enabled(EnabledStatistics::Page);
    for column in &source.long {
        let path = ColumnPath::from(*column);
        builder = long(builder, &path)
            .set_column_data_page_size_limit(path.clone(), PAGE_BYTES_MAX)
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

/// The properties of a file that holds these rows and no others.
fn small_properties(source: &Source, rows: &RecordBatch) -> Result<WriterProperties, ParquetError> {
    let mut builder = builder()
        .set_compression(Compression::UNCOMPRESSED)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_statistics_enabled(ColumnPath::from(source.time), EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for (field, column) in rows.schema_ref().fields().iter().zip(rows.columns()) {
        let path = match field.data_type() {
            DataType::List(element) => {
                ColumnPath::new(vec![field.name().clone(), "list".to_owned(), element.name().clone()])
            }
            _ => ColumnPath::from(field.name().as_str()),
        };
        if column.null_count() == column.len() {
            builder = builder.set_column_dictionary_enabled(path, false);
        } else if source.long.contains(&field.name().as_str()) {
            builder = long(builder, &path).set_column_compression(path, compression()?);
        } else if bytes(column) >= COMPRESSED_BYTES_MIN {
            builder = builder.set_column_compression(path, compression()?);
        }
    }
    Ok(builder.build())
}

/// Long text: no dictionary, and lengths apart from the letters, which then compress better and in less time.
fn long(builder: WriterPropertiesBuilder, path: &ColumnPath) -> WriterPropertiesBuilder {
    builder
        .set_column_dictionary_enabled(path.clone(), false)
        .set_column_encoding(path.clone(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
}

/// Bytes of a column's values; of texts that a batch shares, only what is theirs.
fn bytes(column: &ArrayRef) -> usize {
    // The lower half of a view is the length of its text.
    let length = |view: &u128| usize::try_from(view & 0xffff_ffff).unwrap_or_default();
    match column.as_string_view_opt() {
        Some(texts) => texts.views().iter().map(length).sum(),
        None => column.get_buffer_memory_size(),
    }
}
