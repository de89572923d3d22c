//! An executor: carries out tasks, and keeps what they give for the next stage and for the client.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ballista_core::config::TaskSchedulingPolicy;
use ballista_executor::execution_engine::DefaultExecutionEngine;
use ballista_executor::executor_process::{ExecutorProcessConfig, start_executor_process};
use ballista_executor::health::ExecutorHealth;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use yagura_lake::{QUERY_TIME_MAX, SPILL_BYTES_MAX};

use crate::client::Cluster;
use crate::guard::Guarded;
use crate::{ClusterError, MESSAGE_BYTES_MAX, SILENCE_MAX, TASK_BYTES_MAX, allowed, host, session};

/// How long an executor waits for a scheduler that is being started.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// How long an executor that is told to stop finishes what it is doing; the scheduler has it done by others then.
const STOP_TIME_MAX: Duration = Duration::from_secs(5);

/// How often the scheduler is looked for, and whether it knows the executor.
const LOOK: Duration = Duration::from_millis(100);

/// How often files that nobody fetched are looked for.
const CLEAN_SECONDS: u64 = 60;

/// What an executor needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// The scheduler.
    pub scheduler: Cluster,
    /// Where to listen; port 0 is one that is free.
    pub bind: SocketAddr,
    /// Whether somebody vouches for an address that other machines reach.
    pub unprotected: bool,
    /// Tasks at a time.
    pub slots: usize,
    /// The folder of the lake. Nothing else is read.
    pub lake: PathBuf,
}

/// Works until `stop` is ready; `ready` is called with its address when the scheduler knows it.
pub async fn run(
    options: Options,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), ClusterError> {
    allowed(options.bind, options.unprotected)?;
    let address = free(options.bind)?;
    let folder = tempfile::Builder::new().prefix("yagura-executor-").tempdir().map_err(ClusterError::Temporary)?;
    reach(&options.scheduler).await?;
    let health = ExecutorHealth::new();
    let config = config(&options, address, folder.path(), health.clone())?;
    let mut process = std::pin::pin!(start_executor_process(Arc::new(config)));
    let mut stop = std::pin::pin!(stop);
    let known = async {
        while !health.is_ready() {
            sleep(LOOK).await;
        }
    };
    tokio::select! {
        ended = &mut process => return Err(ClusterError::Stopped("executor", ended.err().map(Into::into))),
        () = known => ready(address),
        () = &mut stop => return Ok(()),
    }
    tokio::select! {
        ended = &mut process => Err(ClusterError::Stopped("executor", ended.err().map(Into::into))),
        () = forgotten(&health) => Err(ClusterError::Unreachable(options.scheduler.to_string(), None)),
        () = stop => {
            // What is not done by then is given to others: the scheduler was told when the stop was.
            let _ = timeout(STOP_TIME_MAX, process).await;
            Ok(())
        }
    }
}

/// The address with a port that is free, where none is named.
fn free(bind: SocketAddr) -> Result<SocketAddr, ClusterError> {
    let failed = |error| ClusterError::Bind(bind, error);
    TcpListener::bind(bind).and_then(|listener| listener.local_addr()).map_err(failed)
}

/// Ready when the scheduler has not answered for as long as it would wait for an executor.
async fn forgotten(health: &ExecutorHealth) {
    let mut heard = Instant::now();
    while heard.elapsed() < SILENCE_MAX {
        if health.is_ready() {
            heard = Instant::now();
        }
        sleep(LOOK).await;
    }
}

/// Waits until the scheduler answers.
async fn reach(scheduler: &Cluster) -> Result<(), ClusterError> {
    let ends = Instant::now() + START_TIME_MAX;
    loop {
        match TcpStream::connect(scheduler.authority()).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= ends => {
                return Err(ClusterError::Unreachable(scheduler.to_string(), Some(Box::new(error))));
            }
            Err(_) => sleep(LOOK).await,
        }
    }
}

fn config(
    options: &Options,
    address: SocketAddr,
    folder: &Path,
    health: ExecutorHealth,
) -> Result<ExecutorProcessConfig, ClusterError> {
    let session = |error| ClusterError::Session(Box::new(error));
    let lake = std::path::absolute(&options.lake).map_err(ClusterError::Temporary)?;
    let lake = object_store::path::Path::from_absolute_path(&lake)
        .map_err(|error| ClusterError::Temporary(std::io::Error::other(error)))?;
    let slots = options.slots.max(1);
    // Apart from what is fetched: that folder is cleaned of what is old.
    let (spill, work) = (folder.join("spill"), folder.join("work"));
    for made in [&spill, &work] {
        std::fs::create_dir(made).map_err(ClusterError::Temporary)?;
    }
    let runtime = move |_: &_| {
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![spill.clone()]))
            .with_max_temp_directory_size(SPILL_BYTES_MAX);
        RuntimeEnvBuilder::new().with_disk_manager_builder(disk).build_arc()
    };
    let engine = Guarded::new(DefaultExecutionEngine::new(), lake);
    Ok(ExecutorProcessConfig {
        bind_host: host(address),
        external_host: Some(host(address)),
        port: address.port(),
        grpc_port: address.port(),
        scheduler_host: options.scheduler.host().to_owned(),
        scheduler_port: options.scheduler.port(),
        vcores: slots,
        task_scheduling_policy: TaskSchedulingPolicy::PullStaged,
        work_dir: Some(work.display().to_string()),
        job_data_ttl_seconds: QUERY_TIME_MAX.as_secs() * 2,
        job_data_clean_up_interval_seconds: CLEAN_SECONDS,
        grpc_max_decoding_message_size: MESSAGE_BYTES_MAX,
        grpc_max_encoding_message_size: MESSAGE_BYTES_MAX,
        memory_pool_size: Some((TASK_BYTES_MAX as u64).saturating_mul(slots as u64)),
        override_execution_engine: Some(Arc::new(engine)),
        override_function_registry: Some(Arc::new(session::functions().map_err(session)?)),
        override_runtime_producer: Some(Arc::new(runtime)),
        override_config_producer: Some(Arc::new(session::config)),
        health,
        ..ExecutorProcessConfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_free_or_it_is_said() {
        let found = free("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(found.port(), 0);
        let held = TcpListener::bind(found).unwrap();
        assert!(matches!(free(found), Err(ClusterError::Bind(address, _)) if address == found));
        drop(held);
    }
}
