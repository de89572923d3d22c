//! Lists of lines and lists of columns.

use super::LINE_BYTES_MAX;
use super::read::{Entries, Reason, Unread, Where, shown};

/// Names of columns that hold indicators, without signs and in lower case: those of Proofpoint ET, `FireEye` iSIGHT, OTX, abuse.ch,
/// `MISP`, and what people call them.
const INDICATOR_COLUMNS: &[&str] = &[
    "address",
    "cidr",
    "destinationip",
    "domain",
    "domainname",
    "dstip",
    "fqdn",
    "host",
    "hostname",
    "indicator",
    "indicatorvalue",
    "ioc",
    "iocvalue",
    "ip",
    "ipaddress",
    "ipv4",
    "ipv6",
    "md5",
    "md5hash",
    "network",
    "networkip",
    "query",
    "sha1",
    "sha1hash",
    "sha256",
    "sha256hash",
    "sourcedomain",
    "sourceip",
    "srcip",
    "subnet",
    "uri",
    "url",
    "value",
];

/// How many records at the start of a file are looked at to learn its columns.
const PROBED_RECORDS: usize = 20;

/// The most words of a line that are looked at: some systems read no more than nine names of a line of a `hosts` file.
const WORDS_MAX: usize = 64;

/// The names of the machine itself, which are in every `hosts` file.
const HOME: &[&str] = &["localhost", "localhost.localdomain", "local", "ip6-localhost", "ip6-loopback", "0.0.0.0"];

/// The most lines of one record: descriptions have a few.
const QUOTED_LINES_MAX: u64 = 100;

/// One indicator a line. A remark begins with `#` or `;`, or with `//` behind a blank. What stands behind the name of this
/// machine is a line of a `hosts` file.
pub(super) fn plain(bytes: &[u8], entries: &mut Entries) {
    for (number, line) in (1_u64..).zip(bytes.split(|byte| *byte == b'\n')) {
        let place = || Where::Line(number);
        if line.len() > LINE_BYTES_MAX {
            entries.refuse(place, Reason::TooLong);
            continue;
        }
        let Ok(line) = std::str::from_utf8(line) else {
            entries.refuse(place, Reason::NotText);
            continue;
        };
        let line = without_remark(line);
        let words: Vec<&str> = line.split_whitespace().take(WORDS_MAX).collect();
        match words.as_slice() {
            [] => {}
            [word] => entries.take(word, place),
            ["0.0.0.0" | "127.0.0.1" | "::" | "::1", names @ ..] => {
                names.iter().filter(|name| !HOME.contains(name)).for_each(|name| entries.take(name, place));
            }
            [first, "-", last] => entries.take(&format!("{first}-{last}"), place),
            _ => entries.refuse(place, Reason::Words { text: shown(line) }),
        }
    }
}

/// The line before its remark. `#` also divides the fields of `AlienVault`'s reputation file, whose first is the address.
fn without_remark(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("//") {
        return "";
    }
    let end = line.find(['#', ';']).unwrap_or(line.len());
    let line = line.get(..end).unwrap_or_default();
    line.split_once(" //").map_or(line, |(line, _)| line).trim_end()
}

/// Whether the first lines that say something have columns.
pub(super) fn is_csv(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(1 << 16)).unwrap_or_default();
    let lines = start.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.into_iter().find(|line| !line.is_empty() && !line.starts_with(b"#") && !line.starts_with(b";"));
    first.is_some_and(|line| line.contains(&b','))
}

/// Columns divided by commas. The names above them, which may be behind a `#`, say which hold indicators; without names it is the
/// first column that holds one in the first records.
pub(super) fn csv(bytes: &[u8], entries: &mut Entries) -> Result<(), Unread> {
    let mut columns: Option<Columns> = None;
    let mut waiting: Vec<(u64, csv::ByteRecord)> = Vec::new();
    let (mut rest, mut line) = (bytes, 1_u64);
    while !rest.is_empty() {
        let Some((text, lines)) = one_record(rest) else {
            entries.refuse(|| Where::Line(line), Reason::Quote);
            rest = after_line(rest);
            line += 1;
            continue;
        };
        let record = fields(text);
        let first = record.get(0).unwrap_or_default();
        let at = line;
        rest = rest.get(text.len()..).unwrap_or_default();
        line += lines;
        if columns.is_none()
            && let Some(named) = Columns::named(&record)
        {
            columns = Some(named);
            continue;
        }
        if first.starts_with(b"#") || record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        if let Some(columns) = &columns {
            columns.take(&record, at, entries);
            continue;
        }
        columns = Columns::probed(&record, entries);
        waiting.push((at, record));
        match &columns {
            Some(columns) => waiting.drain(..).for_each(|(line, record)| columns.take(&record, line, entries)),
            None if waiting.len() >= PROBED_RECORDS => return Err(Unread::Columns),
            None => {}
        }
    }
    if waiting.is_empty() { Ok(()) } else { Err(Unread::Columns) }
}

/// The lines of the first record and how many they are: a field in quotation marks may go over several. `None` where a mark is not
/// closed soon; the record of the reader would then be the rest of the file.
fn one_record(text: &[u8]) -> Option<(&[u8], u64)> {
    let (mut end, mut is_open) = (0_usize, false);
    for lines in 1..=QUOTED_LINES_MAX {
        let rest = text.get(end..).filter(|rest| !rest.is_empty())?;
        let line = rest.split_inclusive(|byte| *byte == b'\n').next()?;
        end += line.len();
        is_open ^= memchr::memchr_iter(b'"', line).count() % 2 == 1;
        if !is_open {
            return text.get(..end).map(|record| (record, lines));
        }
    }
    None
}

fn after_line(text: &[u8]) -> &[u8] {
    let line = text.split_inclusive(|byte| *byte == b'\n').next().map_or(0, <[u8]>::len);
    text.get(line..).unwrap_or_default()
}

/// The fields of one record. Most have no quotation marks, and need no reader.
fn fields(record: &[u8]) -> csv::ByteRecord {
    let mut read = csv::ByteRecord::new();
    if !record.contains(&b'"') {
        record.trim_ascii_end().split(|byte| *byte == b',').for_each(|field| read.push_field(field.trim_ascii()));
        return read;
    }
    let mut builder = csv::ReaderBuilder::new();
    let builder = builder.has_headers(false).flexible(true).trim(csv::Trim::All).buffer_capacity(record.len());
    // Reading from memory does not fail.
    let _ = builder.from_reader(record).read_byte_record(&mut read);
    read
}

/// Which columns of a file hold what.
#[derive(Debug)]
struct Columns {
    indicators: Vec<usize>,
    /// What the indicator is, in words of the feed.
    of_type: Option<usize>,
}

impl Columns {
    /// From the record with the names, if this is it.
    fn named(record: &csv::ByteRecord) -> Option<Self> {
        let names: Vec<String> = record.iter().map(plain_name).collect();
        let of_type = names.iter().position(|name| matches!(name.as_str(), "indicatortype" | "ioctype" | "type"));
        let indicators: Vec<usize> = (0_usize..)
            .zip(&names)
            .filter(|(_, name)| INDICATOR_COLUMNS.contains(&name.as_str()))
            .map(|(column, _)| column)
            .collect();
        (!indicators.is_empty()).then_some(Self { indicators, of_type })
    }

    /// From a record without names: the first field that names something.
    fn probed(record: &csv::ByteRecord, entries: &Entries) -> Option<Self> {
        let texts = record.iter().map(|field| std::str::from_utf8(field).unwrap_or_default());
        let column = texts.into_iter().position(|text| entries.would_take(text))?;
        Some(Self { indicators: vec![column], of_type: None })
    }

    fn take(&self, record: &csv::ByteRecord, line: u64, entries: &mut Entries) {
        let of_type = self.of_type.and_then(|column| record.get(column)).map(plain_name);
        if of_type.is_some_and(|of_type| is_uncomparable(&of_type)) {
            entries.left_out += 1;
            return;
        }
        for column in &self.indicators {
            let field = record.get(*column).unwrap_or_default();
            match std::str::from_utf8(field) {
                Ok("" | "-") => {}
                Ok(text) if text.len() > LINE_BYTES_MAX => entries.refuse(|| Where::Line(line), Reason::TooLong),
                Ok(text) => entries.take(text, || Where::Line(line)),
                Err(_) => entries.refuse(|| Where::Line(line), Reason::NotText),
            }
        }
    }
}

/// Whether no log holds anything to compare this type of indicator with; the types are OTX's, without signs.
pub(super) fn is_uncomparable(of_type: &str) -> bool {
    matches!(
        of_type,
        "email"
            | "mutex"
            | "cve"
            | "yara"
            | "filepath"
            | "filehashpehash"
            | "filehashimphash"
            | "filename"
            | "ja3"
            | "ssldigest"
            | "bitcoinaddress"
    )
}

/// A name of a column or a type without signs and in lower case.
pub(super) fn plain_name(name: &[u8]) -> String {
    name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}
