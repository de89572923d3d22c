//! The scheduler: takes plans, cuts them into stages, and gives their tasks to executors.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_scheduler::cluster::BallistaCluster;
use ballista_scheduler::cluster::memory::InMemoryJobState;
use ballista_scheduler::config::{SchedulerConfig, TaskDistributionPolicy};
use ballista_scheduler::scheduler_process::{create_scheduler, start_grpc_service_with_listener};
use tokio::net::TcpListener;
use yagura_lake::QUERY_TIME_MAX;

use crate::members::{Members, Server};
use crate::{ClusterError, MESSAGE_BYTES_MAX, SILENCE_MAX, allowed, host, session};

/// How often the scheduler looks for executors that are silent.
const LOOK_SECONDS: u64 = 2;

/// How long what an answered question left behind is kept: nobody fetches longer than a question may take.
const KEEP_SECONDS: u64 = QUERY_TIME_MAX.as_secs() + 60;

/// A scheduler whose port is open.
#[derive(Debug)]
pub struct Scheduler {
    listener: TcpListener,
    address: SocketAddr,
}

impl Scheduler {
    /// Opens the port; port 0 is one that is free. An address that other machines reach must be vouched for with
    /// `unprotected`.
    pub async fn bind(address: SocketAddr, unprotected: bool) -> Result<Self, ClusterError> {
        allowed(address, unprotected)?;
        let failed = |error| ClusterError::Bind(address, error);
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Works until `stop` is ready.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<(), ClusterError> {
        let stopped = |error| ClusterError::Stopped("scheduler", Some(Box::new(error)));
        let config = Arc::new(config(self.address));
        let members = Arc::new(Members::default());
        let name = config.scheduler_id.clone();
        let jobs = InMemoryJobState::new(name, Arc::new(session::state), Arc::new(session::config));
        let cluster = BallistaCluster::new(Arc::clone(&members) as _, Arc::new(jobs));
        let server: Server = create_scheduler(cluster, config).await.map_err(stopped)?;
        members.serve(server.clone());
        tokio::select! {
            ended = start_grpc_service_with_listener(self.listener, server) => {
                Err(ClusterError::Stopped("scheduler", ended.err().map(Into::into)))
            }
            () = stop => Ok(()),
        }
    }
}

// Executors ask for work, and say how much of it they can take. If the scheduler counted their slots itself, it would
// forget those whose stage it gives up when another executor is lost, and wait for them for ever.
fn config(address: SocketAddr) -> SchedulerConfig {
    SchedulerConfig {
        external_host: host(address),
        bind_host: host(address),
        bind_port: address.port(),
        scheduling_policy: TaskSchedulingPolicy::PullStaged,
        task_distribution: TaskDistributionPolicy::RoundRobin,
        finished_job_data_clean_up_interval_seconds: KEEP_SECONDS,
        finished_job_state_clean_up_interval_seconds: KEEP_SECONDS,
        grpc_server_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_server_max_encoding_message_size: MESSAGE_BYTES_MAX,
        grpc_client_max_message_size: MESSAGE_BYTES_MAX,
        executor_timeout_seconds: SILENCE_MAX.as_secs(),
        expire_dead_executor_interval_seconds: LOOK_SECONDS,
        no_executors_grace_period_seconds: SILENCE_MAX.as_secs(),
        // A question with a part that failed is asked anew by its client, where that may help: see `members`.
        task_max_failures: 1,
        stage_max_failures: 1,
        override_config_producer: Some(Arc::new(session::config)),
        override_session_builder: Some(Arc::new(session::state)),
        ..SchedulerConfig::default()
    }
}
