//! The ledger as a file.

use std::path::{Path, PathBuf};

use crate::error::{OpenError, ReadError, WriteError};
use crate::reader::Reader;
use crate::schema;
use crate::writer::{ScanInfo, ScanWriter};

/// The file in the data directory.
const FILE: &str = "ledger.sqlite";

/// The file that a writer locks; the operating system unlocks it when the program ends, however it ends.
const LOCK_FILE: &str = "ledger.lock";

/// How large a ledger may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// In pages of 4,096 bytes; as large as the disk allows where none is given.
    pub pages_max: Option<u32>,
}

/// A ledger that exists, in the format that this program writes.
#[derive(Debug, Clone)]
pub struct Ledger {
    directory: PathBuf,
    limits: Limits,
}

impl Ledger {
    /// Opens the ledger of a data directory; makes both where there are none, and brings a file of an earlier format up
    /// to date. A file of a later format, a damaged one and one that is no ledger are refused.
    pub async fn open(directory: &Path) -> Result<Self, OpenError> {
        Self::open_within(directory, Limits::default()).await
    }

    /// The same, for a ledger that must not grow beyond limits.
    pub async fn open_within(directory: &Path, limits: Limits) -> Result<Self, OpenError> {
        std::fs::create_dir_all(directory).map_err(|error| OpenError::Directory(directory.to_owned(), error))?;
        let ledger = Self { directory: directory.to_owned(), limits };
        schema::prepare(&ledger.file(), limits).await?;
        Ok(ledger)
    }

    /// Begins to record a scan. One can be recorded at a time, over all programs.
    pub async fn begin_scan(&self, scan: ScanInfo) -> Result<ScanWriter, WriteError> {
        ScanWriter::begin(&schema::options(&self.file(), self.limits), &self.directory.join(LOCK_FILE), scan).await
    }

    /// Something to read with; a scan that is being recorded does not disturb it.
    pub async fn reader(&self) -> Result<Reader, ReadError> {
        Reader::connect(schema::options(&self.file(), self.limits)).await
    }

    /// Where the file is.
    pub fn file(&self) -> PathBuf {
        self.directory.join(FILE)
    }
}
