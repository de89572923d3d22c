//! SQL over the lake: read-only, within limits, with names as people type them.

mod engine;
pub(crate) mod functions;
pub mod print;
mod provider;
mod resolve;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::config::Dialect;
use datafusion::common::{DataFusionError, SchemaError};
use datafusion::datasource::MemTable;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::execute_stream;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::{DFParser, Statement as Parsed};
use datafusion::sql::sqlparser::ast::Statement;
// In it `record->>'key' = 'value'` means what it says: the arrows bind tighter than the comparison.
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use futures::StreamExt;

use crate::Lake;
use crate::table::{TableError, file_schema};
pub use engine::{Engine, Remote, register_functions};
use provider::LakeTable;
pub use provider::Searched;
pub(crate) use provider::Tally;
use resolve::Tables as Known;

/// Memory for one query; what needs more is written to temporary files.
pub const QUERY_BYTES_MAX: usize = 512 << 20;

/// Temporary files of one query: a sort of some hundred million rows; beyond that it is asked wrongly.
pub const SPILL_BYTES_MAX: u64 = 32 << 30;

/// Time for one query. A question over a year of logs of a large organisation takes minutes.
pub const QUERY_TIME_MAX: Duration = Duration::from_mins(10);

/// Time to read the events of one day back.
const REPLAY_TIME_MAX: Duration = Duration::from_hours(12);

/// Characters of a question: longer is a list that belongs into a table.
pub const QUESTION_CHARACTERS_MAX: usize = 1 << 20;

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// Not SQL.
    #[error("the question is not SQL that can be read: {0}")]
    Syntax(String),
    /// Nothing, or more than one question.
    #[error("give one question at a time, and not {0}")]
    NotOne(usize),
    /// Something that would change what is kept.
    #[error("only questions are answered (`SELECT`, `WITH`, `SHOW TABLES`, `DESCRIBE`): nothing is changed by SQL")]
    NotAQuestion,
    /// Longer than [`QUESTION_CHARACTERS_MAX`].
    #[error("the question is longer than {QUESTION_CHARACTERS_MAX} characters")]
    TooLong,
    /// No such table.
    #[error("there is no table `{name}`{}; there are: {}", did_you_mean(.like.as_deref()), .known.join(", "))]
    UnknownTable {
        /// As it was given.
        name: String,
        /// The table that was likely meant.
        like: Option<String>,
        /// Every table.
        known: Vec<String>,
    },
    /// No such column.
    #[error("there is no column `{name}`{}", did_you_mean(.like.as_deref()))]
    UnknownColumn {
        /// As it was given.
        name: String,
        /// The column that was likely meant.
        like: Option<String>,
    },
    /// Understood, but cannot be answered.
    #[error("{0}")]
    Refused(String),
    /// A table cannot be read.
    #[error(transparent)]
    Table(#[from] TableError),
    /// More time than [`QUERY_TIME_MAX`].
    #[error("the question was not answered within {} seconds: narrow its time, account or region", QUERY_TIME_MAX.as_secs())]
    TooSlow,
    /// More memory than [`QUERY_BYTES_MAX`] and [`SPILL_BYTES_MAX`].
    #[error("the question needs more memory than {} MB: narrow its time, account or region", QUERY_BYTES_MAX >> 20)]
    TooMuch(#[source] Box<DataFusionError>),
    /// A failure on the way.
    #[error("the question cannot be answered")]
    Failed(#[source] Box<DataFusionError>),
    /// A failure of those who were to answer.
    #[error(transparent)]
    Remote(Box<dyn std::error::Error + Send + Sync>),
}

fn did_you_mean(like: Option<&str>) -> String {
    like.map(|like| format!("; did you mean `{like}`?")).unwrap_or_default()
}

/// Tables beside those of the lake: what the ledger knows of resources, for instance.
#[derive(Debug, Default)]
pub struct Tables {
    tables: BTreeMap<String, RecordBatch>,
}

/// What a column of such a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text, JSON among it.
    Text,
    /// Whole numbers.
    Number,
    /// Times.
    Time,
}

/// One value of such a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Of a column of [`Kind::Text`].
    Text(String),
    /// Of a column of [`Kind::Number`].
    Number(i64),
    /// Of a column of [`Kind::Time`], in microseconds since 1970.
    Time(i64),
}

impl Cell {
    fn text(cell: Option<&Self>) -> Option<&str> {
        match cell {
            Some(Self::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn number(cell: Option<&Self>) -> Option<i64> {
        match cell {
            Some(Self::Number(number)) => Some(*number),
            _ => None,
        }
    }

    fn time(cell: Option<&Self>) -> Option<i64> {
        match cell {
            Some(Self::Time(time)) => Some(*time),
            _ => None,
        }
    }
}

impl Tables {
    /// Adds a table of these columns and rows. A row that has a cell of another kind, or none, has nothing there.
    pub fn add(&mut self, name: &str, columns: &[(&str, Kind)], rows: &[Vec<Cell>]) -> Result<(), QueryError> {
        let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
        for (at, (name, kind)) in columns.iter().enumerate() {
            let cells = rows.iter().map(|row| row.get(at));
            let array: ArrayRef = match kind {
                Kind::Text => Arc::new(cells.map(Cell::text).collect::<StringViewArray>()),
                Kind::Number => Arc::new(cells.map(Cell::number).collect::<Int64Array>()),
                Kind::Time => {
                    Arc::new(cells.map(Cell::time).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
                }
            };
            fields.push(Field::new(*name, array.data_type().clone(), true));
            arrays.push(array);
        }
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new(schema, arrays).map_err(|error| refused(error.into()))?;
        self.tables.insert(name.to_owned(), batch);
        Ok(())
    }
}

/// An answer, batch by batch.
pub struct Answer {
    schema: SchemaRef,
    rows: SendableRecordBatchStream,
    tally: Tally,
    ends: tokio::time::Instant,
}

impl Answer {
    /// The names of the columns.
    pub fn columns(&self) -> Vec<&str> {
        self.schema.fields().iter().map(|field| field.name().as_str()).collect()
    }

    /// The next rows; none at the end. [`print`] makes text of them.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, QueryError> {
        match tokio::time::timeout_at(self.ends, self.rows.next()).await {
            Err(_) => Err(QueryError::TooSlow),
            Ok(None) => Ok(None),
            Ok(Some(Ok(batch))) => Ok(Some(batch)),
            Ok(Some(Err(error))) => Err(query_error(error)),
        }
    }

    /// What was looked through.
    pub fn searched(&self) -> Searched {
        Searched::of(&self.tally.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// What the scans of each table looked through.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }
}

impl Lake {
    /// Answers a question in SQL, or with `explain` how it would be answered. `threads` work on it.
    pub async fn query(&self, sql: &str, tables: Tables, explain: bool, threads: usize) -> Result<Answer, QueryError> {
        self.query_on(&Engine::Embedded { threads }, sql, tables, explain).await
    }

    /// Answers a question in SQL with `engine`, or with `explain` how it would be answered.
    pub async fn query_on(
        &self,
        engine: &Engine,
        sql: &str,
        tables: Tables,
        explain: bool,
    ) -> Result<Answer, QueryError> {
        let ends = tokio::time::Instant::now() + QUERY_TIME_MAX;
        let mut statement = parse(sql)?;
        let context = context(engine)?;
        let tally = Tally::default();
        let mut known = Known::new();
        let root = std::path::absolute(self.root())
            .map_err(|error| TableError::Folder(self.root().display().to_string(), Some(error)))?;
        for source in self.tables() {
            let columns = engine.columns(file_schema(source));
            let table = LakeTable::new(source, &columns, root.clone(), Arc::clone(&tally));
            register(&context, &mut known, &source.name, Arc::new(table))?;
        }
        for (name, rows) in &tables.tables {
            let rows = engine.rows(rows).map_err(|error| refused(error.into()))?;
            let table = MemTable::try_new(rows.schema(), vec![vec![rows]]).map_err(refused)?;
            register(&context, &mut known, name, Arc::new(table))?;
        }
        for (name, sql) in crate::views::VIEWS {
            let frame = context.sql(sql).await.map_err(query_error)?;
            register(&context, &mut known, name, frame.into_view())?;
        }
        resolve::resolve(&mut statement, &known)?;
        let statement = if explain { parse(&format!("EXPLAIN {statement}"))? } else { statement };
        let state = context.state();
        let plan = state.statement_to_plan(Parsed::Statement(Box::new(statement))).await.map_err(query_error)?;
        let options = datafusion::execution::context::SQLOptions::new()
            .with_allow_ddl(false)
            .with_allow_dml(false)
            .with_allow_statements(false);
        options.verify_plan(&plan).map_err(|_| QueryError::NotAQuestion)?;
        let rows = rows(engine, &context, plan, ends).await?;
        Ok(Answer { schema: rows.schema(), rows, tally, ends })
    }
}

/// Answers a question of the program's own over some files of one table, which are given; in any time that it takes.
pub(crate) async fn of_files(
    lake: &Lake,
    source: &crate::source::Source,
    files: Vec<crate::StoredFile>,
    sql: &str,
    threads: usize,
) -> Result<Answer, QueryError> {
    let context = context(&Engine::Embedded { threads })?;
    let tally = Tally::default();
    let root = std::path::absolute(lake.root())
        .map_err(|error| TableError::Folder(lake.root().display().to_string(), Some(error)))?;
    let table = LakeTable::new(source, &file_schema(source), root, Arc::clone(&tally)).of_files(files);
    context.register_table(&*source.name, Arc::new(table)).map_err(refused)?;
    let frame = context.sql(sql).await.map_err(query_error)?;
    let rows = frame.execute_stream().await.map_err(query_error)?;
    Ok(Answer { schema: rows.schema(), rows, tally, ends: tokio::time::Instant::now() + REPLAY_TIME_MAX })
}

/// Carries out the plan.
async fn rows(
    engine: &Engine,
    context: &SessionContext,
    plan: LogicalPlan,
    ends: tokio::time::Instant,
) -> Result<SendableRecordBatchStream, QueryError> {
    let frame = context.execute_logical_plan(plan).await.map_err(query_error)?;
    let task = Arc::new(frame.task_ctx());
    let plan = frame.create_physical_plan().await.map_err(query_error)?;
    match engine {
        Engine::Remote(remote) if engine::reads_files(&plan) => remote.run(plan, &context.state(), ends).await,
        _ => execute_stream(plan, task).map_err(query_error),
    }
}

fn parse(sql: &str) -> Result<Statement, QueryError> {
    if sql.len() > QUESTION_CHARACTERS_MAX {
        return Err(QueryError::TooLong);
    }
    let mut parsed = DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {})
        .map_err(|error| QueryError::Syntax(first_line(&error)))?;
    let count = parsed.len();
    let (Some(statement), 1) = (parsed.pop_front(), count) else { return Err(QueryError::NotOne(count)) };
    match statement {
        Parsed::Statement(statement) => match *statement {
            question @ (Statement::Query(_)
            | Statement::Explain { .. }
            | Statement::ExplainTable { .. }
            | Statement::ShowTables { .. }
            | Statement::ShowColumns { .. }) => Ok(question),
            _ => Err(QueryError::NotAQuestion),
        },
        Parsed::Explain(explain) => match *explain.statement {
            Parsed::Statement(statement) if matches!(*statement, Statement::Query(_)) => parse_explain(sql),
            _ => Err(QueryError::NotAQuestion),
        },
        _ => Err(QueryError::NotAQuestion),
    }
}

/// `EXPLAIN` of a question, in the form in which its names can be visited.
fn parse_explain(sql: &str) -> Result<Statement, QueryError> {
    use datafusion::sql::sqlparser::parser::Parser;
    let mut parsed =
        Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| QueryError::Syntax(first_line(&error)))?;
    let count = parsed.len();
    parsed.pop().filter(|_| count == 1).ok_or(QueryError::NotOne(count))
}

fn context(engine: &Engine) -> Result<SessionContext, QueryError> {
    let mut config = SessionConfig::new().with_information_schema(true);
    if let Engine::Embedded { threads } = engine {
        config = config.with_target_partitions((*threads).max(1));
    }
    let options = config.options_mut();
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.dialect = Dialect::PostgreSQL;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.execution.parquet.bloom_filter_on_read = true;
    options.execution.parquet.enable_page_index = true;
    options.execution.collect_statistics = true;
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::OsTmpDirectory)
        .with_max_temp_directory_size(SPILL_BYTES_MAX);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(FairSpillPool::new(QUERY_BYTES_MAX)))
        .with_disk_manager_builder(disk)
        .build_arc()
        .map_err(refused)?;
    let mut context = SessionContext::new_with_config_rt(config, runtime);
    if let Engine::Remote(remote) = engine {
        context = SessionContext::new_with_state(remote.planner(context.state()));
    }
    register_functions(&mut context)?;
    Ok(context)
}

fn register(
    context: &SessionContext,
    known: &mut Known,
    name: &str,
    table: Arc<dyn TableProvider>,
) -> Result<(), QueryError> {
    let columns = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    known.insert(name.to_owned(), columns);
    context.register_table(name, table).map_err(refused)?;
    Ok(())
}

fn refused(error: DataFusionError) -> QueryError {
    QueryError::Failed(Box::new(error))
}

fn query_error(error: DataFusionError) -> QueryError {
    let error = match error {
        DataFusionError::External(inner) => match inner.downcast::<TableError>() {
            Ok(error) => return QueryError::Table(*error),
            Err(inner) => DataFusionError::External(inner),
        },
        other => other,
    };
    match error.find_root() {
        DataFusionError::SchemaError(inner, _) => {
            if let SchemaError::FieldNotFound { field, valid_fields } = inner.as_ref() {
                let known = || valid_fields.iter().map(|field| field.name.as_str());
                // A dotted path looks to the planner like a table and its column.
                let path = field.relation.as_ref().map(|relation| format!("{relation}_{}", field.name));
                let like = path.and_then(|path| resolve::like(&path, known()));
                let like = like.or_else(|| resolve::like(&field.name, known()));
                return QueryError::UnknownColumn { name: field.name.clone(), like: like.map(str::to_owned) };
            }
            QueryError::Refused(first_line(inner))
        }
        DataFusionError::ResourcesExhausted(_) => QueryError::TooMuch(Box::new(error)),
        DataFusionError::Plan(text) | DataFusionError::NotImplemented(text) | DataFusionError::Execution(text) => {
            QueryError::Refused(text.lines().collect::<Vec<_>>().join(" "))
        }
        DataFusionError::SQL(inner, _) => QueryError::Syntax(first_line(inner)),
        _ => QueryError::Failed(Box::new(error)),
    }
}

fn first_line(text: &impl std::fmt::Display) -> String {
    text.to_string().lines().next().unwrap_or_default().to_owned()
}
