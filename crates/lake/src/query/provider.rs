//! A table of the lake as the query engine sees it: which files a question needs, and how they are read.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, BooleanArray, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};
use datafusion::physical_plan::ExecutionPlan;
use object_store::ObjectMeta;
use object_store::path::Path;

use crate::index::{Held, Index};
use crate::source::{ACCOUNT, DAY, REGION, Source};
use crate::table::{StoredFile, Table};

/// Bytes read from the end of a file at once: the footer of nearly every file and the bloom filters before it.
const FOOTER_BYTES: usize = 64 << 10;

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// What a query looked through, each table counted once, however often the question names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Searched {
    /// Hours of an account in a region, that files were opened for.
    pub hours: u64,
    /// Such hours that the tables of the query hold.
    pub hours_all: u64,
    /// Files opened.
    pub files: u64,
    /// Files that the tables of the query hold.
    pub files_all: u64,
}

/// What the scans of one query looked through, by table.
pub(crate) type Tally = Arc<Mutex<BTreeMap<Arc<str>, Asked>>>;

/// What the scans of one table looked through; more than one if the query names it more than once.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// What chose the files of each scan; none where all were needed.
    pub(crate) predicates: Vec<Option<PruningPredicate>>,
    files: Arc<[StoredFile]>,
    needed: BTreeSet<usize>,
}

impl Searched {
    /// What the scans come to, each file and hour of a table once.
    pub(super) fn of(tally: &BTreeMap<Arc<str>, Asked>) -> Self {
        let mut searched = Self::default();
        for asked in tally.values() {
            let needed = asked.needed.iter().filter_map(|at| asked.files.get(*at));
            searched.files += asked.needed.len() as u64;
            searched.files_all += asked.files.len() as u64;
            searched.hours += hours(needed);
            searched.hours_all += hours(asked.files.iter());
        }
        searched
    }
}

/// One table, as of one of its versions.
#[derive(Debug)]
pub(super) struct LakeTable {
    source: Source,
    /// The folder of the lake, and the table's in it.
    lake: PathBuf,
    root: PathBuf,
    schema: TableSchema,
    files: tokio::sync::OnceCell<Arc<[StoredFile]>>,
    tally: Tally,
}

impl LakeTable {
    /// The table of `source` in the lake whose folder is `lake`, an absolute path, with these columns.
    pub(super) fn new(source: &Source, columns: &SchemaRef, lake: PathBuf, tally: Tally) -> Self {
        let partition = [(ACCOUNT, DataType::Utf8), (REGION, DataType::Utf8), (DAY, DataType::Date32)];
        let partition = partition.map(|(name, kind)| Arc::new(Field::new(name, kind, false)));
        let schema = TableSchema::builder(nullable(columns)).with_table_partition_cols(partition.to_vec()).build();
        let root = lake.join(&*source.name);
        Self { source: source.clone(), lake, root, schema, files: tokio::sync::OnceCell::new(), tally }
    }

    /// The same table, as if it held these files and no others.
    pub(super) fn of_files(mut self, files: Vec<StoredFile>) -> Self {
        self.files = tokio::sync::OnceCell::new_with(Some(files.into()));
        self
    }

    /// The files of the table, read when they are first asked for: most questions ask few of the tables. They stay the same
    /// for the whole question.
    async fn files(&self) -> Result<&Arc<[StoredFile]>> {
        let read = async { Table::files_of(&self.lake, &self.source).await.map(Arc::from) };
        let files = self.files.get_or_try_init(|| read).await;
        files.map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// What tells files that may hold rows for which all filters are true; none if any may.
    fn predicate(&self, state: &dyn Session, filters: &[Expr]) -> Result<Option<PruningPredicate>> {
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(None) };
        let schema = DFSchema::try_from(Arc::clone(self.schema.table_schema()))?;
        let filter = state.create_physical_expr(filter, &schema)?;
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(self.schema.table_schema()));
        Ok(builder.try_build(filter).ok())
    }

    /// The places of the files that may hold such rows.
    fn needed(&self, files: &[StoredFile], predicate: Option<&PruningPredicate>) -> Result<Vec<usize>> {
        let Some(predicate) = predicate else { return Ok((0..files.len()).collect()) };
        let keep = predicate.prune(&Known { table: self, files, index: OnceCell::new() })?;
        Ok(keep.into_iter().enumerate().filter(|(_, keep)| *keep).map(|(at, _)| at).collect())
    }

    fn count(&self, files: &Arc<[StoredFile]>, predicate: Option<PruningPredicate>, needed: &[usize]) {
        let mut tally = self.tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let asked = tally.entry(Arc::clone(&self.source.name)).or_default();
        asked.predicates.push(predicate);
        asked.files = Arc::clone(files);
        asked.needed.extend(needed);
    }

    fn partitioned(&self, file: &StoredFile) -> PartitionedFile {
        let location = Path::from_absolute_path(self.root.join(&file.path)).unwrap_or_default();
        let meta = ObjectMeta {
            location,
            last_modified: chrono::DateTime::from_timestamp_millis(file.written_ms).unwrap_or_default(),
            size: file.size,
            e_tag: None,
            version: None,
        };
        let mut partitioned = PartitionedFile::from(meta);
        partitioned.partition_values = vec![
            ScalarValue::Utf8(Some(file.place.account.clone())),
            ScalarValue::Utf8(Some(file.place.region.clone())),
            ScalarValue::Date32(Some(file.place.day)),
        ];
        partitioned.with_statistics(Arc::new(self.statistics(file))).with_metadata_size_hint(FOOTER_BYTES)
    }

    fn statistics(&self, file: &StoredFile) -> Statistics {
        let mut statistics = Statistics::new_unknown(self.schema.file_schema());
        if file.rows > 0 {
            statistics.num_rows = Precision::Exact(usize::try_from(file.rows).unwrap_or_default());
            // The log keeps milliseconds, widened: bounds, not the values themselves.
            let at = self.schema.file_schema().index_of(self.source.time).ok();
            if let Some(column) = at.and_then(|at| statistics.column_statistics.get_mut(at)) {
                *column = ColumnStatistics {
                    min_value: Precision::Inexact(time_value(file.span.0)),
                    max_value: Precision::Inexact(time_value(file.span.1)),
                    ..ColumnStatistics::new_unknown()
                };
            }
        }
        statistics.total_byte_size = Precision::Inexact(usize::try_from(file.size).unwrap_or_default());
        statistics
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Here they choose files; rows are filtered by the reader or above it.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.files().await?;
        let predicate = self.predicate(state, filters)?;
        let needed = self.needed(files, predicate.as_ref())?;
        self.count(files, predicate, &needed);
        let options = TableParquetOptions {
            global: state.config_options().execution.parquet.clone(),
            ..TableParquetOptions::default()
        };
        // The optimizer hands the filters themselves to the reader, as far as it can evaluate them.
        let source = ParquetSource::new(self.schema.clone())
            .with_table_parquet_options(options)
            .with_metadata_size_hint(FOOTER_BYTES);
        let group = FileGroup::new(
            needed.into_iter().filter_map(|at| files.get(at)).map(|file| self.partitioned(file)).collect(),
        );
        let mut groups = group.split_files(state.config().target_partitions().max(1));
        // A sort above wants one partition at least, be it of nothing.
        if groups.is_empty() {
            groups.push(FileGroup::default());
        }
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            // A row is found anywhere: a scan may end early only when nothing is filtered after it.
            .with_limit(limit.filter(|_| filters.is_empty()))
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// Delta's columns may all be null.
fn nullable(schema: &SchemaRef) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
    Arc::new(Schema::new(fields))
}

fn time_value(micros: i64) -> ScalarValue {
    ScalarValue::TimestampMicrosecond(Some(micros), Some(Arc::from("UTC")))
}

/// Hours of an account in a region between the first and the last row of a file.
fn hours<'f>(files: impl Iterator<Item = &'f StoredFile>) -> u64 {
    let mut seen: HashMap<(&str, &str), HashSet<i64>> = HashMap::new();
    for file in files.filter(|file| file.rows > 0) {
        let hours = seen.entry((&file.place.account, &file.place.region)).or_default();
        // Within the day of the partition, whatever a file of another engine says.
        let first = i64::from(file.place.day) * 24;
        let at = |time: i64| time.div_euclid(HOUR).clamp(first, first + 23);
        hours.extend(at(file.span.0)..=at(file.span.1));
    }
    seen.values().map(|hours| hours.len() as u64).sum()
}

/// What is known of files without opening them.
struct Known<'a> {
    table: &'a LakeTable,
    files: &'a [StoredFile],
    /// The index, and the files' positions by their paths; read when a value is looked up.
    index: OnceCell<(Index, HashMap<&'a str, usize>)>,
}

impl<'a> Known<'a> {
    fn index(&self) -> &(Index, HashMap<&'a str, usize>) {
        self.index.get_or_init(|| {
            let positions = self.files.iter().enumerate().map(|(position, file)| (file.path.as_str(), position));
            (Index::open(&self.table.root), positions.collect())
        })
    }

    fn values(&self, column: &Column, of_span: impl Fn(&(i64, i64)) -> i64) -> Option<ArrayRef> {
        let value = |file: &StoredFile| match column.name() {
            ACCOUNT => Some(ScalarValue::Utf8(Some(file.place.account.clone()))),
            REGION => Some(ScalarValue::Utf8(Some(file.place.region.clone()))),
            DAY => Some(ScalarValue::Date32(Some(file.place.day))),
            name if name == self.table.source.time => Some(time_value(of_span(&file.span))),
            _ => None,
        };
        let values: Vec<ScalarValue> = self.files.iter().map_while(value).collect();
        (!values.is_empty()).then(|| ScalarValue::iter_to_array(values).ok()).flatten()
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |span| span.0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |span| span.1)
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let known = [ACCOUNT, REGION, DAY, self.table.source.time].contains(&column.name());
        known.then(|| Arc::new(UInt64Array::from(vec![0; self.files.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    /// False for a file that the index says holds none of the values; whether it holds nothing else, it never says.
    fn contained(&self, column: &Column, values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        if !self.table.source.lookup.contains(&column.name()) {
            return None;
        }
        let texts: Vec<&str> = values.iter().map(|value| value.try_as_str().flatten()).collect::<Option<Vec<_>>>()?;
        let (index, positions) = self.index();
        let held = index.find(column.name(), &texts, positions);
        let answer = |position: usize| match held.get(&position) {
            Some(Held::No) => Some(false),
            Some(Held::Perhaps) | None => None,
        };
        Some((0..self.files.len()).map(answer).collect())
    }
}
