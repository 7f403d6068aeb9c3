//! Unix sockets in the folder of a boot.
//!
//! A socket's path may have 107 bytes, a cache folder's path any number. So the folder is opened and the socket is
//! reached through `/proc/self/fd`.

use std::fs::File;
use std::io::Result;
use std::os::fd::AsRawFd;

use camino::Utf8Path;
use tokio::net::{UnixListener, UnixStream};

/// On which the orchestrator takes results.
pub(super) const RESULTS: &str = "results.sock";

/// On which QEMU takes commands.
pub(super) const CONTROL: &str = "qmp.sock";

/// Listens on a new socket; one of an earlier attempt is removed.
pub(super) fn listen(dir: &Utf8Path, name: &str) -> Result<UnixListener> {
    match std::fs::remove_file(dir.join(name)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let folder = File::open(dir)?;
    UnixListener::bind(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

/// Connects to a socket of QEMU's.
pub(super) fn connect(dir: &Utf8Path, name: &str) -> Result<UnixStream> {
    let folder = File::open(dir)?;
    let stream = std::os::unix::net::UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

/// A connection that is waiting already, if there is one.
pub(super) fn accept_now(listener: UnixListener) -> Option<std::os::unix::net::UnixStream> {
    let (stream, _) = listener.into_std().ok()?.accept().ok()?;
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn a_long_path_is_no_obstacle() {
        let dir = tempfile::tempdir().unwrap();
        let deep = Utf8Path::from_path(dir.path()).unwrap().join("d".repeat(200));
        std::fs::create_dir(&deep).unwrap();
        let listener = listen(&deep, RESULTS).unwrap();
        let mut client = connect(&deep, RESULTS).unwrap().into_std().unwrap();
        client.write_all(b"x").unwrap();
        drop(client);
        let mut text = String::new();
        accept_now(listener).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        // The socket file of the attempt before is in nobody's way.
        assert!(accept_now(listen(&deep, RESULTS).unwrap()).is_none());
    }
}
