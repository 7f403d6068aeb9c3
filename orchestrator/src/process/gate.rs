//! A gate in front of a confined program, so that none is ever left behind.
//!
//! bwrap binds the life of what it starts to its own only after it has set up the confinement. Whoever stops bwrap
//! before that leaves a program running that nobody knows. So bwrap starts a gate: a shell that says it is there,
//! which it can only after the binding, and becomes the program when it is told to. When the orchestrator has gone
//! or changed its mind, the gate's line is closed, and the gate ends.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

/// `$0` is the number of the line, the rest is the program. bash, because other shells know only ten descriptors.
const SCRIPT: &str = r#"n=$0; echo >&"$n" && read -r <&"$n" && exec "$@" {n}>&-"#;

/// Both ends of the line.
pub(super) struct Gate {
    ours: std::os::unix::net::UnixStream,
    theirs: OwnedFd,
}

impl Gate {
    /// A closed gate.
    pub(super) fn new() -> std::io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        Ok(Gate { ours, theirs: theirs.into() })
    }

    /// Words to put before the program and its arguments.
    pub(super) fn words(&self) -> [String; 4] {
        ["bash".to_owned(), "-c".to_owned(), SCRIPT.to_owned(), self.theirs.as_raw_fd().to_string()]
    }

    /// The descriptor that the gate must inherit.
    pub(super) fn descriptor(&self) -> RawFd {
        self.theirs.as_raw_fd()
    }

    /// The process was started: opens the gate as soon as it is there. Dropping the handle closes it for good.
    pub(super) fn open(self) -> std::io::Result<AbortOnDropHandle<()>> {
        drop(self.theirs);
        let mut line = UnixStream::from_std(self.ours)?;
        Ok(AbortOnDropHandle::new(tokio::spawn(async move {
            let mut word = [0];
            if line.read_exact(&mut word).await.is_ok() {
                // A gate that ended meanwhile needs no word.
                let _ = line.write_all(b"go\n").await;
            }
        })))
    }
}
