//! A tarball into git objects, without unpacking it to disk.
//!
//! The entries are streamed to `git fast-import`, so the tarball's own `.gitignore` has no say and nothing but the
//! pack is written. zlib level 1 and no deltas: a third of the size in half a minute of one core.

use std::io::{BufWriter, PipeWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::{Utf8Path, Utf8PathBuf};
use tokio_util::sync::CancellationToken;

use super::error::SourceError;
use super::git::git;
use super::tarball::{Member, member, open};
use crate::process::{End, Stream};

/// Who made the imported commit and when: fixed, so that equal source gives an equal commit id.
const COMMITTER: &str = "orchestrator <orchestrator@localhost> 946684800 +0000";

/// Imports `file` into the bare repository `repo` and points `reference` at the commit, whose id it gives.
/// `progress` gets the bytes of `file` read so far and in all, about a hundred times.
pub(super) async fn import(
    repo: &Utf8Path,
    file: &Utf8Path,
    reference: &str,
    message: &str,
    progress: impl Fn(u64, u64) + Send + 'static,
    cancel: &CancellationToken,
) -> Result<String, SourceError> {
    let (reader, writer) = std::io::pipe().map_err(|source| SourceError::io("a pipe", source))?;
    let command = git(repo, repo)
        .args(["-c", "pack.compression=1", "-c", "core.compression=1", "-c", "fastimport.unpackLimit=0"])
        .args(["fast-import", "--quiet", "--depth=0", "--done", "--force"])
        .stdin_pipe(reader);
    let feed = {
        let (file, cancel) = (file.to_owned(), cancel.clone());
        let header = header(reference, message);
        tokio::task::spawn_blocking(move || feed(writer, &file, &header, &progress, &cancel))
    };
    let mut complaints = String::new();
    let exit = command.run(cancel, |stream, line| {
        if stream == Stream::Err && complaints.len() < 2000 {
            complaints.push_str(line);
            complaints.push('\n');
        }
    });
    let exit = exit.await?;
    // The pipe's reading end is gone, so the feeder comes to an end too.
    drop(command);
    let fed = feed.await.map_err(|error| SourceError::Refused(format!("the import thread ended: {error}")))?;
    remove_crash_reports(repo);
    match (exit.end, fed) {
        (End::Cancelled, _) | (_, Err(FeedError::Cancelled)) => Err(SourceError::Cancelled),
        // git went away first: its own words are the reason.
        (_, Err(FeedError::Io(error))) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            Err(SourceError::Refused(format!("git fast-import: {}", complaints.trim())))
        }
        (_, Err(FeedError::Io(source))) => Err(SourceError::io(file, source)),
        (_, Err(FeedError::Refused(what))) => Err(SourceError::Refused(format!("{file}: {what}"))),
        (End::Code(0), Ok(())) => {
            let repository = git2::Repository::open_bare(repo)?;
            Ok(repository.refname_to_id(reference)?.to_string())
        }
        (End::Code(_) | End::Signal(_) | End::Deadline, Ok(())) => {
            Err(SourceError::Refused(format!("git fast-import: {}", complaints.trim())))
        }
    }
}

#[derive(Debug)]
enum FeedError {
    Cancelled,
    Io(std::io::Error),
    Refused(String),
}

impl From<std::io::Error> for FeedError {
    fn from(error: std::io::Error) -> Self {
        FeedError::Io(error)
    }
}

fn header(reference: &str, message: &str) -> String {
    format!("commit {reference}\ncommitter {COMMITTER}\ndata {}\n{message}\ndeleteall\n", message.len())
}

fn feed(
    writer: PipeWriter,
    file: &Utf8PathBuf,
    header: &str,
    progress: &dyn Fn(u64, u64),
    cancel: &CancellationToken,
) -> Result<(), FeedError> {
    let total = std::fs::metadata(file)?.len();
    let read = Arc::new(AtomicU64::new(0));
    let mut source = Tail::new(open(file, read.clone())?);
    let mut archive = tar::Archive::new(&mut source);
    let mut out = BufWriter::with_capacity(1 << 20, writer);
    out.write_all(header.as_bytes())?;
    let mut top = None;
    let mut told = 0;
    let mut files = 0_usize;
    for entry in archive.entries()? {
        if cancel.is_cancelled() {
            return Err(FeedError::Cancelled);
        }
        let mut entry = entry?;
        let mode = entry.header().mode()?;
        let link = entry.link_name_bytes().map(|link| link.into_owned());
        let member = member(entry.header().entry_type(), &entry.path_bytes(), link.as_deref(), mode, &mut top)
            .map_err(FeedError::Refused)?;
        match member {
            Member::Nothing => {}
            Member::File { path, executable } => {
                let mode = if executable { "100755" } else { "100644" };
                write!(out, "M {mode} inline {}\ndata {}\n", quoted(&path), entry.size())?;
                if std::io::copy(&mut entry, &mut out)? != entry.size() {
                    return Err(FeedError::Refused(CUT_OFF.to_owned()));
                }
                out.write_all(b"\n")?;
                files += 1;
            }
            Member::Link { path, target } => {
                write!(out, "M 120000 inline {}\ndata {}\n", quoted(&path), target.len())?;
                out.write_all(&target)?;
                out.write_all(b"\n")?;
            }
            Member::Copy { path, earlier } => writeln!(out, "C {} {}", quoted(&earlier), quoted(&path))?,
        }
        let now = read.load(Ordering::Relaxed);
        if now - told > total / 100 {
            told = now;
            progress(now, total);
        }
    }
    if !source.ended() {
        return Err(FeedError::Refused(CUT_OFF.to_owned()));
    }
    if files == 0 {
        return Err(FeedError::Refused("the archive holds no files".to_owned()));
    }
    out.write_all(b"done\n")?;
    out.flush()?;
    if told < total {
        progress(total, total);
    }
    Ok(())
}

/// What is said of an archive without an end.
const CUT_OFF: &str = "the archive is cut off";

/// Remembers the last block that was read. A tar archive ends with blocks of zeros; one that was cut off between two
/// members is otherwise as good as a smaller one.
struct Tail<R> {
    inner: R,
    /// Bytes read of the block that is not whole yet.
    filled: usize,
    /// Whether all bytes of that block, and of the one before it, are zero.
    zero: [bool; 2],
}

impl<R: Read> Tail<R> {
    const BLOCK: usize = 512;

    fn new(inner: R) -> Self {
        Tail { inner, filled: 0, zero: [true, false] }
    }

    /// Whether the last whole block was one of zeros.
    fn ended(&self) -> bool {
        self.filled == 0 && self.zero[1]
    }
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        let mut rest = &buffer[..count];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(Self::BLOCK - self.filled));
            self.zero[0] &= now.iter().all(|&byte| byte == 0);
            self.filled += now.len();
            if self.filled == Self::BLOCK {
                self.filled = 0;
                self.zero = [true, self.zero[0]];
            }
            rest = later;
        }
        Ok(count)
    }
}

/// A path as fast-import reads it: always in quotes, with everything unusual as octal escapes.
fn quoted(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len() + 2);
    text.push('"');
    for &byte in path {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    text.push('"');
    text
}

/// fast-import leaves a report where it stopped; its words were read already.
fn remove_crash_reports(repo: &Utf8Path) {
    for entry in fs_err::read_dir(repo).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("fast_import_crash_") {
            // A report left behind harms nobody.
            let _ = fs_err::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
#[path = "import_tests.rs"]
mod tests;
