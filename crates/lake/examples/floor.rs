//! The least that taking CloudTrail in can cost: every file decompressed, every event parsed once, nothing kept.
//!
//! `floor FOLDER` prints events, bytes and seconds, on one thread. `scripts/bench_lake.py` compares with it.

#![allow(clippy::disallowed_methods, reason = "a measuring program reads the clock")]

use std::path::{Path, PathBuf};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give a folder")?;
    let mut files = Vec::new();
    walk(Path::new(&folder), &mut files)?;
    let begun = Instant::now();
    let (mut events, mut bytes) = (0, 0);
    let mut decompressor = libdeflater::Decompressor::new();
    let mut text = Vec::new();
    for file in files {
        let stored = std::fs::read(file)?;
        let [.., a, b, c, d] = stored.as_slice() else { continue };
        text.resize(usize::try_from(u32::from_le_bytes([*a, *b, *c, *d]))?, 0);
        decompressor.gzip_decompress(&stored, &mut text)?;
        bytes += text.len();
        let document: sonic_rs::Value = sonic_rs::from_slice(&text)?;
        events += sonic_rs::JsonValueTrait::get(&document, "Records")
            .and_then(|records| sonic_rs::JsonContainerTrait::as_array(records).map(sonic_rs::Array::len))
            .unwrap_or_default();
    }
    println!("{{\"events\":{events},\"bytes\":{bytes},\"seconds\":{:.3}}}", begun.elapsed().as_secs_f64());
    Ok(())
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
