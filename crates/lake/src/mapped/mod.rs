//! Log sources that are data: a folder `sources/<name>/` with a mapping, sample lines and the rows expected of them.
//!
//! One engine for each shape of text (fields between separators, JSON, lines that match a pattern, Parquet), driven by
//! the mapping; a new source of a known shape is a folder and no code. The format of the mapping is in
//! `docs/formats/log-sources.md`.

mod cells;
mod cloudwatch;
mod columns;
mod delimited;
mod file;
mod json;
mod mapping;
mod parquet;
mod parse;
mod pattern;
mod recognise;
mod rows;
mod time;

pub use mapping::{InvalidMapping, sources};

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod samples;
