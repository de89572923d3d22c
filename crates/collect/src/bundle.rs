//! Bundles: the observations of a scan in one file, to be judged elsewhere or again.
//!
//! A bundle is JSON lines compressed by zstd: a [`Header`], the observations as they came, and a footer with their
//! number and a BLAKE3 hash of everything before it. Without a footer that agrees the bundle is not read at all: half an
//! account would look like a tidy one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use yagura_model::{AccountId, Observation, Partition, Region};

/// What the first line calls itself.
const FORMAT: &str = "yagura bundle";
/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 1;
/// How long one line may be; the largest resource seen, a template of a stack, has about 1 MB.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How much a bundle may hold when decompressed: some ten million resources.
const CONTENT_BYTES_MAX: u64 = 32 * 1024 * 1024 * 1024;
/// zstd's level: the default, 3, compresses JSON tenfold at the speed of a disk.
const COMPRESSION: i32 = 3;

/// The first line of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The account.
    pub account: AccountId,
    /// Its partition.
    pub partition: Partition,
    /// The regions that were read.
    pub regions: Vec<Region>,
    /// When the scan began.
    pub started: DateTime<Utc>,
    /// The version of Yagura that scanned.
    pub yagura: String,
}

#[derive(Serialize, Deserialize)]
struct FirstLine {
    format: String,
    version: u32,
    #[serde(flatten)]
    header: Header,
}

/// The last line of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Footer {
    /// When the scan ended.
    finished: DateTime<Utc>,
    observations: u64,
    blake3: String,
}

#[derive(Serialize, Deserialize)]
struct LastLine {
    end: Footer,
}

/// Why a bundle could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file could not be made beside its final place.
    #[error("`{}` could not be created", path.display())]
    Create {
        /// Where the bundle was to be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Writing failed, most often for want of space.
    #[error("`{}` could not be written", path.display())]
    Write {
        /// Where the bundle was to be.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An observation is longer than a reader would take.
    #[error("an observation is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
}

/// Writes a bundle. The file appears when it is finished; dropped before that, nothing is left.
pub struct BundleWriter {
    path: PathBuf,
    encoder: zstd::Encoder<'static, BufWriter<NamedTempFile>>,
    hasher: blake3::Hasher,
    observations: u64,
}

impl BundleWriter {
    /// Begins a bundle that is to be at `path`.
    pub fn create(path: &Path, header: &Header) -> Result<Self, WriteError> {
        let create = |source| WriteError::Create { path: path.to_owned(), source };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
        let file = NamedTempFile::new_in(folder).map_err(create)?;
        let mut encoder = zstd::Encoder::new(BufWriter::new(file), COMPRESSION).map_err(create)?;
        // A damaged block is found where it is, not only by the hash at the end.
        encoder.include_checksum(true).map_err(create)?;
        let mut writer = Self { path: path.to_owned(), encoder, hasher: blake3::Hasher::new(), observations: 0 };
        writer.line(&FirstLine { format: FORMAT.to_owned(), version: VERSION, header: header.clone() })?;
        Ok(writer)
    }

    /// Adds an observation.
    pub fn write(&mut self, observation: &Observation) -> Result<(), WriteError> {
        self.line(observation)?;
        self.observations += 1;
        Ok(())
    }

    /// Ends the bundle and puts it in its place, over one that is there.
    pub fn finish(mut self, finished: DateTime<Utc>) -> Result<(), WriteError> {
        let blake3 = self.hasher.finalize().to_hex().to_string();
        self.line(&LastLine { end: Footer { finished, observations: self.observations, blake3 } })?;
        let path = self.path;
        let write = |source| WriteError::Write { path: path.clone(), source };
        let buffer = self.encoder.finish().map_err(write)?;
        let file = buffer.into_inner().map_err(|error| write(error.into_error()))?;
        file.as_file().sync_all().map_err(write)?;
        file.persist(&path).map_err(|error| write(error.error))?;
        Ok(())
    }

    fn line(&mut self, content: &impl Serialize) -> Result<(), WriteError> {
        let write = |source| WriteError::Write { path: self.path.clone(), source };
        let mut line = serde_json::to_vec(content).map_err(|error| write(error.into()))?;
        line.push(b'\n');
        if line.len() as u64 > LINE_BYTES_MAX {
            return Err(WriteError::TooLong);
        }
        self.encoder.write_all(&line).map_err(write)?;
        self.hasher.update(&line);
        Ok(())
    }
}

/// Why a bundle is not read. Nothing may be judged from it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("the bundle `{}` could not be opened", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is something else.
    #[error("this is not a bundle of Yagura")]
    NotABundle,
    /// A later version of Yagura wrote it.
    #[error("the bundle has format {version}, which only a newer Yagura reads (this one reads {VERSION})")]
    Newer {
        /// Its format.
        version: u32,
    },
    /// It ends before its end.
    #[error("the bundle is cut short: {observations} observations can be read and the end is missing")]
    Truncated {
        /// How many observations there are before the cut.
        observations: u64,
    },
    /// It was changed or damaged.
    #[error("the bundle is damaged at line {line}: {problem}")]
    Damaged {
        /// The line, from 1.
        line: u64,
        /// What is wrong there.
        problem: String,
    },
}

/// A bundle, open for reading: its header has been read.
pub struct BundleReader<R: Read> {
    lines: Lines<R>,
    header: Header,
}

/// What is known of a bundle that has been read to its end and found to be whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When the scan ended.
    pub finished: DateTime<Utc>,
    /// How many observations there are.
    pub observations: u64,
}

impl BundleReader<File> {
    /// Opens a file and reads its header.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Open { path: path.to_owned(), source })?;
        Self::new(file)
    }
}

impl<R: Read> BundleReader<R> {
    /// Reads the header.
    pub fn new(source: R) -> Result<Self, ReadError> {
        let mut lines = Lines::new(source)?;
        let header = lines.header()?;
        Ok(Self { lines, header })
    }

    /// What was scanned.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Gives every observation to `take`, from the first to the last. Only with `Ok` is the bundle known to be whole:
    /// what was taken before an error is not to be judged.
    pub fn read(mut self, mut take: impl FnMut(Observation)) -> Result<End, ReadError> {
        loop {
            match self.lines.next_observation()? {
                Next::Observation(observation) => take(*observation),
                Next::End(footer) => {
                    return Ok(End { finished: footer.finished, observations: footer.observations });
                }
            }
        }
    }
}

enum Next {
    Observation(Box<Observation>),
    End(Footer),
}

/// The lines of a bundle, with everything that can be wrong with them.
struct Lines<R: Read> {
    decoder: BufReader<zstd::Decoder<'static, BufReader<R>>>,
    hasher: blake3::Hasher,
    line: Vec<u8>,
    number: u64,
    bytes: u64,
    observations: u64,
}

/// The beginning of the last line; observations begin otherwise.
const END: &[u8] = b"{\"end\":";

impl<R: Read> Lines<R> {
    fn new(source: R) -> Result<Self, ReadError> {
        let decoder = zstd::Decoder::new(source).map_err(|_| ReadError::NotABundle)?;
        Ok(Self {
            decoder: BufReader::new(decoder),
            hasher: blake3::Hasher::new(),
            line: Vec::new(),
            number: 0,
            bytes: 0,
            observations: 0,
        })
    }

    fn header(&mut self) -> Result<Header, ReadError> {
        #[derive(Deserialize)]
        struct Format {
            format: String,
            version: u32,
        }
        // Whatever cannot be decompressed or has no first line of ours is something else.
        if !self.next().map_err(|_| ReadError::NotABundle)? {
            return Err(ReadError::NotABundle);
        }
        let format: Format = serde_json::from_slice(&self.line).map_err(|_| ReadError::NotABundle)?;
        if format.format != FORMAT {
            return Err(ReadError::NotABundle);
        }
        if format.version > VERSION {
            return Err(ReadError::Newer { version: format.version });
        }
        let first: FirstLine = serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error))?;
        self.hasher.update(&self.line);
        Ok(first.header)
    }

    /// The next observation, or the end, which has then been found to agree with everything before it.
    fn next_observation(&mut self) -> Result<Next, ReadError> {
        if !self.next()? {
            return Err(ReadError::Truncated { observations: self.observations });
        }
        if self.line.starts_with(END) {
            return self.end().map(Next::End);
        }
        let observation = serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error))?;
        self.hasher.update(&self.line);
        self.observations += 1;
        Ok(Next::Observation(Box::new(observation)))
    }

    fn end(&mut self) -> Result<Footer, ReadError> {
        let last: LastLine = serde_json::from_slice(&self.line).map_err(|error| self.damaged(&error))?;
        let footer = last.end;
        if footer.observations != self.observations {
            let problem = format!("it has {} observations and should have {}", self.observations, footer.observations);
            return Err(self.damaged(&problem));
        }
        if footer.blake3 != self.hasher.finalize().to_hex().as_str() {
            return Err(self.damaged(&"its content does not agree with its hash"));
        }
        if self.next()? {
            return Err(self.damaged(&"something follows its end"));
        }
        Ok(footer)
    }

    /// Reads a line with its newline; false at the end of the file.
    fn next(&mut self) -> Result<bool, ReadError> {
        self.line.clear();
        self.number += 1;
        let mut limited = (&mut self.decoder).take(LINE_BYTES_MAX);
        let read = limited.read_until(b'\n', &mut self.line);
        match read {
            Ok(0) => return Ok(false),
            Ok(_) => {}
            // The compression was in the middle of something.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(ReadError::Truncated { observations: self.observations });
            }
            Err(error) => return Err(self.damaged(&error)),
        }
        self.bytes += self.line.len() as u64;
        if self.line.last() != Some(&b'\n') {
            if self.line.len() as u64 == LINE_BYTES_MAX {
                return Err(self.damaged(&format!("it is longer than {LINE_BYTES_MAX} bytes")));
            }
            return Err(ReadError::Truncated { observations: self.observations });
        }
        if self.bytes > CONTENT_BYTES_MAX {
            return Err(self.damaged(&format!("it holds more than {CONTENT_BYTES_MAX} bytes")));
        }
        Ok(true)
    }

    fn damaged(&self, problem: &dyn std::fmt::Display) -> ReadError {
        ReadError::Damaged { line: self.number, problem: problem.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use yagura_model::{Cause, CouldNotLook, Seen};

    use super::*;

    fn header() -> Header {
        Header {
            account: "111122223333".into(),
            partition: "aws".into(),
            regions: vec!["us-east-1".into()],
            started: DateTime::UNIX_EPOCH,
            yagura: "0.1.0".to_owned(),
        }
    }

    fn observations() -> Vec<Observation> {
        let (kind, account, region) = ("AWS::X::Y".into(), AccountId::from("111122223333"), Region::from("us-east-1"));
        let cause = CouldNotLook {
            service: "x".to_owned(),
            operation: "ListY".to_owned(),
            cause: Cause::Denied,
            error: "AccessDenied".to_owned(),
            action: Some("x:ListY".to_owned()),
        };
        vec![
            Observation {
                at: DateTime::UNIX_EPOCH,
                seen: Seen::RegionDisabled { account: account.clone(), region: region.clone() },
            },
            Observation { at: DateTime::UNIX_EPOCH, seen: Seen::Unlisted { kind, account, region, cause } },
        ]
    }

    fn written(header: &Header, observations: &[Observation]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scan.yagura");
        let mut writer = BundleWriter::create(&path, header).unwrap();
        for observation in observations {
            writer.write(observation).unwrap();
        }
        assert!(!path.exists(), "a bundle appears when it is finished");
        writer.finish(DateTime::UNIX_EPOCH).unwrap();
        std::fs::read(&path).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Header, Vec<Observation>), ReadError> {
        let reader = BundleReader::new(bytes)?;
        let header = reader.header().clone();
        let mut observations = Vec::new();
        let end = reader.read(|observation| observations.push(observation))?;
        assert_eq!(end, End { finished: DateTime::UNIX_EPOCH, observations: observations.len() as u64 });
        Ok((header, observations))
    }

    #[test]
    fn what_is_written_is_read() {
        let (found, read) = read(&written(&header(), &observations())).unwrap();
        assert_eq!((found, read), (header(), observations()));
    }

    #[test]
    fn a_writer_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let writer = BundleWriter::create(&folder.path().join("scan.yagura"), &header()).unwrap();
        drop(writer);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_bundle_cut_anywhere_is_not_read() {
        let bytes = written(&header(), &observations());
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }

    #[test]
    fn a_bundle_with_a_changed_byte_is_not_read_as_another() {
        let bytes = written(&header(), &observations());
        for position in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[position] ^= 0x10;
            if let Ok(read) = read(&changed) {
                assert_eq!(read, (header(), observations()), "byte {position}");
            }
        }
    }

    /// What reading these lines complains of.
    fn complaint(lines: &str) -> String {
        read(&zstd::encode_all(lines.as_bytes(), 1).unwrap()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        let whole = String::from_utf8(zstd::decode_all(&*written(&header(), &observations())).unwrap()).unwrap();
        let lines: Vec<&str> = whole.lines().collect();
        assert_eq!(read(b"PK\x03\x04").unwrap_err().to_string(), "this is not a bundle of Yagura");
        assert_eq!(complaint("{\"format\":\"other\",\"version\":1}\n"), "this is not a bundle of Yagura");
        assert_eq!(
            complaint("{\"format\":\"yagura bundle\",\"version\":2,\"more\":{}}\n"),
            "the bundle has format 2, which only a newer Yagura reads (this one reads 1)"
        );
        assert_eq!(
            complaint(&format!("{}\n{}\n", lines[0], lines[1])),
            "the bundle is cut short: 1 observations can be read and the end is missing"
        );
        assert_eq!(
            complaint(&format!("{}\n{}\n{}\n", lines[0], lines[1], lines[3])),
            "the bundle is damaged at line 3: it has 1 observations and should have 2"
        );
        assert_eq!(
            complaint(&whole.replace("AccessDenied", "Throttling")),
            "the bundle is damaged at line 4: its content does not agree with its hash"
        );
        assert_eq!(complaint(&format!("{whole}{whole}")), "the bundle is damaged at line 5: something follows its end");
        let long = format!("{}\n\"{}\"\n", lines[0], "x".repeat(LINE_BYTES_MAX.try_into().unwrap()));
        assert_eq!(
            complaint(&long),
            format!("the bundle is damaged at line 2: it is longer than {LINE_BYTES_MAX} bytes")
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = read(&bytes);
        }

        #[test]
        fn any_lines_are_read_without_a_panic(lines in "\\PC{0,200}(\n\\PC{0,200}){0,4}") {
            let first = written(&header(), &[]);
            let whole = String::from_utf8(zstd::decode_all(&*first).unwrap()).unwrap();
            let text = format!("{}\n{lines}", whole.lines().next().unwrap_or_default());
            prop_assert!(read(&zstd::encode_all(text.as_bytes(), 1).unwrap()).is_err());
        }
    }
}
