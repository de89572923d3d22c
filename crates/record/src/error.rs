//! What can go wrong with a ledger, in words for the person whose ledger it is.

use std::path::PathBuf;

use yagura_model::AccountId;

/// Why a ledger cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be made.
    #[error("the data directory `{0}` cannot be made")]
    Directory(PathBuf, #[source] std::io::Error),
    /// The file was written by a later version of the program.
    #[error(
        "the ledger `{path}` was written by a newer Yagura (its format is {found}, this one knows {known}): update Yagura, or use another data directory"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The latest format that this program knows.
        known: i64,
    },
    /// The file is something else.
    #[error("`{0}` is not a Yagura ledger: move it away, or use another data directory")]
    NotALedger(PathBuf),
    /// The file is damaged.
    #[error("the ledger `{0}` is damaged: restore it from a backup, or move it away and scan again")]
    Damaged(PathBuf, #[source] sqlx::Error),
    /// The disk, or the size that the ledger may have, is full.
    #[error("there is no room for the ledger `{0}`: free some space")]
    Full(PathBuf, #[source] sqlx::Error),
    /// Anything else.
    #[error("the ledger `{0}` cannot be opened")]
    Database(PathBuf, #[source] sqlx::Error),
}

/// Why an observation cannot be recorded.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Another scan is being recorded.
    #[error("another scan is being recorded into this ledger: wait until it ends")]
    Busy,
    /// The lock file cannot be used.
    #[error("the lock of the ledger, `{0}`, cannot be used")]
    Lock(PathBuf, #[source] std::io::Error),
    /// A scan from before what is recorded already.
    #[error("account {account} has a scan of {recorded} already: one of {started} would rewrite its history")]
    BackInTime {
        /// The account.
        account: AccountId,
        /// When the latest recorded scan started.
        recorded: chrono::DateTime<chrono::Utc>,
        /// When this one did.
        started: chrono::DateTime<chrono::Utc>,
    },
    /// A resource that is too large to keep.
    #[error("`{id}` ({kind}) has {bytes} bytes, more than the {max} that are kept of one resource")]
    TooLarge {
        /// Its type.
        kind: String,
        /// Its identifier.
        id: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A write failed before.
    #[error("an earlier write failed: this scan cannot go on, scan again")]
    Broken,
    /// The disk, or the size that the ledger may have, is full.
    #[error("there is no room left for the ledger: what was recorded before is kept; free some space and scan again")]
    Full(#[source] sqlx::Error),
    /// The file is damaged.
    #[error("the ledger is damaged: restore it from a backup, or move it away and scan again")]
    Damaged(#[source] sqlx::Error),
    /// What is kept of a resource cannot be understood.
    #[error("the ledger is damaged: restore it from a backup, or move it away and scan again")]
    Body(#[from] BodyError),
    /// Anything else.
    #[error("the ledger cannot be written")]
    Database(#[source] sqlx::Error),
}

/// Why something cannot be read from the ledger.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file is damaged.
    #[error("the ledger is damaged: restore it from a backup, or move it away and scan again")]
    Damaged(#[source] sqlx::Error),
    /// What is kept of a resource cannot be understood.
    #[error("the ledger is damaged: restore it from a backup, or move it away and scan again")]
    Body(#[from] BodyError),
    /// Anything else.
    #[error("the ledger cannot be read")]
    Database(#[source] sqlx::Error),
}

/// Kept bytes that are not what was written.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// Not what zstd made.
    #[error("a body cannot be inflated")]
    Inflate(#[source] std::io::Error),
    /// Not JSON of the expected shape.
    #[error("a kept value cannot be understood")]
    Json(#[from] serde_json::Error),
    /// A time outside of what can be told.
    #[error("{0} is not a time")]
    Time(i64),
    /// A coding that this format does not have.
    #[error("a body has the unknown coding {0}")]
    Coding(i64),
    /// A body whose hash is not the one it is kept under.
    #[error("a body is not the one that was written")]
    Hash,
}

/// What a failure of the database means, as far as it has a meaning of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meaning {
    Full,
    Damaged,
    NotADatabase,
    Other,
}

/// SQLite's primary result codes: <https://www.sqlite.org/rescode.html>.
const CORRUPT: i64 = 11;
const FULL: i64 = 13;
const NOT_A_DATABASE: i64 = 26;

pub(crate) fn meaning(error: &sqlx::Error) -> Meaning {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    // The upper bytes of an extended code only say more about the same thing.
    let code = code.and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff);
    match (code, error) {
        (Some(FULL), _) => Meaning::Full,
        (Some(NOT_A_DATABASE), _) => Meaning::NotADatabase,
        (Some(CORRUPT), _) | (None, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => Meaning::Damaged,
        _ => Meaning::Other,
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        match meaning(&error) {
            Meaning::Full => Self::Full(error),
            Meaning::Damaged | Meaning::NotADatabase => Self::Damaged(error),
            Meaning::Other => Self::Database(error),
        }
    }
}

impl From<sqlx::Error> for ReadError {
    fn from(error: sqlx::Error) -> Self {
        match meaning(&error) {
            Meaning::Damaged | Meaning::NotADatabase => Self::Damaged(error),
            Meaning::Full | Meaning::Other => Self::Database(error),
        }
    }
}
