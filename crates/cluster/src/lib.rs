//! The same SQL on several machines: a scheduler, executors, and a client that asks them.
//!
//! In: a plan over files of the lake, addresses. Out: the same rows that the embedded engine gives. A question is read,
//! checked and planned by whoever asks it (the lake's work), so all machines see the one version of every table that the
//! plan names, and what was searched is known before anything is sent.
//! Never here: tables and their formats (the lake's), the terminal.
//!
//! Who plays which part: [`Cluster`] sends a plan to the [`Scheduler`], which cuts it into stages and gives their tasks
//! to the executors ([`executor::run`]). Executors write what a stage gives into files, and fetch from each other and
//! give to the client what they wrote. When an executor is lost, the questions that it had a part in are given up, and
//! their clients ask them again from the start.

mod client;
pub mod executor;
mod guard;
mod members;
mod scheduler;
mod session;
mod spool;

use std::net::SocketAddr;
use std::time::Duration;

pub use client::Cluster;
pub use scheduler::Scheduler;

/// Bytes of one message: a plan with some hundred thousand files. Rows go in far smaller ones.
pub const MESSAGE_BYTES_MAX: u32 = 64 << 20;

/// Memory for each task of an executor, as much as the embedded engine has for a question; what needs more is written to
/// temporary files.
pub const TASK_BYTES_MAX: usize = yagura_lake::QUERY_BYTES_MAX;

/// Pieces that the tables of a question are cut into: more than the slots of a small cluster, so that a lost executor
/// loses little, and few enough for one machine.
pub const PIECES: usize = 16;

/// How long an executor may be silent before its tasks are given to others. It asks for work all the time, and every five
/// seconds while it can take none.
pub const SILENCE_MAX: Duration = Duration::from_secs(12);

/// How often a question is asked in all when executors are lost: the first time it is noticed when their part is fetched,
/// and once more when they were silent for too long.
pub const ATTEMPTS_MAX: u32 = 5;

/// Why a cluster does not work.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// Not an address of a scheduler.
    #[error("`{0}` is not the address of a scheduler: give `http://HOST:PORT`")]
    Address(String),
    /// An address that other machines reach, and nobody said that it may be.
    #[error(
        "`{0}` can be reached by other machines, and nothing protects the port: give `--unprotected` where only trusted machines reach it"
    )]
    Unprotected(SocketAddr),
    /// An address that others cannot be told.
    #[error("`{0}` is not an address under which others reach this machine: name that one")]
    Unspecified(SocketAddr),
    /// The port is not free, or the address is not of this machine.
    #[error("cannot listen on `{0}`")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// Nobody answers there.
    #[error("no scheduler answers at `{0}`")]
    Unreachable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// A scheduler without executors.
    #[error("the scheduler at `{0}` has no executor: start one with `yagura cluster executor`")]
    NoExecutor(String),
    /// Another version of this program.
    #[error("the scheduler at `{0}` refused the question: {1}")]
    Refused(String, String),
    /// `EXPLAIN ANALYZE`.
    #[error("`EXPLAIN ANALYZE` measures the engine of one machine: ask it without `--cluster`")]
    Analyze,
    /// A plan that cannot be written down.
    #[error("the question cannot be sent to a cluster: ask it without `--cluster`")]
    Unsendable(#[source] Box<datafusion::error::DataFusionError>),
    /// A plan with too many files or recorded resources.
    #[error("the plan of the question has {megabytes} MB, and {} are the most: narrow its time, account or region, run `yagura logs compact`, or ask it without `--cluster`", MESSAGE_BYTES_MAX >> 20)]
    TooLarge {
        /// What it has.
        megabytes: usize,
    },
    /// A failure of a task.
    #[error("the cluster could not answer the question: {0}")]
    Failed(String),
    /// Executors were lost again and again.
    #[error("executors were lost on the way to the answer, {ATTEMPTS_MAX} times in a row")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No room for what a cluster writes.
    #[error("no temporary file can be used")]
    Temporary(#[source] std::io::Error),
    /// The functions of questions cannot be set up.
    #[error("the session of the cluster cannot be set up")]
    Session(#[source] Box<datafusion::error::DataFusionError>),
    /// The scheduler or an executor ended by itself.
    #[error("the {0} stopped by itself")]
    Stopped(&'static str, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
}

/// Whether the address may be listened on: a loopback address, or one that somebody vouches for.
fn allowed(address: SocketAddr, unprotected: bool) -> Result<(), ClusterError> {
    if address.ip().is_unspecified() {
        return Err(ClusterError::Unspecified(address));
    }
    if !address.ip().is_loopback() && !unprotected {
        return Err(ClusterError::Unprotected(address));
    }
    Ok(())
}

/// The address as it stands in a URL.
fn host(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.ip().to_string(),
        SocketAddr::V6(address) => format!("[{}]", address.ip()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_others_reach_is_opened_only_when_asked_for() {
        for (address, unprotected, expected) in [
            ("127.0.0.1:50050", false, true),
            ("127.8.9.10:1", false, true),
            ("[::1]:50050", false, true),
            ("192.0.2.1:50050", false, false),
            ("192.0.2.1:50050", true, true),
            ("0.0.0.0:50050", false, false),
            ("0.0.0.0:50050", true, false),
            ("[::]:50050", true, false),
        ] {
            assert_eq!(allowed(address.parse().unwrap(), unprotected).is_ok(), expected, "{address} {unprotected}");
        }
        assert_eq!(host("[::1]:5".parse().unwrap()), "[::1]");
        assert_eq!(host("127.0.0.1:5".parse().unwrap()), "127.0.0.1");
    }
}
