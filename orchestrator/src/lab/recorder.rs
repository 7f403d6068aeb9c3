//! The files of a boot, written as things come, bounded.

use std::fs::File;
use std::io::Write;

use camino::{Utf8Path, Utf8PathBuf};

use super::console::Console;
use super::ending::Stop;
use crate::process::Stream;

/// Most bytes kept of the kernel log, and as many of the results.
pub(super) const LIMIT: u64 = 256 * 1024 * 1024;

/// Most bytes kept of QEMU's own words; more of them help nobody.
const QEMU_LIMIT: u64 = 1024 * 1024;

/// A file that takes so many bytes and no more.
#[derive(Debug)]
pub(super) struct Bounded {
    path: Utf8PathBuf,
    file: File,
    left: u64,
    full: bool,
}

impl Bounded {
    /// An empty file.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub(super) fn create(path: Utf8PathBuf, limit: u64) -> Result<Self, String> {
        let file = File::create(&path).map_err(|error| format!("{path}: {error}"))?;
        Ok(Bounded { path, file, left: limit, full: false })
    }

    /// Appends; false when the file is full, which its last line says.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<bool, String> {
        if self.full {
            return Ok(false);
        }
        let named = |error: std::io::Error| format!("{}: {error}", self.path);
        if bytes.len() as u64 > self.left {
            self.full = true;
            self.file.write_all(b"\n[orchestrator: cut off here, the limit is reached]\n").map_err(named)?;
            return Ok(false);
        }
        self.left -= bytes.len() as u64;
        self.file.write_all(bytes).map_err(named)?;
        Ok(true)
    }
}

/// What QEMU prints: the kernel's console and its own words.
#[derive(Debug)]
pub(super) struct Recorder {
    /// What the kernel log has shown.
    pub console: Console,
    /// QEMU's last words.
    pub qemu: String,
    /// What went wrong while recording.
    pub stop: Option<Stop>,
    console_log: Bounded,
    qemu_log: Bounded,
}

impl Recorder {
    /// Files `console.log` and `qemu.log` in the folder of a boot.
    ///
    /// # Errors
    /// One sentence that names the file.
    pub(super) fn create(dir: &Utf8Path, limit: u64) -> Result<Self, String> {
        Ok(Recorder {
            console: Console::default(),
            qemu: String::new(),
            stop: None,
            console_log: Bounded::create(dir.join("console.log"), limit)?,
            qemu_log: Bounded::create(dir.join("qemu.log"), QEMU_LIMIT)?,
        })
    }

    /// Takes a line.
    pub(super) fn line(&mut self, stream: Stream, line: &str) {
        let text = format!("{line}\n");
        match stream {
            Stream::Out => {
                self.console.see(line);
                match self.console_log.write(text.as_bytes()) {
                    Ok(true) => {}
                    Ok(false) => self.fail(Stop::Flood("console.log")),
                    Err(error) => self.fail(Stop::Trouble(error)),
                }
            }
            Stream::Err => {
                if !line.trim().is_empty() {
                    self.qemu = line.trim().chars().take(300).collect();
                }
                if let Err(error) = self.qemu_log.write(text.as_bytes()) {
                    self.fail(Stop::Trouble(error));
                }
            }
        }
    }

    /// Puts a line of ours into the kernel log, so that its reader knows what happened to the guest.
    pub(super) fn note(&mut self, text: &str) {
        if let Err(error) = self.console_log.write(format!("[orchestrator] {text}\n").as_bytes()) {
            self.fail(Stop::Trouble(error));
        }
    }

    fn fail(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_named() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let mut recorder = Recorder::create(dir, 100).unwrap();
        for _ in 0..1000 {
            recorder.line(Stream::Out, "0123456789");
        }
        assert_eq!(recorder.stop, Some(Stop::Flood("console.log")));
        let text = std::fs::read_to_string(dir.join("console.log")).unwrap();
        assert!(text.len() < 200 && text.contains("cut off here"), "{text}");
    }

    #[test]
    fn the_console_and_qemus_words_are_kept_apart() {
        let dir = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(dir.path()).unwrap();
        let mut recorder = Recorder::create(dir, LIMIT).unwrap();
        recorder.line(Stream::Out, "[ 0.0] Linux version");
        recorder.line(Stream::Err, "qemu: warning");
        recorder.line(Stream::Err, "");
        assert_eq!(std::fs::read_to_string(dir.join("console.log")).unwrap(), "[ 0.0] Linux version\n");
        assert_eq!(std::fs::read_to_string(dir.join("qemu.log")).unwrap(), "qemu: warning\n\n");
        assert_eq!((recorder.qemu.as_str(), recorder.console.alive), ("qemu: warning", true));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Recorder::create(Utf8Path::new("/nonexistent/x"), LIMIT).unwrap_err();
        assert!(error.contains("/nonexistent/x/console.log"), "{error}");
    }
}
