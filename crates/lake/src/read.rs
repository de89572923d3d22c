//! From stored bytes to text: decompression, framing and the limits on both.

use std::io::{self, Read};

use arrow::buffer::Buffer;

use crate::object::{CHUNK_BYTES, HEAD_BYTES_MAX, LINES_BYTES_MAX, Reason, Text, WHOLE_BYTES_MAX, open};
use crate::source::{Framing, Stopped};

/// Stored bytes up to which an object is read into memory before it is decompressed, which is more than twice as fast as
/// a stream. Above every log file that AWS delivers in the ordinary run of things.
const SMALL_BYTES: u64 = 32 << 20;

/// The first bytes of a gzip member.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// How reading an object ended, when nobody stopped it.
pub(crate) type Ended = Result<(), Reason>;

/// Reads an object and hands its text on: whole, or in chunks that end where a line ends.
///
/// `frame` is given the first bytes of the text and says how to read on; none if nobody knows the format. The text that
/// stands before damage is handed on; the damage is what is returned.
pub(crate) fn read(
    mut stored: impl Read,
    size: u64,
    frame: impl FnOnce(&[u8]) -> Option<Framing>,
    each: &mut dyn FnMut(Text) -> Result<(), Stopped>,
) -> Result<Ended, Stopped> {
    if size > SMALL_BYTES {
        return stream(stored, frame, each);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 1);
    if let Err(error) = stored.by_ref().take(SMALL_BYTES).read_to_end(&mut bytes) {
        return Ok(Err(Reason::Unreadable(error.to_string())));
    }
    if bytes.len() as u64 == SMALL_BYTES {
        // It has grown since it was listed.
        return stream(bytes.as_slice().chain(stored), frame, each);
    }
    let is_compressed = matches!(bytes.as_slice(), [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..]);
    let text = if is_compressed { inflate(&bytes) } else { Some(std::mem::take(&mut bytes)) };
    match text {
        Some(text) => whole(Buffer::from_vec(text), frame, each),
        None => stream(bytes.as_slice(), frame, each),
    }
}

/// Decompresses a gzip file of one member in one go; none for anything that must be looked at more closely.
fn inflate(bytes: &[u8]) -> Option<Vec<u8>> {
    let [.., a, b, c, d] = bytes else { return None };
    let size = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).ok()?;
    let is_one = memchr::memmem::find(bytes.get(GZIP_MAGIC.len()..)?, &GZIP_MAGIC).is_none();
    if !bytes.starts_with(&GZIP_MAGIC) || !is_one || size > WHOLE_BYTES_MAX {
        return None;
    }
    // Deflate cannot do better than 1032 to 1: a size beyond that is a lie, and no memory is taken for it.
    if size / 1032 > bytes.len() {
        return None;
    }
    let mut text = vec![0; size];
    let written = libdeflater::Decompressor::new().gzip_decompress(bytes, &mut text).ok()?;
    (written == size).then_some(text)
}

fn whole(
    text: Buffer,
    frame: impl FnOnce(&[u8]) -> Option<Framing>,
    each: &mut dyn FnMut(Text) -> Result<(), Stopped>,
) -> Result<Ended, Stopped> {
    let head = text.slice_with_length(0, text.len().min(HEAD_BYTES_MAX));
    let Some(framing) = frame(&head) else { return Ok(Err(Reason::UnknownFormat)) };
    if framing == Framing::Whole {
        if text.len() > WHOLE_BYTES_MAX {
            return Ok(Err(Reason::TooLarge(WHOLE_BYTES_MAX as u64)));
        }
        each(Text { bytes: text, first_line: 1, head })?;
        return Ok(Ok(()));
    }
    let (mut at, mut first_line) = (0, 1);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let length = match rest.get(..CHUNK_BYTES) {
            None => rest.len(),
            Some(chunk) => match memchr::memrchr(b'\n', chunk) {
                Some(end) => end + 1,
                None => return Ok(Err(Reason::LineTooLong(CHUNK_BYTES as u64))),
            },
        };
        let chunk = text.slice_with_length(at, length);
        let lines = memchr::memchr_iter(b'\n', &chunk).count() as u64;
        each(Text { bytes: chunk, first_line, head: head.clone() })?;
        at += length;
        first_line += lines;
    }
    Ok(Ok(()))
}

fn stream(
    stored: impl Read,
    frame: impl FnOnce(&[u8]) -> Option<Framing>,
    each: &mut dyn FnMut(Text) -> Result<(), Stopped>,
) -> Result<Ended, Stopped> {
    let mut text = match open(stored) {
        Ok(text) => text,
        Err(error) => return Ok(Err(reason(&error))),
    };
    let mut bytes = Vec::new();
    let mut ended = fill(&mut text, &mut bytes, HEAD_BYTES_MAX);
    let head = Buffer::from(bytes.as_slice());
    if let (true, Err(reason)) = (bytes.is_empty(), &ended) {
        return Ok(Err(reason.clone()));
    }
    let Some(framing) = frame(&head) else { return Ok(ended.and(Err(Reason::UnknownFormat))) };
    if framing == Framing::Whole {
        if ended.is_ok() {
            ended = fill(&mut text, &mut bytes, WHOLE_BYTES_MAX + 1);
        }
        if bytes.len() > WHOLE_BYTES_MAX {
            return Ok(Err(Reason::TooLarge(WHOLE_BYTES_MAX as u64)));
        }
        each(Text { bytes: Buffer::from_vec(bytes), first_line: 1, head })?;
        return Ok(ended);
    }
    let (mut first_line, mut total) = (1, 0);
    loop {
        if ended.is_ok() {
            ended = fill(&mut text, &mut bytes, CHUNK_BYTES);
        }
        let is_last = ended.is_err() || bytes.len() < CHUNK_BYTES;
        let cut = if is_last { bytes.len() } else { memchr::memrchr(b'\n', &bytes).map_or(0, |end| end + 1) };
        if bytes.is_empty() {
            return Ok(ended);
        }
        if cut == 0 {
            return Ok(Err(Reason::LineTooLong(CHUNK_BYTES as u64)));
        }
        let rest = bytes.split_off(cut);
        let chunk = std::mem::replace(&mut bytes, rest);
        total += chunk.len() as u64;
        if total > LINES_BYTES_MAX {
            return Ok(Err(Reason::TooLarge(LINES_BYTES_MAX)));
        }
        let lines = memchr::memchr_iter(b'\n', &chunk).count() as u64;
        each(Text { bytes: Buffer::from_vec(chunk), first_line, head: head.clone() })?;
        first_line += lines;
        if is_last {
            return Ok(ended);
        }
    }
}

/// Reads until there are `length` bytes or the text ends.
fn fill(text: &mut dyn Read, bytes: &mut Vec<u8>, length: usize) -> Ended {
    let wanted = length.saturating_sub(bytes.len()) as u64;
    text.take(wanted).read_to_end(bytes).map(|_| ()).map_err(|error| reason(&error))
}

fn reason(error: &io::Error) -> Reason {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Reason::Truncated,
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Reason::Corrupt(error.to_string()),
        _ if error.to_string().contains("incomplete frame") => Reason::Truncated,
        io::ErrorKind::Other => Reason::Corrupt(error.to_string()),
        _ => Reason::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn texts(stored: &[u8], size: u64, framing: Framing) -> (Vec<(u64, Vec<u8>)>, Ended) {
        let mut found = Vec::new();
        let ended = read(stored, size, |_| Some(framing), &mut |text| {
            found.push((text.first_line, text.bytes.to_vec()));
            Ok(())
        });
        (found, ended.unwrap())
    }

    #[test]
    fn every_way_of_storing_gives_the_same_text() {
        let text = b"one\ntwo\nthree".to_vec();
        let twice = [gzip(b"one\n"), gzip(b"two\nthree")].concat();
        let same_twice = [gzip(b"same\n"), gzip(b"same\n")].concat();
        for (stored, expected) in [
            (text.clone(), &text),
            (gzip(&text), &text),
            (zstd::encode_all(text.as_slice(), 1).unwrap(), &text),
            (twice, &text),
            (same_twice, &b"same\nsame\n".to_vec()),
        ] {
            for size in [stored.len() as u64, SMALL_BYTES + 1] {
                for framing in [Framing::Whole, Framing::Lines] {
                    let (found, ended) = texts(&stored, size, framing);
                    assert_eq!((found, ended), (vec![(1, expected.clone())], Ok(())));
                }
            }
        }
    }

    #[test]
    fn chunks_end_where_a_line_ends() {
        let line = [vec![b'x'; 999], vec![b'\n']].concat();
        let text = line.repeat(CHUNK_BYTES / 1000 * 2 + 500);
        for (stored, size) in [(text.clone(), 0), (gzip(&text), 0), (text.clone(), SMALL_BYTES + 1)] {
            let (found, ended) = texts(&stored, size.max(1), Framing::Lines);
            assert_eq!(ended, Ok(()));
            assert!(found.len() > 1);
            let mut expected = 1;
            for (first_line, chunk) in &found {
                assert_eq!(*first_line, expected);
                assert_eq!(chunk.len() % 1000, 0);
                expected += chunk.len() as u64 / 1000;
            }
            assert_eq!(found.iter().map(|(_, chunk)| chunk.len()).sum::<usize>(), text.len());
        }
        let (found, ended) = texts(&vec![b'x'; CHUNK_BYTES + 1], 1, Framing::Lines);
        assert_eq!((found.len(), ended), (0, Err(Reason::LineTooLong(CHUNK_BYTES as u64))));
    }

    #[test]
    fn damage_is_said_and_what_stands_before_it_is_kept() {
        let text: Vec<u8> = (0..100_000_u32).flat_map(|number| format!("{number}\n").into_bytes()).collect();
        let stored = gzip(&text);
        let (found, ended) = texts(&stored[..stored.len() / 2], 1, Framing::Lines);
        assert_eq!(ended, Err(Reason::Truncated));
        assert!(text.starts_with(&found[0].1) && found[0].1.len() > 1000);

        let stored = zstd::encode_all(text.as_slice(), 1).unwrap();
        let (_, ended) = texts(&stored[..stored.len() / 2], 1, Framing::Lines);
        assert_eq!(ended, Err(Reason::Truncated));

        let mut stored = gzip(&text);
        let middle = stored.len() / 2;
        stored[middle..middle + 50].fill(0xff);
        let (_, ended) = texts(&stored, 1, Framing::Lines);
        assert!(matches!(ended, Err(Reason::Corrupt(_))), "{ended:?}");
    }

    #[test]
    fn a_bomb_is_left_out() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let zeros = vec![b'0'; 1 << 20];
        for _ in 0..=(WHOLE_BYTES_MAX >> 20) {
            encoder.write_all(&zeros).unwrap();
        }
        let (found, ended) = texts(&encoder.finish().unwrap(), 1, Framing::Whole);
        assert_eq!((found.len(), ended), (0, Err(Reason::TooLarge(WHOLE_BYTES_MAX as u64))));
    }
}
