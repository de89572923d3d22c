//! Segments become one.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashSet};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::segment::{ENTRY_BYTES, FILES_MAX, Segment, SegmentWriter, entry, entry_of, file_of};

/// Puts segments together as one of the name `name`, and removes them. Of files that are not in `live`, if that is given,
/// nothing is kept. Segments that cannot be read are removed as well if all of them are to be read anew: they serve nobody.
pub(super) fn merged(folder: &Path, paths: Vec<PathBuf>, live: Option<&HashSet<&str>>, name: &str) -> io::Result<()> {
    let mut segments = Vec::new();
    for path in paths {
        match Segment::open(&path) {
            Ok(segment) => segments.push((path, segment)),
            Err(error) => tracing::warn!(path = %path.display(), %error, "a segment of the index cannot be read"),
        }
    }
    let (files, numbers) = numbered(segments.iter().map(|(_, segment)| segment), live);
    let is_gain = segments.len() > 1 || segments.iter().any(|(_, segment)| segment.files().count() > files.len());
    if !is_gain || files.len() > FILES_MAX {
        return Ok(());
    }
    if !files.is_empty() {
        let mut writer = SegmentWriter::new(folder, name)?;
        // Only a column that all of them know may be asked of all their files.
        for column in common(&segments) {
            let mut streams = Vec::new();
            for ((_, segment), numbers) in segments.iter().zip(&numbers) {
                if let Some((count, bytes)) = segment.entries(&column)? {
                    streams.push(Stream { numbers, left: count, bytes: BufReader::new(bytes) });
                }
            }
            weave(&mut writer, streams)?;
            writer.end(column)?;
        }
        writer.finish(files)?;
    }
    for (path, _) in &segments {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// The files of all segments, each once, and for each segment its files' new numbers.
fn numbered<'s>(
    segments: impl Iterator<Item = &'s Segment>,
    live: Option<&HashSet<&str>>,
) -> (Vec<String>, Vec<Vec<Option<u32>>>) {
    let (mut files, mut seen, mut numbers) = (Vec::new(), HashSet::new(), Vec::new());
    for segment in segments {
        let mut of_segment = Vec::new();
        for path in segment.files() {
            // Named twice after two processes put the same segments together: what the first says is all there is.
            let keep = live.is_none_or(|live| live.contains(path)) && seen.insert(path);
            of_segment.push(keep.then_some(u32::try_from(files.len()).unwrap_or(u32::MAX)));
            if keep {
                files.push(path.to_owned());
            }
        }
        numbers.push(of_segment);
    }
    (files, numbers)
}

fn common(segments: &[(PathBuf, Segment)]) -> Vec<String> {
    let names = |segment: &Segment| segment.columns().iter().map(|column| column.name.clone()).collect();
    let all: Option<BTreeSet<String>> =
        segments.iter().map(|(_, segment)| names(segment)).reduce(|one: BTreeSet<String>, other| &one & &other);
    all.unwrap_or_default().into_iter().collect()
}

/// The entries of one segment on their way.
struct Stream<'a, R> {
    /// The new numbers of its files; none for a file that is left out.
    numbers: &'a [Option<u32>],
    left: u64,
    bytes: BufReader<R>,
}

impl<R: Read> Stream<'_, R> {
    fn next(&mut self) -> io::Result<Option<u64>> {
        while self.left > 0 {
            self.left -= 1;
            let mut bytes = [0; ENTRY_BYTES];
            self.bytes.read_exact(&mut bytes)?;
            let old = entry_of(bytes);
            let number = usize::try_from(file_of(old)).ok().and_then(|at| self.numbers.get(at).copied()).flatten();
            if let Some(number) = number {
                return Ok(Some(entry(u32::try_from(old >> 24).unwrap_or_default(), number)));
            }
        }
        Ok(None)
    }
}

/// Writes the entries of all streams in ascending order.
fn weave<R: Read>(writer: &mut SegmentWriter<'_>, mut streams: Vec<Stream<'_, R>>) -> io::Result<()> {
    writer.begin(streams.iter().map(|stream| stream.left).sum());
    let mut heads = BinaryHeap::new();
    for (number, stream) in streams.iter_mut().enumerate() {
        heads.extend(stream.next()?.map(|entry| Reverse((entry, number))));
    }
    // Of one hash, the files of one stream stand in their old order, not in the new one.
    let mut same: Vec<u64> = Vec::new();
    while let Some(Reverse((entry, number))) = heads.pop() {
        if same.first().is_some_and(|first| first >> 24 != entry >> 24) {
            flush(writer, &mut same)?;
        }
        same.push(entry);
        if let Some(next) = streams.get_mut(number).map(Stream::next).transpose()?.flatten() {
            heads.push(Reverse((next, number)));
        }
    }
    flush(writer, &mut same)
}

fn flush(writer: &mut SegmentWriter<'_>, same: &mut Vec<u64>) -> io::Result<()> {
    same.sort_unstable();
    for entry in same.drain(..) {
        writer.push(entry)?;
    }
    Ok(())
}
