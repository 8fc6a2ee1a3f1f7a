//! A stream laid down in a nameless file, for formats that are read from their end.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use modrack_core::Result;

use crate::error;
use crate::input::Stream;

static MADE: AtomicU64 = AtomicU64::new(0);

/// Writes all of `stream` into a file in the folder for temporary files; the file is gone with its handle.
///
/// # Errors
/// What reading fails with, `M0608` and `M0609` when the file cannot be written.
pub(crate) fn spool(mut stream: Stream) -> Result<File> {
    let folder = std::env::temp_dir();
    let refused = |why: &io::Error| error::unwritable(&folder.display().to_string(), why);
    let mut file = nameless(&folder).map_err(|why| refused(&why))?;
    let mut piece = vec![0; 1 << 18];
    loop {
        let count = stream.read(&mut piece)?;
        if count == 0 {
            break;
        }
        file.write_all(&piece[..count]).map_err(|why| refused(&why))?;
    }
    file.rewind().map_err(|why| refused(&why))?;
    Ok(file)
}

fn nameless(folder: &std::path::Path) -> io::Result<File> {
    loop {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!(".modrack-{}-{number}.spool", std::process::id()));
        match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => {
                std::fs::remove_file(&path)?;
                return Ok(file);
            }
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
}
