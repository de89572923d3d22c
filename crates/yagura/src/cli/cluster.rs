//! The command line of `yagura cluster`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum ClusterVerb {
    /// Take questions and give their parts to executors, until interrupted
    Scheduler(SchedulerArgs),
    /// Carry out parts of questions, until interrupted
    Executor(ExecutorArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SchedulerArgs {
    /// The address to listen on, as executors and askers reach it; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:50050")]
    pub(crate) bind: SocketAddr,
    /// Listen on an address that other machines reach, although nothing protects the port
    #[arg(long)]
    pub(crate) unprotected: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ExecutorArgs {
    /// The scheduler
    #[arg(long, value_name = "URL")]
    pub(crate) scheduler: String,
    /// The address to listen on, as other executors and askers reach it; port 0 is one that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) bind: SocketAddr,
    /// How many parts to carry out at a time (default: as many as the machine has cores)
    #[arg(long, value_name = "N")]
    pub(crate) slots: Option<NonZeroUsize>,
    /// Listen on an address that other machines reach, although nothing protects the port
    #[arg(long)]
    pub(crate) unprotected: bool,
}
