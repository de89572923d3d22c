//! Who belongs to the cluster. When an executor is lost, every question that it had a part in is given up before anybody
//! makes its parts again: the client asks such a question anew, from the start. Making only the lost parts again, as the
//! scheduler would, has been seen to count parts twice that others had read already.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use ballista_core::JobId;
use ballista_core::error::Result;
use ballista_core::serde::protobuf::ExecutorHeartbeat;
use ballista_core::serde::protobuf::task_status::Status;
use ballista_core::serde::scheduler::{ExecutorData, ExecutorMetadata};
use ballista_scheduler::cluster::memory::InMemoryClusterState;
use ballista_scheduler::cluster::{BoundTask, ClusterState, ClusterStateEventStream, ExecutorSlot};
use ballista_scheduler::config::TaskDistributionPolicy;
use ballista_scheduler::scheduler_server::SchedulerServer;
use ballista_scheduler::state::execution_graph::ExecutionGraphBox;
use ballista_scheduler::state::task_manager::JobInfoCache;
use datafusion_proto::protobuf::{LogicalPlanNode, PhysicalPlanNode};
use tracing::warn;

/// The scheduler.
pub(crate) type Server = SchedulerServer<LogicalPlanNode, PhysicalPlanNode>;

/// The executors, in memory; none is removed while a question counts on it.
#[derive(Default)]
pub(crate) struct Members {
    inner: InMemoryClusterState,
    server: OnceLock<Server>,
}

impl Members {
    /// Tells whose questions these are; once, before there are any.
    pub(crate) fn serve(&self, server: Server) {
        let _ = self.server.set(server);
    }

    /// Gives up the questions that the executor has a part in. They are given up before the scheduler hears that the
    /// executor is lost: it does one thing after the other.
    async fn give_up(&self, executor: &str) {
        let Some(server) = self.server.get() else { return };
        for (job, cached) in server.state.task_manager.get_running_job_cache().iter() {
            if !has_part(&*cached.execution_graph.read().await, executor) {
                continue;
            }
            warn!(%job, executor, "a question is given up, for an executor is lost");
            if let Err(error) = server.cancel_job(job.clone()).await {
                warn!(%job, %error, "a question cannot be given up");
            }
        }
    }
}

/// Whether the executor does, or did, something for the question.
fn has_part(graph: &ExecutionGraphBox, executor: &str) -> bool {
    let tasks = graph.stages().values().filter_map(|stage| stage.task_infos()).flatten();
    tasks.into_iter().any(|task| match &task.task_status {
        Status::Running(task) => task.executor_id == executor,
        Status::Successful(task) => task.executor_id == executor,
        Status::Failed(_) => false,
    })
}

#[async_trait]
impl ClusterState for Members {
    async fn remove_executor(&self, executor_id: &str) -> Result<()> {
        self.give_up(executor_id).await;
        self.inner.remove_executor(executor_id).await
    }

    async fn init(&self) -> Result<()> {
        self.inner.init().await
    }

    async fn bind_schedulable_tasks(
        &self,
        distribution: TaskDistributionPolicy,
        active_jobs: Arc<HashMap<JobId, JobInfoCache>>,
        executors: Option<HashSet<String>>,
    ) -> Result<Vec<BoundTask>> {
        self.inner.bind_schedulable_tasks(distribution, active_jobs, executors).await
    }

    async fn unbind_tasks(&self, executor_slots: Vec<ExecutorSlot>) -> Result<()> {
        self.inner.unbind_tasks(executor_slots).await
    }

    async fn register_executor(&self, metadata: ExecutorMetadata, spec: ExecutorData) -> Result<()> {
        self.inner.register_executor(metadata, spec).await
    }

    async fn save_executor_metadata(&self, metadata: ExecutorMetadata) -> Result<()> {
        self.inner.save_executor_metadata(metadata).await
    }

    async fn get_executor_metadata(&self, executor_id: &str) -> Result<ExecutorMetadata> {
        self.inner.get_executor_metadata(executor_id).await
    }

    async fn registered_executor_metadata(&self) -> Vec<ExecutorMetadata> {
        self.inner.registered_executor_metadata().await
    }

    async fn save_executor_heartbeat(&self, heartbeat: ExecutorHeartbeat) -> Result<()> {
        self.inner.save_executor_heartbeat(heartbeat).await
    }

    fn executor_heartbeats(&self) -> HashMap<String, ExecutorHeartbeat> {
        self.inner.executor_heartbeats()
    }

    fn get_executor_heartbeat(&self, executor_id: &str) -> Option<ExecutorHeartbeat> {
        self.inner.get_executor_heartbeat(executor_id)
    }

    async fn cluster_state_events(&self) -> Result<ClusterStateEventStream> {
        self.inner.cluster_state_events().await
    }
}
