//! Unpacking what an archive sent, which may be anything.

use std::io::Read;

use flate2::read::MultiGzDecoder;

/// Why packed bytes cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum GzipTrouble {
    /// It does not begin as gzip does.
    #[error("it is not gzip")]
    NotGzip,
    /// It ends in the middle.
    #[error("the compressed mails are cut off after {0} bytes; the connection broke, or a proxy limits sizes")]
    Cut(usize),
    /// It is damaged.
    #[error("the compressed mails are damaged: {0}")]
    Damaged(String),
    /// It unpacks to more than a thread may have.
    #[error("the mails unpack to more than {0} bytes, which no thread of patches has")]
    TooLarge(u64),
}

/// True when `bytes` begin as gzip does.
pub(super) fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// Unpacks `bytes`, all members of them, to `limit` bytes at most.
pub(super) fn unpack(bytes: &[u8], limit: u64) -> Result<Vec<u8>, GzipTrouble> {
    if !is_gzip(bytes) {
        return Err(GzipTrouble::NotGzip);
    }
    let mut plain = Vec::new();
    match MultiGzDecoder::new(bytes).take(limit + 1).read_to_end(&mut plain) {
        Ok(_) if plain.len() as u64 > limit => Err(GzipTrouble::TooLarge(limit)),
        Ok(_) => Ok(plain),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Err(GzipTrouble::Cut(bytes.len())),
        Err(error) => Err(GzipTrouble::Damaged(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::gzip;
    use super::*;

    #[test]
    fn good_bytes_are_unpacked_and_members_joined() {
        assert_eq!(unpack(&gzip(b"hello"), 5), Ok(b"hello".to_vec()));
        assert_eq!(unpack(&[gzip(b"hello "), gzip(b"you")].concat(), 100), Ok(b"hello you".to_vec()));
    }

    #[test]
    fn bad_bytes_are_named() {
        let packed = gzip(&b"a line that is packed\n".repeat(50));
        for cut in [3, 9, 12, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
            assert_eq!(unpack(&packed[..cut], 10_000), Err(GzipTrouble::Cut(cut)), "{cut}");
        }
        assert_eq!(unpack(b"<html>", 100), Err(GzipTrouble::NotGzip));
        assert_eq!(unpack(b"", 100), Err(GzipTrouble::NotGzip));
        let mut damaged = packed.clone();
        let at = damaged.len() - 8;
        damaged[at] ^= 0xff;
        assert!(matches!(unpack(&damaged, 10_000), Err(GzipTrouble::Damaged(_))));
    }

    #[test]
    fn a_bomb_is_refused_without_unpacking_it() {
        let bomb = gzip(&vec![0; 20 << 20]);
        assert!(bomb.len() < 100_000);
        assert_eq!(unpack(&bomb, 1 << 20), Err(GzipTrouble::TooLarge(1 << 20)));
        assert_eq!(unpack(&gzip(b"hello"), 4), Err(GzipTrouble::TooLarge(4)));
    }
}
