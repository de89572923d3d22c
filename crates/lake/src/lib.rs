//! The log lake: every event of every log, in open tables on the owner's machine, and SQL over them.
//!
//! In: log objects as AWS delivers them (a path and bytes). Out: rows in Delta tables, answers to queries, and the list
//! of what could not be read and why.
//! Never here: rules, findings, AWS clients, the terminal.

mod cloudtrail;
mod compact;
pub mod completeness;
pub mod coverage;
pub mod digest;
mod durable;
mod evidence;
pub mod hunt;
mod index;
mod ingest;
pub mod investigate;
mod json;
mod keeper;
mod ledger;
pub mod mapped;
pub mod metrics;
pub mod object;
mod query;
mod read;
mod replay;
mod rows;
pub mod source;
mod status;
mod store;
mod table;
pub mod time;
mod views;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Handle;

pub use compact::Compacted;
pub use evidence::{Proof, ProofError};
pub use ingest::{Added, AddedSource, Fetch, Files, Options, Progress, SKIPPED_LISTED_MAX, WAITING_BYTES_MAX};
pub use ledger::{Consumed, LedgerError};
pub use query::{
    Answer, Cell, Engine, Kind, QUERY_BYTES_MAX, QUERY_TIME_MAX, QUESTION_CHARACTERS_MAX, QueryError, Remote,
    SPILL_BYTES_MAX, Searched, Tables, print, register_functions,
};
pub use replay::{Form, News, Replay, Replayed};
pub use status::{PlaceStatus, SourceStatus};
pub use store::StoreError;
pub use table::{Place, StoredFile, TableError};

use source::Source;

/// The folder of the lake within the data folder.
pub const FOLDER: &str = "lake";

/// Why logs could not be taken in. What earlier commits of the run stored stands; running again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum AddError {
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Rows or their files.
    #[error(transparent)]
    Store(StoreError),
}

/// The tables of one data folder.
#[derive(Debug, Clone)]
pub struct Lake {
    root: PathBuf,
    sources: Arc<[Source]>,
    runtime: Handle,
}

impl Lake {
    /// The lake in the folder `root`, which need not exist yet.
    pub fn new(root: &Path, runtime: Handle) -> Self {
        Self { root: root.to_path_buf(), sources: sources().into(), runtime }
    }

    /// The lake with these sources beside the built-in one, offered objects after it.
    #[must_use]
    pub fn with_sources(mut self, more: Vec<Source>) -> Self {
        self.sources = self.sources.iter().cloned().chain(more).collect();
        self
    }

    /// Every source that logs can belong to; each is one table.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Every table: those of the sources, and that of metrics.
    fn tables(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().chain([metrics::source()])
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// Every source, in the order in which objects are offered to them.
fn sources() -> Vec<Source> {
    vec![cloudtrail::source()]
}
