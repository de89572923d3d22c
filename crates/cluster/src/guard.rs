//! What an executor carries out: reading below one folder, and nothing that writes. Whoever reaches the port can send
//! any plan, so the plan is looked at where its files are opened.

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::serde::protobuf::{RuntimeStatsReport, ShuffleWritePartition, TaskColumnStats, WindowStateReport};
use ballista_executor::execution_engine::{DefaultExecutionEngine, ExecutionEngine, QueryStageExecutor};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfig};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::prelude::SessionConfig;
use object_store::path::Path;
use tokio::time::sleep;
use yagura_lake::QUERY_TIME_MAX;

/// What gives rows without reading a file: they come from other tasks, or stand in the plan.
const SOURCES: [&str; 5] =
    ["ShuffleReaderExec", "RangeShuffleReaderExec", "EmptyExec", "PlaceholderRowExec", "LazyMemoryExec"];

/// How often a task looks whether somebody still waits for it.
const LOOK: Duration = Duration::from_secs(1);

/// Carries out plans that read below one folder.
pub(crate) struct Guarded {
    inner: DefaultExecutionEngine,
    folder: Path,
}

impl Guarded {
    /// The engine whose plans read below `folder`.
    pub(crate) fn new(inner: DefaultExecutionEngine, folder: Path) -> Self {
        Self { inner, folder }
    }
}

impl ExecutionEngine for Guarded {
    fn create_query_stage_exec(
        &self,
        job_id: JobId,
        stage_id: usize,
        task_id: usize,
        global_output_partition_ids: Vec<usize>,
        plan: Arc<dyn ExecutionPlan>,
        work_dir: &str,
        config: &SessionConfig,
    ) -> Result<Arc<dyn QueryStageExecutor>> {
        check(&plan, &self.folder)?;
        let kept = std::path::Path::new(work_dir).join(job_id.as_str());
        let ids = global_output_partition_ids;
        let inner = self.inner.create_query_stage_exec(job_id, stage_id, task_id, ids, plan, work_dir, config)?;
        Ok(Arc::new(Wanted { inner, kept }))
    }
}

/// A task that ends when nobody waits for it: the scheduler has what a job keeps removed then.
#[derive(Debug)]
struct Wanted {
    inner: Arc<dyn QueryStageExecutor>,
    kept: PathBuf,
}

impl Wanted {
    /// Ready when nobody waits any more.
    async fn unwanted(&self) {
        while self.kept.is_dir() {
            sleep(LOOK).await;
        }
    }
}

#[async_trait]
impl QueryStageExecutor for Wanted {
    async fn execute_query_stage(
        &self,
        task_id: usize,
        context: Arc<TaskContext>,
    ) -> Result<Vec<ShuffleWritePartition>> {
        std::fs::create_dir_all(&self.kept)?;
        let ended = |why: &str| Err(DataFusionError::Execution(format!("the task was ended: {why}")));
        tokio::select! {
            done = self.inner.execute_query_stage(task_id, context) => done,
            () = self.unwanted() => ended("nobody waits for it"),
            () = sleep(QUERY_TIME_MAX) => ended("it took too long"),
        }
    }

    fn collect_plan_metrics(&self) -> Vec<MetricsSet> {
        self.inner.collect_plan_metrics()
    }

    fn collect_runtime_stats_reports(&self) -> Vec<RuntimeStatsReport> {
        self.inner.collect_runtime_stats_reports()
    }

    fn collect_window_state_reports(&self) -> Result<Vec<WindowStateReport>> {
        self.inner.collect_window_state_reports()
    }

    fn collect_column_stats(&self) -> Vec<TaskColumnStats> {
        self.inner.collect_column_stats()
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Whether the plan only reads, and only below `folder`.
fn check(plan: &Arc<dyn ExecutionPlan>, folder: &Path) -> Result<()> {
    plan.apply(|node| {
        // What writes files; shuffles have their own place, which the executor chooses.
        if node.name().ends_with("SinkExec") {
            return refused(format!("an executor writes nothing, and the plan has `{}`", node.name()));
        }
        if let Some(scan) = node.downcast_ref::<DataSourceExec>() {
            let source: &dyn Any = scan.data_source().as_ref();
            if let Some(files) = source.downcast_ref::<FileScanConfig>() {
                check_files(files, folder)?;
            } else if source.downcast_ref::<MemorySourceConfig>().is_none() {
                return refused("an executor reads files of the lake only".to_owned());
            }
        } else if node.children().is_empty() && !SOURCES.contains(&node.name()) {
            return refused(format!("an executor does not carry out `{}`", node.name()));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn check_files(config: &FileScanConfig, folder: &Path) -> Result<()> {
    if config.object_store_url != ObjectStoreUrl::local_filesystem() {
        return refused("an executor reads files of the lake only".to_owned()).map(|_| ());
    }
    let files = config.file_groups.iter().flat_map(FileGroup::files);
    for file in files.map(|file| &file.object_meta.location) {
        if !file.prefix_matches(folder) {
            let text = format!(
                "the executor reads below `/{folder}`, and the question needs `/{file}`: start it with the same `--data-dir`"
            );
            return refused(text).map(|_| ());
        }
    }
    Ok(())
}

fn refused(text: String) -> Result<TreeNodeRecursion> {
    Err(DataFusionError::Plan(text))
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
    use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::prelude::SessionContext;

    use super::*;

    fn scan(url: &str, path: &str) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, true)]));
        let group = FileGroup::new(vec![PartitionedFile::new(path, 1)]);
        let source = Arc::new(ParquetSource::new(schema));
        let url = ObjectStoreUrl::parse(url).unwrap();
        let config = FileScanConfigBuilder::new(url, source).with_file_groups(vec![group]).build();
        // Below another node, as it is in a plan.
        Arc::new(CoalescePartitionsExec::new(DataSourceExec::from_data_source(config)))
    }

    #[test]
    fn files_are_read_below_the_folder_only() {
        let folder = Path::from("data/lake");
        for (url, path, expected) in [
            ("file://", "data/lake/cloudtrail/a.parquet", true),
            ("file://", "data/lake", true),
            ("file://", "data/lakes/a.parquet", false),
            ("file://", "data/a.parquet", false),
            ("file://", "data/lake/../../etc/passwd", true), // no way up: the name holds the dots as they are
            ("s3://bucket", "data/lake/a.parquet", false),
        ] {
            let plan = scan(url, path);
            assert_eq!(check(&plan, &folder).is_ok(), expected, "{url} {path}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written() {
        let folder = Path::from("data/lake");
        let context = SessionContext::new();
        let plan = |sql: &'static str| {
            let context = context.clone();
            async move { context.sql(sql).await.unwrap().create_physical_plan().await.unwrap() }
        };
        let written = plan("COPY (SELECT 1 AS a) TO 'somewhere.parquet'").await;
        assert!(check(&written, &folder).unwrap_err().to_string().contains("writes nothing"));
        let read = plan("SELECT value + 1 FROM generate_series(1, 3)").await;
        check(&read, &folder).unwrap();
        check(&(Arc::new(EmptyExec::new(read.schema())) as _), &folder).unwrap();
        let catalog = plan("SELECT 1 AS a UNION ALL SELECT 2").await;
        check(&catalog, &folder).unwrap();
    }
}
