//! A list file: how it is written, and what is in it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::indicator::{Indicator, Refused};
use super::{Declared, ENTRIES_MAX, FILE_BYTES_MAX, Kind, LINE_BYTES_MAX, PROBLEMS_MAX, json, pattern, text, xml};

/// How many characters of an unusable line are shown.
const SHOWN_CHARS: usize = 80;

/// How a list file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One indicator a line; remarks behind `#`, `;` or `//`. Files of the `hosts` form too.
    Plain,
    /// Columns, with or without names above them: Proofpoint ET, `FireEye` iSIGHT, OTX, abuse.ch and the like.
    Csv,
    /// STIX 1, which is XML.
    Stix1,
    /// A STIX 2 bundle, which is JSON.
    Stix2,
    /// The JSON of Open Threat Exchange: a pulse, or a page of pulses.
    Otx,
}

impl Format {
    /// As it is written in a declaration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Csv => "csv",
            Self::Stix1 => "stix1",
            Self::Stix2 => "stix2",
            Self::Otx => "otx",
        }
    }
}

/// What was read of a list file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadList {
    /// How it is written.
    pub format: Format,
    /// What it holds, each once, in the order of the file.
    pub indicators: Vec<Indicator>,
    /// What could not be used, at most [`PROBLEMS_MAX`].
    pub unusable: Vec<(Where, Reason)>,
    /// How many entries could not be used, those beyond the limit included.
    pub unusable_count: usize,
    /// How many entries are of a kind that no log can be compared with (mail addresses, mutexes), or that say of themselves that
    /// they are over, withdrawn or harmless.
    pub left_out: usize,
}

/// Where in the file an entry stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// A line, from 1.
    Line(u64),
    /// The object with this id, or its place in its list, from 1.
    Object(String),
}

/// Why an entry could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The text is no indicator that may be used.
    #[error("`{text}` is not used")]
    Indicator {
        /// The text, shortened.
        text: String,
        /// Why not.
        #[source]
        refused: Refused,
    },
    /// More on the line than an indicator.
    #[error("`{text}` holds more than one word: remarks stand behind `#`")]
    Words {
        /// The line, shortened.
        text: String,
    },
    /// A line beyond [`LINE_BYTES_MAX`].
    #[error("the line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// A field in quotation marks that does not end.
    #[error("a quotation mark is not closed")]
    Quote,
    /// Bytes that are no text.
    #[error("the line is not utf-8")]
    NotText,
    /// An object without what it should have.
    #[error("the object has no `{0}`")]
    Lacks(&'static str),
    /// A pattern that does not name single things.
    #[error("the pattern cannot be used as a list: {0}")]
    Pattern(pattern::PatternError),
    /// A pattern of another language than STIX's.
    #[error("the pattern is of the language `{0}`, not `stix`")]
    Language(String),
}

/// Why a whole list file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// Beyond [`FILE_BYTES_MAX`].
    #[error("it is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// More than [`ENTRIES_MAX`] indicators: a list that is used in part would look as if the rest were harmless.
    #[error("it holds more than {ENTRIES_MAX} entries")]
    TooMany,
    /// No JSON, or none of a known shape.
    #[error("it is neither a stix bundle nor otx json: {0}")]
    Json(String),
    /// No XML.
    #[error("it is not xml: {0}")]
    Xml(String),
    /// Columns, none of which holds indicators.
    #[error("no column holds addresses, domains, urls or hashes")]
    Columns,
    /// Something is in it, and nothing of it could be used.
    #[error("none of its {0} entries can be used; the first: {1}")]
    Nothing(usize, Reason),
}

/// Reads a list file. What single entries lack is in the result.
pub fn read(bytes: &[u8], declared: &Declared, now: DateTime<Utc>) -> Result<ReadList, Unread> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Unread::TooLarge);
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let format = declared.format.unwrap_or_else(|| sniff(bytes));
    let mut entries = Entries::new(declared.kind, now);
    match format {
        Format::Plain => text::plain(bytes, &mut entries),
        Format::Csv => text::csv(bytes, &mut entries)?,
        Format::Stix1 => xml::stix(bytes, &mut entries)?,
        Format::Stix2 | Format::Otx => json::read(bytes, &mut entries)?,
    }
    entries.finish(format)
}

/// How a file is written, by its beginning.
fn sniff(bytes: &[u8]) -> Format {
    match bytes.trim_ascii_start().first() {
        Some(b'<') => Format::Stix1,
        Some(b'{' | b'[') if json::is_otx(bytes) => Format::Otx,
        Some(b'{' | b'[') => Format::Stix2,
        _ if text::is_csv(bytes) => Format::Csv,
        _ => Format::Plain,
    }
}

/// What the parsers put their entries into.
#[derive(Debug)]
pub(super) struct Entries {
    kind: Kind,
    pub(super) now: DateTime<Utc>,
    indicators: Vec<Indicator>,
    seen: std::collections::HashSet<Indicator, foldhash::fast::RandomState>,
    unusable: Vec<(Where, Reason)>,
    unusable_count: usize,
    pub(super) left_out: usize,
}

impl Entries {
    pub(super) fn new(kind: Kind, now: DateTime<Utc>) -> Self {
        Self {
            kind,
            now,
            indicators: Vec::new(),
            seen: std::collections::HashSet::default(),
            unusable: Vec::new(),
            unusable_count: 0,
            left_out: 0,
        }
    }

    /// Takes what `text` names, or notes why it is not taken.
    pub(super) fn take(&mut self, text: &str, place: impl FnOnce() -> Where) {
        match Indicator::parse(text, self.kind) {
            // One more than may be is enough to know that there are too many.
            Ok(indicator) if self.indicators.len() <= ENTRIES_MAX => {
                if self.seen.insert(indicator.clone()) {
                    self.indicators.push(indicator);
                }
            }
            Ok(_) => {}
            Err(refused) => self.refuse(place, Reason::Indicator { text: shown(text), refused }),
        }
    }

    /// Whether `text` names something that would be taken.
    pub(super) fn would_take(&self, text: &str) -> bool {
        Indicator::parse(text, self.kind).is_ok()
    }

    pub(super) fn refuse(&mut self, place: impl FnOnce() -> Where, reason: Reason) {
        self.unusable_count += 1;
        if self.unusable.len() < PROBLEMS_MAX {
            self.unusable.push((place(), reason));
        }
    }

    fn finish(self, format: Format) -> Result<ReadList, Unread> {
        if self.indicators.len() > ENTRIES_MAX {
            return Err(Unread::TooMany);
        }
        let Self { indicators, unusable, unusable_count, left_out, .. } = self;
        match unusable.first() {
            Some((_, reason)) if indicators.is_empty() && left_out == 0 => {
                Err(Unread::Nothing(unusable_count, reason.clone()))
            }
            _ => Ok(ReadList { format, indicators, unusable, unusable_count, left_out }),
        }
    }
}

/// The beginning of a text, as it is shown.
pub(super) fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARS).filter(|letter| !letter.is_control()).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
