//! Following the file into which a guest on the instruction clock writes its results.

use std::time::Duration;

use camino::Utf8Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use super::{qemu, sockets};

/// How often to look whether the file has grown.
const PAUSE: Duration = Duration::from_millis(50);

/// Passes on what is written to the file as if the guest had written to the results socket, until QEMU has `ended` and
/// everything is passed on, or nobody listens any more because the guest is being stopped.
///
/// A file that cannot be read passes nothing on: to the listener that is a guest that never spoke.
pub(super) async fn relay(dir: &Utf8Path, ended: &CancellationToken, stop: &CancellationToken) {
    let Ok(mut socket) = sockets::connect(dir, sockets::RESULTS) else { return };
    let path = dir.join(qemu::RESULTS_FILE);
    let mut file = None;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        // Asked before reading: what is written before QEMU's end is still read after it.
        let last = ended.is_cancelled();
        if file.is_none() {
            file = tokio::fs::File::open(&path).await.ok();
        }
        let count = match &mut file {
            Some(file) => file.read(&mut buffer).await.unwrap_or(0),
            None => 0,
        };
        if count > 0 {
            tokio::select! {
                written = socket.write_all(&buffer[..count]) => if written.is_err() { return },
                () = stop.cancelled() => return,
            }
        } else if last {
            return;
        } else {
            tokio::select! {
                () = ended.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[tokio::test]
    async fn what_was_written_before_the_end_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let dir = Utf8Path::from_path(folder.path()).unwrap();
        let listener = sockets::listen(dir, sockets::RESULTS).unwrap();
        fs_err::write(dir.join(qemu::RESULTS_FILE), "frames\n").unwrap();
        let (ended, stop) = (CancellationToken::new(), CancellationToken::new());
        ended.cancel();
        relay(dir, &ended, &stop).await;
        let mut text = String::new();
        sockets::accept_now(listener).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "frames\n");
    }
}
