//! Which files hold a value: an index beside the table, so that a look-up opens the files it needs and no others.
//!
//! In `_index/` lie segments that are never changed. A segment speaks of the files it names: for each column that is
//! looked up by value it has the hash of every value with the number of every file that holds it, sorted, and a directory
//! by which one look-up reads two short stretches. The index only ever rules files out. A file that no segment names is
//! opened, and so is one whose segment cannot be read; what a segment says of files that are no longer part of the table
//! means nothing. Therefore a segment need not change in the same step as the table: it is written before the commit that
//! makes its files known. Delta's clean-up leaves folders that begin with `_` alone.

mod merge;
mod segment;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use twox_hash::XxHash64;

use crate::source::Source;
use merge::merged;
use segment::{FILES_MAX, Segment, entry, write};

/// The folder of segments, within the table's.
const FOLDER: &str = "_index";

/// What the names of segments end with.
const ENDING: &str = ".idx";

/// Segments past which the small ones are put together: a look-up reads a little of each.
const SEGMENTS_MAX: usize = 8;

/// The hash by which values are found: the upper half of `XXH64`. Two values of one hash cost a file opened in vain.
fn hash(value: &str) -> u32 {
    u32::try_from(XxHash64::oneshot(0, value.as_bytes()) >> 32).unwrap_or_default()
}

/// The hashes of the values that one file holds, each once, for each column of [`Source::lookup`] that holds text.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    columns: BTreeMap<&'static str, Vec<u32>>,
}

impl Keys {
    /// Takes in rows of the file.
    pub(crate) fn add(&mut self, source: &Source, rows: &RecordBatch) {
        for name in &source.lookup {
            let Some(column) = rows.column_by_name(name).filter(|column| *column.data_type() == DataType::Utf8View)
            else {
                continue;
            };
            hashes(column, self.columns.entry(name).or_default());
        }
    }
}

fn hashes(column: &ArrayRef, hashes: &mut Vec<u32>) {
    let texts = column.as_string_view();
    let mut before = None;
    for (row, view) in texts.views().iter().enumerate() {
        // Rows are sorted: the value is often the one of the row before.
        if texts.is_valid(row) && before.replace(*view) != Some(*view) {
            hashes.push(hash(texts.value(row)));
        }
    }
}

/// Writes a segment of the files beside the table whose folder is `root`; `name` must be new. The segment is durable
/// when this returns.
pub(crate) fn keep(root: &Path, files: Vec<(String, Keys)>, name: &str) -> io::Result<()> {
    let mut columns: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    let mut names = Vec::with_capacity(files.len());
    // More files than can be numbered are not indexed, which costs look-ups that open them.
    for (number, (path, keys)) in (0_u32..).zip(files).take(FILES_MAX) {
        names.push(path);
        for (column, mut hashes) in keys.columns {
            hashes.sort_unstable();
            hashes.dedup();
            columns.entry(column).or_default().extend(hashes.into_iter().map(|hash| entry(hash, number)));
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    let columns = columns.into_iter().map(|(column, mut entries)| {
        entries.sort_unstable();
        (column.to_owned(), entries)
    });
    let folder = root.join(FOLDER);
    std::fs::create_dir_all(&folder)?;
    write(&folder, &format!("{name}{ENDING}"), names, columns.collect())
}

/// Removes the segment of a commit that came to nothing; that it fails leaves a segment of files that do not exist.
pub(crate) fn discard(root: &Path, name: &str) {
    let path = root.join(FOLDER).join(format!("{name}{ENDING}"));
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::debug!(path = %path.display(), %error, "leaving a segment of the index");
    }
}

/// Puts small segments together where there are many, so that their number grows with the logarithm of the values.
pub(crate) fn tidy(root: &Path, name: &str) -> io::Result<()> {
    let folder = root.join(FOLDER);
    let mut sizes = Vec::new();
    for path in segments(&folder)? {
        // Another process may have put it together with others in this moment.
        if let Ok(meta) = path.metadata() {
            sizes.push((meta.len(), path));
        }
    }
    if sizes.len() <= SEGMENTS_MAX {
        return Ok(());
    }
    sizes.sort();
    let (mut bytes, mut some) = (0, Vec::new());
    for (size, path) in sizes {
        if some.len() > 1 && size > 2 * bytes {
            break;
        }
        bytes += size;
        some.push(path);
    }
    merged(&folder, some, None, &format!("{name}-m{ENDING}"))
}

/// Puts all segments together that are older than `before`, and leaves out what they say of files other than `live`. A
/// younger one may speak of files whose commit is on its way.
pub(crate) fn sweep(root: &Path, live: &HashSet<&str>, before: std::time::SystemTime, name: &str) -> io::Result<()> {
    let folder = root.join(FOLDER);
    let mut old = Vec::new();
    for path in segments(&folder)? {
        if path.metadata().and_then(|meta| meta.modified()).is_ok_and(|modified| modified < before) {
            old.push(path);
        }
    }
    if old.is_empty() { Ok(()) } else { merged(&folder, old, Some(live), &format!("{name}-s{ENDING}")) }
}

fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "idx")).collect())
}

/// What the index says of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// The file holds none of the values.
    No,
    /// The file may hold one of them.
    Perhaps,
}

/// The index of one table.
#[derive(Debug)]
pub(crate) struct Index {
    segments: Vec<Segment>,
}

impl Index {
    /// The index beside the table whose folder is `root`. Segments that cannot be read are left out.
    pub(crate) fn open(root: &Path) -> Self {
        let paths = segments(&root.join(FOLDER)).unwrap_or_else(|error| {
            tracing::warn!(%error, "the index of the table cannot be listed; look-ups open every file");
            Vec::new()
        });
        let open = |path: PathBuf| match Segment::open(&path) {
            Ok(segment) => Some(segment),
            // Put together with others since the folder was listed: its files are opened.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "a segment of the index cannot be read");
                None
            }
        };
        Self { segments: paths.into_iter().filter_map(open).collect() }
    }

    /// For each of `files`, given with their position, whether it may hold one of `values` in `column`. A file that
    /// nothing is known of is not in the answer.
    pub(crate) fn find(&self, column: &str, values: &[&str], files: &HashMap<&str, usize>) -> HashMap<usize, Held> {
        let mut found = HashMap::new();
        for segment in &self.segments {
            let mut hits = HashSet::new();
            let mut look = || {
                for value in values {
                    segment.find(column, hash(value), &mut hits)?;
                }
                io::Result::Ok(())
            };
            match look() {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::warn!(%error, "a segment of the index is damaged; its files are opened");
                    continue;
                }
            }
            for (number, path) in (0_u32..).zip(segment.files()) {
                let Some(position) = files.get(path) else { continue };
                // A segment that names a file knows all of it, so one that says no is enough.
                let held = if hits.contains(&number) { Held::Perhaps } else { Held::No };
                found.insert(*position, held);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
