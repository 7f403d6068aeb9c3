//! The results channel: numbered frames, one JSON line each, on a raw serial line or a standard output.

use std::fs::File;
use std::io::{Result, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::termios::{self, SetArg};
use orchestrator_protocol::console::{self, CONSOLE};
use orchestrator_protocol::{Frame, Message};

use crate::guest;

/// Longest time without a frame.
const BEAT: Duration = Duration::from_secs(3);

/// Where frames go.
pub struct Channel {
    out: Box<dyn Write>,
    tty: Option<File>,
    log: Option<File>,
    seq: u64,
    last: Instant,
}

impl Channel {
    /// Opens the serial line and makes it transparent; or the kernel's log, when frames go to the console.
    pub fn open(path: &str) -> Result<Self> {
        if path == CONSOLE {
            return Channel::open_console();
        }
        let flags = nix::libc::O_NOCTTY | nix::libc::O_CLOEXEC;
        let tty = std::fs::OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
        let mut mode = termios::tcgetattr(&tty)?;
        termios::cfmakeraw(&mut mode);
        termios::tcsetattr(&tty, SetArg::TCSANOW, &mode)?;
        Ok(Channel { out: Box::new(tty.try_clone()?), tty: Some(tty), log: None, seq: 0, last: Instant::now() })
    }

    /// Frames as records of the kernel log, which puts them whole on its console.
    fn open_console() -> Result<Self> {
        let log = std::fs::OpenOptions::new().write(true).open("/dev/kmsg")?;
        // Whatever the command line says, records of this level must be printed.
        guest::try_write("/proc/sys/kernel/printk", "7");
        guest::try_write("/proc/sys/kernel/printk_devkmsg", "on");
        Ok(Channel {
            out: Box::new(Records { log, line: Vec::new(), frame: 0 }),
            tty: None,
            log: None,
            seq: 0,
            last: Instant::now(),
        })
    }

    /// A channel into anything.
    pub fn to(out: impl Write + 'static) -> Self {
        Channel { out: Box::new(out), tty: None, log: None, seq: 0, last: Instant::now() }
    }

    /// A channel into `out` whose frames are also kept in a new file. What was sent before a test began is on the disk
    /// when it begins, so that the file tells which test took the machine down.
    pub fn kept(out: impl Write + 'static, path: &Path) -> Result<Self> {
        let log = File::create(path)?;
        log.sync_all()?;
        // The name of the file must survive, too.
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()?;
        Ok(Channel { log: Some(log), ..Channel::to(out) })
    }

    /// Sends one frame.
    pub fn send(&mut self, message: Message) -> Result<()> {
        let frame = Frame { seq: self.seq, ms: guest::uptime_ms(), message };
        let mut line = serde_json::to_vec(&frame)?;
        line.push(b'\n');
        if let Some(log) = &mut self.log {
            log.write_all(&line)?;
        }
        self.out.write_all(&line)?;
        self.out.flush()?;
        self.seq += 1;
        self.last = Instant::now();
        Ok(())
    }

    /// Gives a sign of life when the last one is too long ago.
    pub fn beat(&mut self) -> Result<()> {
        if self.last.elapsed() >= BEAT { self.send(Message::Beat) } else { Ok(()) }
    }

    /// Waits until all was sent and is kept.
    pub fn drain(&mut self) {
        if let Some(log) = &self.log
            && let Err(error) = log.sync_data()
        {
            guest::say(&format!("the copy of the results: {error}"));
        }
        if let Some(tty) = &self.tty
            && let Err(error) = termios::tcdrain(tty)
        {
            guest::say(&format!("results tty: {error}"));
        }
    }
}

/// Cuts each line that is written into pieces, and writes those as records of the kernel log.
struct Records<W> {
    log: W,
    line: Vec<u8>,
    frame: u64,
}

impl<W: Write> Write for Records<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            for piece in console::pieces(self.frame, &self.line) {
                // One call is one record.
                self.log.write_all(format!("<6>{piece}\n").as_bytes())?;
            }
            self.line.clear();
            self.frame += 1;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        self.log.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_becomes_records_with_the_number_of_its_frame() {
        let mut records = Records { log: Vec::new(), line: Vec::new(), frame: 0 };
        records.write_all(b"{\"seq\":0}\n{\"seq\"").unwrap();
        records.write_all(b":1}\n").unwrap();
        let text = String::from_utf8(records.log).unwrap();
        let pieces: Vec<_> = text.lines().map(|line| console::find(line).unwrap().piece.unwrap()).collect();
        assert_eq!(pieces.len(), 2);
        assert_eq!((pieces[1].frame, pieces[1].bytes.as_slice()), (1, &b"{\"seq\":1}"[..]));
        assert!(text.lines().all(|line| line.starts_with("<6>@orchestrator-frame ")));
    }
}
