//! `yagura cluster`: the parts of a cluster that answers questions, and the engine that asks it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::{Context, Result};
use yagura_cluster::{Cluster, Scheduler, executor};
use yagura_lake::Engine;

use crate::cli::{ClusterVerb, Common, ExecutorArgs, SchedulerArgs};
use crate::config::Config;
use crate::words::Words;
use crate::{Exit, pipeline};

/// Runs a part of a cluster.
pub(super) fn run(common: &Common, verb: &ClusterVerb, config: &Config, words: &Words) -> Result<Exit> {
    let runtime = pipeline::runtime()?;
    let ended = runtime.block_on(async {
        match verb {
            ClusterVerb::Scheduler(args) => scheduler(common, args, words).await,
            ClusterVerb::Executor(args) => run_executor(common, args, config, words).await,
        }
    });
    // What still runs has been given to others.
    runtime.shutdown_background();
    ended.map(|()| Exit::Clean)
}

/// The engine of a question: the cluster at `url`, or this process.
pub(crate) fn engine(url: Option<&str>) -> Result<Engine> {
    Ok(match url {
        Some(url) => Engine::Remote(Arc::new(Cluster::new(url)?)),
        None => Engine::Embedded { threads: threads() },
    })
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

async fn scheduler(common: &Common, args: &SchedulerArgs, words: &Words) -> Result<()> {
    let scheduler = Scheduler::bind(args.bind, args.unprotected).await?;
    let address = scheduler.address();
    started(&words.fill("cluster.scheduler", &[("address", &address)]))?;
    warn(common, address, words);
    Ok(scheduler.run(stop()).await?)
}

async fn run_executor(common: &Common, args: &ExecutorArgs, config: &Config, words: &Words) -> Result<()> {
    let options = executor::Options {
        scheduler: Cluster::new(&args.scheduler)?,
        bind: args.bind,
        unprotected: args.unprotected,
        slots: args.slots.map_or_else(threads, NonZeroUsize::get),
        lake: config.data_dir()?.join(yagura_lake::FOLDER),
    };
    let (slots, lake) = (options.slots, options.lake.display().to_string());
    let ready = |address: SocketAddr| {
        let values: [(&str, &dyn std::fmt::Display); 3] = [("address", &address), ("slots", &slots), ("lake", &lake)];
        // Whoever started it and does not read what it says does not stop it.
        let _ = started(&words.fill("cluster.executor", &values));
        warn(common, address, words);
    };
    Ok(executor::run(options, ready, stop()).await?)
}

/// Says at once, to people and programs, that the part is ready.
fn started(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush().context("the standard output cannot be written")
}

fn warn(common: &Common, address: SocketAddr, words: &Words) {
    if !address.ip().is_loopback() {
        eprintln!("{}", words.fill("cluster.unprotected", &[("address", &address)]));
    } else if !common.quiet {
        eprintln!("{}", words.get("cluster.loopback"));
    }
}

/// Ready when the process is asked to stop, from the keyboard or by whoever started it.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut asked) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => return,
                _ = asked.recv() => return,
            }
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
