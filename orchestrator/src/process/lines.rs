//! The output of a process, line by line.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// Longest line handed to a callback, in bytes; the rest of a longer one comes as further lines.
const LINE_LIMIT: u64 = 64 * 1024;

/// Which stream a line came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Reads a stream to its end and sends every line, with what ends it; `returns_end_lines` for programs that draw a
/// progress meter with carriage returns.
pub(super) async fn read_lines(
    source: impl AsyncRead + Unpin,
    stream: Stream,
    returns_end_lines: bool,
    lines: tokio::sync::mpsc::Sender<(Stream, Vec<u8>)>,
) {
    let mut reader = BufReader::new(source);
    loop {
        let mut line = Vec::new();
        let read = if returns_end_lines {
            read_meter(&mut reader, &mut line).await
        } else {
            (&mut reader).take(LINE_LIMIT).read_until(b'\n', &mut line).await
        };
        match read {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if lines.send((stream, line)).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Reads up to and with the next line feed or carriage return.
async fn read_meter(reader: &mut BufReader<impl AsyncRead + Unpin>, line: &mut Vec<u8>) -> std::io::Result<usize> {
    while (line.len() as u64) < LINE_LIMIT {
        let bytes = reader.fill_buf().await?;
        if bytes.is_empty() {
            break;
        }
        let end = bytes.iter().position(|byte| [b'\n', b'\r'].contains(byte));
        let taken = end.map_or(bytes.len(), |end| end + 1);
        line.extend_from_slice(&bytes[..taken]);
        reader.consume(taken);
        if end.is_some() {
            break;
        }
    }
    Ok(line.len())
}
