//! What must survive a loss of power is on the disk before anything counts on it.
//!
//! The storage puts a file in its place by renaming it, which says nothing about when its bytes reach the disk. So every
//! file of a commit is told to the disk before the commit, and the commit before the run says that it stored something.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Files that the disk is told of at the same time. They wait and do no work: file systems write the wishes of many
/// waiting threads at once, which makes hundreds of files as quick as a few.
const WAITING_MAX: usize = 16;

/// Makes these files below `root`, and the folders from `root` down to them, durable.
pub(crate) fn files(root: &Path, files: &[String]) -> io::Result<()> {
    let mut paths: Vec<PathBuf> = files.iter().map(|file| root.join(file)).collect();
    let mut folders = BTreeSet::new();
    for path in &paths {
        let up = path.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        folders.extend(up.map(Path::to_path_buf));
    }
    if cfg!(unix) {
        paths.extend(folders);
    }
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(None));
    std::thread::scope(|scope| {
        for _ in 0..WAITING_MAX.min(paths.len()) {
            scope.spawn(|| {
                while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = File::open(path).and_then(|file| file.sync_all()) {
                        *failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(error);
                        next.store(paths.len(), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.map_or(Ok(()), Err)
}

/// Makes the names in a folder durable. Only Unix has a way to say so.
pub(crate) fn folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
