//! One segment: a file that is written once and read in short stretches.
//!
//! It holds, one column after the other, entries of seven bytes (four of the hash, three of the file's number, both big
//! endian) in ascending order, and behind them a directory: for each bucket of hashes the number of the entry after its
//! last, and a check of its bytes. Then the footer, JSON in Zstandard, its length, its check, and what kind of file it is.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

/// What a segment ends with: the kind of file, and the number of its format.
const MAGIC: &[u8; 8] = b"YGINDEX1";

/// Bytes of an entry.
pub(super) const ENTRY_BYTES: usize = 7;

/// Files that one segment can number.
pub(super) const FILES_MAX: usize = 1 << 24;

/// Entries of a bucket, about: what one look-up reads.
const BUCKET_ENTRIES: u64 = 256;

/// Bits of a bucket's number, at most: a directory of 128 MB, over four billion entries.
const BUCKET_BITS_MAX: u32 = 24;

/// Bytes of a directory's record.
const RECORD_BYTES: usize = 8;

/// Bytes behind the footer: its length, its check and [`MAGIC`].
const TAIL_BYTES: usize = 16;

/// Bytes that a footer may have, compressed and not: [`FILES_MAX`] paths.
const FOOTER_BYTES_MAX: u64 = 4 << 30;

/// A hash and a file's number as one number, which sorts like the entry's bytes.
pub(super) fn entry(hash: u32, file: u32) -> u64 {
    (u64::from(hash) << 24) | u64::from(file & 0x00ff_ffff)
}

/// The bytes of an entry.
fn bytes_of(entry: u64) -> [u8; ENTRY_BYTES] {
    let [_, bytes @ ..] = entry.to_be_bytes();
    bytes
}

/// The entry of these bytes.
pub(super) fn entry_of(bytes: [u8; ENTRY_BYTES]) -> u64 {
    bytes.iter().fold(0, |entry, byte| (entry << 8) | u64::from(*byte))
}

/// The hash of an entry.
fn hash_of(entry: u64) -> u32 {
    u32::try_from(entry >> 24).unwrap_or_default()
}

/// The file's number of an entry.
pub(super) fn file_of(entry: u64) -> u32 {
    u32::try_from(entry & 0x00ff_ffff).unwrap_or_default()
}

/// Guards against bytes that are not those that were written: a look-up must not take a damaged index for an answer.
fn check(bytes: &[u8]) -> u32 {
    u32::try_from(XxHash64::oneshot(1, bytes) >> 32).unwrap_or_default()
}

#[derive(Debug, Serialize, Deserialize)]
struct Footer {
    files: Vec<String>,
    columns: Vec<Column>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Column {
    pub(super) name: String,
    /// Entries, and where the first lies.
    pub(super) entries: u64,
    pub(super) at: u64,
    /// The upper bits of a hash that number its bucket, and where the directory lies.
    bits: u32,
    directory: u64,
}

/// Writes a segment of `files`, whose entries stand sorted.
pub(super) fn write(
    folder: &Path,
    name: &str,
    files: Vec<String>,
    columns: BTreeMap<String, Vec<u64>>,
) -> io::Result<()> {
    let mut writer = SegmentWriter::new(folder, name)?;
    for (column, entries) in columns {
        writer.begin(entries.len() as u64);
        for entry in entries {
            writer.push(entry)?;
        }
        writer.end(column)?;
    }
    writer.finish(files)
}

/// A segment on its way: it gets its name when it is whole and durable.
pub(super) struct SegmentWriter<'a> {
    folder: &'a Path,
    name: &'a str,
    out: BufWriter<File>,
    at: u64,
    columns: Vec<Column>,
    // Of the column being written.
    first: u64,
    count: u32,
    bits: u32,
    bucket: Vec<u8>,
    directory: Vec<u8>,
}

impl<'a> SegmentWriter<'a> {
    pub(super) fn new(folder: &'a Path, name: &'a str) -> io::Result<Self> {
        let out = BufWriter::new(File::create_new(folder.join(format!("{name}.new")))?);
        Ok(Self {
            folder,
            name,
            out,
            at: 0,
            columns: Vec::new(),
            first: 0,
            count: 0,
            bits: 0,
            bucket: Vec::new(),
            directory: Vec::new(),
        })
    }

    /// Begins a column of about so many entries.
    pub(super) fn begin(&mut self, entries: u64) {
        (self.first, self.count) = (self.at, 0);
        self.bits = (entries / BUCKET_ENTRIES).max(1).ilog2().min(BUCKET_BITS_MAX);
        self.bucket.clear();
        self.directory.clear();
    }

    /// Adds an entry, not smaller than the one before.
    pub(super) fn push(&mut self, entry: u64) -> io::Result<()> {
        let bucket = bucket(hash_of(entry), self.bits);
        while self.directory.len() / RECORD_BYTES < bucket {
            self.close()?;
        }
        self.count = self.count.checked_add(1).ok_or_else(|| damaged("too many entries"))?;
        self.bucket.extend_from_slice(&bytes_of(entry));
        Ok(())
    }

    /// Ends the bucket.
    fn close(&mut self) -> io::Result<()> {
        self.out.write_all(&self.bucket)?;
        self.at += self.bucket.len() as u64;
        self.directory.extend_from_slice(&self.count.to_be_bytes());
        self.directory.extend_from_slice(&check(&self.bucket).to_be_bytes());
        self.bucket.clear();
        Ok(())
    }

    /// Ends the column.
    pub(super) fn end(&mut self, name: String) -> io::Result<()> {
        while self.directory.len() / RECORD_BYTES < 1 << self.bits {
            self.close()?;
        }
        let column = Column { name, entries: self.count.into(), at: self.first, bits: self.bits, directory: self.at };
        self.columns.push(column);
        self.out.write_all(&self.directory)?;
        self.at += self.directory.len() as u64;
        Ok(())
    }

    /// Ends the segment, makes it durable and gives it its name.
    pub(super) fn finish(mut self, files: Vec<String>) -> io::Result<()> {
        let footer = sonic_rs::to_vec(&Footer { files, columns: self.columns }).map_err(io::Error::other)?;
        let footer = zstd::encode_all(footer.as_slice(), 1)?;
        let length = u32::try_from(footer.len()).map_err(io::Error::other)?;
        self.out.write_all(&footer)?;
        self.out.write_all(&length.to_be_bytes())?;
        self.out.write_all(&check(&footer).to_be_bytes())?;
        self.out.write_all(MAGIC)?;
        let file = self.out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.sync_all()?;
        std::fs::rename(self.folder.join(format!("{}.new", self.name)), self.folder.join(self.name))?;
        crate::durable::folder(self.folder)
    }
}

/// The bucket of a hash.
fn bucket(hash: u32, bits: u32) -> usize {
    usize::try_from(u64::from(hash) >> (32 - bits)).unwrap_or_default()
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// A segment that is read.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    footer: Footer,
}

impl Segment {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        let tail_at = length.checked_sub(TAIL_BYTES as u64).ok_or_else(|| damaged("shorter than its tail"))?;
        let tail = stretch(&file, tail_at, TAIL_BYTES)?;
        let (Some((size, rest)), true) = (tail.split_first_chunk::<4>(), tail.ends_with(MAGIC)) else {
            return Err(damaged("not a segment of an index"));
        };
        let size = u32::from_be_bytes(*size);
        let at = tail_at.checked_sub(size.into()).ok_or_else(|| damaged("shorter than its footer"))?;
        let footer = stretch(&file, at, usize::try_from(size).unwrap_or(usize::MAX))?;
        if rest.first_chunk() != Some(&check(&footer).to_be_bytes()) {
            return Err(damaged("the footer is not what was written"));
        }
        let mut json = Vec::new();
        zstd::Decoder::with_buffer(footer.as_slice())?.take(FOOTER_BYTES_MAX).read_to_end(&mut json)?;
        Ok(Self { file, footer: sonic_rs::from_slice(&json).map_err(io::Error::other)? })
    }

    /// The paths of the files it speaks of, by their number.
    pub(super) fn files(&self) -> impl Iterator<Item = &str> {
        self.footer.files.iter().map(String::as_str)
    }

    pub(super) fn columns(&self) -> &[Column] {
        &self.footer.columns
    }

    /// Adds to `found` the numbers of the files that hold a value of this hash. The error is of the kind `NotFound` where
    /// the segment does not speak of the column.
    pub(super) fn find(&self, column: &str, hash: u32, found: &mut HashSet<u32>) -> io::Result<()> {
        let column = self.column(column).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let bucket = bucket(hash, column.bits);
        // The record of the bucket and the one before it, which says where it begins.
        let first = bucket.saturating_sub(1);
        let records =
            stretch(&self.file, column.directory + (first * RECORD_BYTES) as u64, (bucket + 1 - first) * RECORD_BYTES)?;
        let (records, _) = records.as_chunks::<RECORD_BYTES>();
        let end = |[a, b, c, d, ..]: &[u8; RECORD_BYTES]| u32::from_be_bytes([*a, *b, *c, *d]);
        let (start, record) = match records {
            [record] => (0, record),
            [before, record] => (end(before), record),
            _ => return Err(damaged("the directory ends")),
        };
        let count = end(record).checked_sub(start).ok_or_else(|| damaged("the directory is out of order"))?;
        let at = column.at + u64::from(start) * ENTRY_BYTES as u64;
        let entries = stretch(&self.file, at, usize::try_from(count).unwrap_or(usize::MAX) * ENTRY_BYTES)?;
        if !record.ends_with(&check(&entries).to_be_bytes()) {
            return Err(damaged("a bucket is not what was written"));
        }
        let (entries, _) = entries.as_chunks::<ENTRY_BYTES>();
        found.extend(entries.iter().copied().map(entry_of).filter(|one| hash_of(*one) == hash).map(file_of));
        Ok(())
    }

    /// The entries of a column, in ascending order; none where it speaks of none.
    pub(super) fn entries(&self, column: &str) -> io::Result<Option<(u64, impl Read)>> {
        let Some(column) = self.column(column) else { return Ok(None) };
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(column.at))?;
        Ok(Some((column.entries, file.take(column.entries * ENTRY_BYTES as u64))))
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.footer.columns.iter().find(|column| column.name == name)
    }
}

/// Bytes of a file from `at` on. Read in steps, so that a wrong length takes no memory.
fn stretch(file: &File, at: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut file = file;
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length { Ok(bytes) } else { Err(damaged("it ends in the middle")) }
}
