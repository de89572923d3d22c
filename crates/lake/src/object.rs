//! Log objects: where they lie, and how their bytes become text within limits.

use std::fmt;
use std::io::{self, Read};

use arrow::buffer::Buffer;
use flate2::read::MultiGzDecoder;

/// Decompressed bytes that an object may hold whose format must be read as a whole (JSON documents). AWS writes log
/// files of at most 75 MB compressed and CloudTrail files of at most 50 MB uncompressed; anything past this is a
/// decompression bomb or not a log.
pub const WHOLE_BYTES_MAX: usize = 256 << 20;

/// Decompressed bytes that an object of lines may hold; read in chunks, so it costs time and not memory.
pub const LINES_BYTES_MAX: u64 = 64 << 30;

/// Bytes of text that one chunk of an object of lines holds.
pub const CHUNK_BYTES: usize = 16 << 20;

/// Bytes at the start of an object by which its format is recognised and in which header lines are found.
pub const HEAD_BYTES_MAX: usize = 64 << 10;

/// One log object as it lies in a folder or a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogObject {
    /// `s3://bucket/key`, or the absolute path of a file.
    pub uri: String,
    /// Bytes as stored.
    pub size: u64,
    /// What changes when the content does: the `ETag` in a bucket, the time of modification of a file.
    pub version: String,
}

impl LogObject {
    /// The object's name wherever it lies: the key from `AWSLogs/` on, so that a bucket and a local copy of it are the
    /// same objects; the whole URI where AWS's layout is not kept.
    pub fn key(&self) -> &str {
        let at = self.uri.rfind("/AWSLogs/").map_or(0, |at| at + 1);
        self.uri.get(at..).unwrap_or(&self.uri)
    }

    /// The account and the region that the path says, as AWS lays log files out:
    /// `AWSLogs/[o-organisation/]<account>/<service>/<region>/…`.
    pub fn place(&self) -> (Option<&str>, Option<&str>) {
        let Some(rest) = self.key().strip_prefix("AWSLogs/") else { return (None, None) };
        let mut parts = rest.split('/').peekable();
        parts.next_if(|part| part.starts_with("o-"));
        let account = parts.next().filter(|part| is_account(part));
        let region = parts.nth(1).filter(|part| is_region(part));
        (account, region)
    }
}

/// Whether the text is a twelve-digit account id.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether the text has the shape of a region's name: `eu-west-1`, `us-gov-east-1`.
pub fn is_region(text: &str) -> bool {
    text.len() <= 24
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && text.split('-').count() >= 3
        && text.ends_with(|last: char| last.is_ascii_digit())
}

/// A part of an object as text.
#[derive(Debug, Clone)]
pub struct Text {
    /// The bytes, shared: string views of a batch may point into them. Not checked to be UTF-8.
    pub bytes: Buffer,
    /// The number, from 1, of the first line in the object; 1 for objects read as a whole.
    pub first_line: u64,
    /// The start of the object, at most [`HEAD_BYTES_MAX`], for header lines that later chunks need.
    pub head: Buffer,
}

/// Something that was not taken in, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The object's URI.
    pub uri: String,
    /// The line, from 1, or the record's number in a document; none if it is the whole object.
    pub line: Option<u64>,
    /// Why.
    pub reason: Reason,
}

/// Why something was not taken in. [`Reason::code`] is the key of its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The object cannot be opened or read: what the file system or the bucket answered.
    Unreadable(String),
    /// Compressed bytes that do not decompress: what is wrong with them.
    Corrupt(String),
    /// The compressed bytes end before the content does.
    Truncated,
    /// More bytes than the limit, which is given.
    TooLarge(u64),
    /// No source knows the format.
    UnknownFormat,
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON, or not the JSON that the source writes: what is wrong with it.
    NotJson(String),
    /// Nested deeper than the limit, which is given.
    TooDeep(u64),
    /// A line longer than the limit, which is given.
    LineTooLong(u64),
    /// A row whose fields do not fit the format: what is wrong with it.
    BadRow(String),
    /// A field without which a row has no place: its name.
    Missing(&'static str),
}

impl Reason {
    /// A short fixed name, for scripts and as the key of the words in each language.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Corrupt(_) => "corrupt",
            Self::Truncated => "truncated",
            Self::TooLarge(_) => "too_large",
            Self::UnknownFormat => "unknown_format",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson(_) => "not_json",
            Self::TooDeep(_) => "too_deep",
            Self::LineTooLong(_) => "line_too_long",
            Self::BadRow(_) => "bad_row",
            Self::Missing(_) => "missing",
        }
    }

    /// What fills the `{detail}` place of the words; empty where there is none.
    pub fn detail(&self) -> String {
        match self {
            Self::Unreadable(what) | Self::Corrupt(what) | Self::NotJson(what) | Self::BadRow(what) => what.clone(),
            Self::TooLarge(limit) | Self::TooDeep(limit) | Self::LineTooLong(limit) => limit.to_string(),
            Self::Missing(field) => (*field).to_owned(),
            Self::Truncated | Self::UnknownFormat | Self::NotUtf8 => String::new(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detail = self.detail();
        if detail.is_empty() { f.write_str(self.code()) } else { write!(f, "{}: {detail}", self.code()) }
    }
}

/// A reader of the object's content: gzip and Zstandard by their magic, anything else as it is.
pub fn open<'a>(stored: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stored = io::BufReader::with_capacity(HEAD_BYTES_MAX, stored);
    let magic: [u8; 4] = {
        let head = io::BufRead::fill_buf(&mut stored)?;
        let mut magic = [0; 4];
        for (to, from) in magic.iter_mut().zip(head) {
            *to = *from;
        }
        magic
    };
    Ok(match magic {
        [0x1f, 0x8b, ..] => Box::new(MultiGzDecoder::new(stored)),
        [0x28, 0xb5, 0x2f, 0xfd] => Box::new(zstd::Decoder::with_buffer(stored)?),
        _ => Box::new(stored),
    })
}
