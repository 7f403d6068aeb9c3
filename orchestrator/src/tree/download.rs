//! Tarballs: fetched from an address where needed, and checked.

use std::io::Read;
use std::time::Duration;

use camino::Utf8Path;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::error::SourceError;
use super::git::with_proxies;
use crate::process::{Command, End, Stream};

/// Longest time for a download.
const DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);

/// Downloads `url` to `file` with curl. `progress` gets the percentage done.
pub(super) async fn download(
    url: &str,
    file: &Utf8Path,
    progress: impl Fn(u64),
    cancel: &CancellationToken,
) -> Result<(), SourceError> {
    let folder = file.parent().unwrap_or(Utf8Path::new("/"));
    let command = Command::new("curl", folder)
        .args(["--disable", "--fail", "--location", "--proto-redir", "=https,http", "--connect-timeout", "30"])
        .args(["--retry", "2", "--speed-limit", "1000", "--speed-time", "60", "--output", file.as_str(), "--", url])
        .returns_end_lines()
        .deadline(DEADLINE);
    let command = with_proxies(command);
    let mut told = String::new();
    let exit = command
        .run(cancel, |stream, line| match (stream, percent(line), complaint(line)) {
            (Stream::Err, Some(percent), _) => progress(percent),
            (Stream::Err, None, Some(complaint)) => told = complaint.to_owned(),
            (Stream::Err, None, None) | (Stream::Out, ..) => {}
        })
        .await?;
    match exit.end {
        End::Code(0) => Ok(()),
        End::Cancelled => Err(SourceError::Cancelled),
        End::Deadline => Err(SourceError::Refused(format!("{url} did not arrive in time"))),
        End::Code(_) => Err(SourceError::Refused(told)),
        End::Signal(signal) => Err(SourceError::Refused(format!("curl was ended by signal {signal}"))),
    }
}

/// The first column of curl's meter.
fn percent(line: &str) -> Option<u64> {
    let columns: Vec<&str> = line.split_whitespace().collect();
    match columns[..] {
        [percent, _, _, _, _, _, _, _, _, _, _, _] => percent.parse().ok().filter(|percent| *percent <= 100),
        _ => None,
    }
}

/// curl's own words, which may stand behind a half-drawn meter.
fn complaint(line: &str) -> Option<&str> {
    line.find("curl: (").map(|at| &line[at..])
}

/// Refuses `file` when it does not have the SHA-256 `wanted`.
pub(super) fn check_sha256(file: &Utf8Path, wanted: &str) -> Result<(), SourceError> {
    let io = |source| SourceError::io(file, source);
    let mut source = std::fs::File::open(file).map_err(io)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match source.read(&mut buffer).map_err(io)? {
            0 => break,
            read => hash.update(&buffer[..read]),
        }
    }
    let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    if found == wanted {
        return Ok(());
    }
    Err(SourceError::Refused(format!("{file} has SHA-256 {found}, but {wanted} is asked for; it is not that file")))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn the_meter_is_read() {
        let line = " 42  150M   42 63.5M    0     0  10.0M      0  0:00:15  0:00:06  0:00:09 10.1M";
        assert_eq!(percent(line), Some(42));
        assert_eq!(percent("  % Total    % Received % Xferd  Average Speed   Time    Time     Time  Current"), None);
        let failed =
            "  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--     0curl: (22) error: 404";
        assert_eq!((percent(failed), complaint(failed)), (None, Some("curl: (22) error: 404")));
        assert_eq!(complaint(line), None);
    }

    /// Answers one request on loopback.
    async fn server(answer: &'static str) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/linux.tar.xz", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        });
        url
    }

    #[tokio::test]
    async fn a_file_arrives_or_the_reason_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("x");
        let cancel = CancellationToken::new();
        let url = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlinux").await;
        download(&url, &file, |_| (), &cancel).await.unwrap();
        assert_eq!(fs_err::read_to_string(&file).unwrap(), "linux");
        let url = server("HTTP/1.1 404 Gone\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
        let error = download(&url, &file, |_| (), &cancel).await.unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
    }

    #[test]
    fn another_file_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "abc").unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(check_sha256(path, abc).is_ok());
        let error = check_sha256(path, &abc.replace('b', "c")).unwrap_err();
        assert!(error.to_string().contains(abc), "{error}");
    }
}
