//! Where the plan of a question is carried out: here, or by others who see the same files.

use std::fmt::Debug;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use async_trait::async_trait;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{FunctionRegistry, SendableRecordBatchStream, SessionState};
use datafusion::physical_plan::ExecutionPlan;
use tokio::time::Instant;

use super::{QueryError, refused};

/// Who carries out the plan of a question. The question is read, checked and planned here in either case, over the same
/// version of every table; so names, errors, limits and what was searched are the same.
#[derive(Debug, Clone)]
pub enum Engine {
    /// This process, with so many threads.
    Embedded {
        /// The threads.
        threads: usize,
    },
    /// Others, who see the lake under the same path.
    Remote(Arc<dyn Remote>),
}

/// Others who carry out plans.
#[async_trait]
pub trait Remote: Debug + Send + Sync {
    /// The session that makes plans which can be sent.
    fn planner(&self, state: SessionState) -> SessionState;

    /// Carries out the plan and gives its rows: all of them, or an error, never some. What is not done at `ends` is
    /// [`QueryError::TooSlow`] and goes on nowhere.
    async fn run(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        state: &SessionState,
        ends: Instant,
    ) -> Result<SendableRecordBatchStream, QueryError>;
}

/// Registers the functions of questions beside those of SQL: wherever a plan is made or carried out, they must be known.
pub fn register_functions(registry: &mut dyn FunctionRegistry) -> Result<(), QueryError> {
    datafusion_functions_json::register_all(registry).map_err(refused)?;
    for function in super::functions::all() {
        registry.register_udf(Arc::new(function)).map_err(refused)?;
    }
    Ok(())
}

impl Engine {
    /// The columns as this engine is to read them.
    pub(super) fn columns(&self, schema: SchemaRef) -> SchemaRef {
        match self {
            Self::Embedded { .. } => schema,
            Self::Remote(_) => plain_schema(&schema),
        }
    }

    /// The rows as this engine is to have them.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::Embedded { .. } => Ok(batch.clone()),
            Self::Remote(_) => {
                let schema = plain_schema(&batch.schema());
                let columns = batch.columns().iter().zip(schema.fields());
                let columns = columns.map(|(column, field)| cast(column, field.data_type()));
                RecordBatch::try_new(Arc::clone(&schema), columns.collect::<Result<_, _>>()?)
            }
        }
    }
}

/// Whether the plan reads rows of the lake. What reads none (`SHOW TABLES`, a question of the resources alone) is
/// answered faster where it is asked.
pub(super) fn reads_files(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let mut found = false;
    let visited = plan.apply(|node| {
        found |= files(node.as_ref()).is_some_and(|config| config.file_groups.iter().any(|group| !group.is_empty()));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found && visited.is_ok()
}

fn files(node: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    let source: &dyn std::any::Any = node.downcast_ref::<DataSourceExec>()?.data_source().as_ref();
    source.downcast_ref()
}

/// The same columns with texts that hold their own bytes. A view of a text keeps the whole buffer that it points into:
/// one row sent to another process would take the bytes of thousands with it.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema.fields().iter().map(|field| plain(field)).collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

fn plain(field: &Field) -> Field {
    let kind = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(item) => DataType::List(Arc::new(plain(item))),
        DataType::Struct(members) => DataType::Struct(members.iter().map(|member| plain(member)).collect()),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray, StringViewArray};

    use super::*;

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait]
    impl Remote for Nowhere {
        fn planner(&self, state: SessionState) -> SessionState {
            state
        }

        async fn run(
            &self,
            _: Arc<dyn ExecutionPlan>,
            _: &SessionState,
            _: Instant,
        ) -> Result<SendableRecordBatchStream, QueryError> {
            Err(QueryError::TooSlow)
        }
    }

    #[test]
    fn texts_that_are_sent_hold_their_own_bytes() {
        let item = Arc::new(Field::new("item", DataType::Utf8View, true));
        let schema = Arc::new(Schema::new(vec![
            Field::new("a", DataType::Utf8View, false),
            Field::new("b", DataType::List(item), true),
            Field::new("c", DataType::Int64, true),
        ]));
        let engine = Engine::Remote(Arc::new(Nowhere));
        let kinds: Vec<String> =
            engine.columns(Arc::clone(&schema)).fields().iter().map(|field| field.data_type().to_string()).collect();
        assert_eq!(kinds, ["Utf8", "List(Utf8)", "Int64"]);
        assert_eq!(Engine::Embedded { threads: 1 }.columns(Arc::clone(&schema)), schema);

        let texts = StringViewArray::from(vec!["one text that is longer than a view", "two"]);
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8View, false)]));
        let batch = RecordBatch::try_new(schema, vec![Arc::new(texts)]).unwrap();
        let sent = engine.rows(&batch).unwrap();
        assert_eq!(sent.column(0).as_string::<i32>().value(1), "two");
        assert_eq!(Engine::Embedded { threads: 1 }.rows(&batch).unwrap(), batch);
        assert_eq!(sent.column(0).null_count(), 0);
    }
}
