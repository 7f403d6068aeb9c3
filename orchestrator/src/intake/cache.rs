//! What archives answered, kept for a while.

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

/// Folder below the cache folder.
const FOLDER: &str = "intake";
/// Most answers kept.
const KEPT: usize = 1000;

/// An answer that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// When it was fetched, seconds since the Unix epoch.
    pub(super) fetched: i64,
    /// The answer as it came.
    pub(super) bytes: Vec<u8>,
}

/// First line of a file; the answer follows.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    address: String,
    fetched: i64,
}

fn path(cache: &Utf8Path, address: &str) -> Utf8PathBuf {
    cache.join(FOLDER).join(format!("{}.answer", blake3::hash(address.as_bytes()).to_hex()))
}

/// The copy of what `address` answered. A file that cannot be read is none.
pub(super) fn load(cache: &Utf8Path, address: &str) -> Option<Copy> {
    let bytes = fs_err::read(path(cache, address)).ok()?;
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let head: Head = serde_json::from_slice(&bytes[..end]).ok()?;
    (head.address == address).then(|| Copy { fetched: head.fetched, bytes: bytes[end + 1..].to_vec() })
}

/// Keeps what `address` answered.
pub(super) fn store(cache: &Utf8Path, address: &str, copy: &Copy) -> std::io::Result<()> {
    let file = path(cache, address);
    let folder = cache.join(FOLDER);
    fs_err::create_dir_all(&folder)?;
    let head = Head { address: address.to_owned(), fetched: copy.fetched };
    let mut bytes = serde_json::to_vec(&head).map_err(std::io::Error::other)?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&copy.bytes);
    let mut temporary = tempfile::Builder::new().prefix(".tmp-").tempfile_in(&folder)?;
    std::io::Write::write_all(&mut temporary, &bytes)?;
    temporary.persist(&file).map_err(|error| error.error)?;
    prune(&folder, KEPT)
}

/// Removes the oldest files of `folder` until `kept` are left.
fn prune(folder: &Utf8Path, kept: usize) -> std::io::Result<()> {
    let mut files = Vec::new();
    for entry in folder.read_dir_utf8()? {
        let entry = entry?;
        if entry.path().extension() == Some("answer") {
            files.push((entry.metadata()?.modified()?, entry.into_path()));
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(kept);
    for (_, file) in &files[..surplus] {
        // Another process may have been faster.
        let _ = fs_err::remove_file(file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_by_address_and_the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(load(cache, "a"), None);
        let copy = Copy { fetched: 17, bytes: b"\x1f\x8b\n\0".to_vec() };
        store(cache, "a", &copy).unwrap();
        assert_eq!((load(cache, "a"), load(cache, "b")), (Some(copy.clone()), None));
        store(cache, "b", &copy).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH;
        std::fs::File::options().write(true).open(path(cache, "b")).unwrap().set_modified(old).unwrap();
        prune(&cache.join(FOLDER), 1).unwrap();
        assert_eq!((load(cache, "a"), load(cache, "b")), (Some(copy), None));
        std::fs::write(path(cache, "a"), "damaged").unwrap();
        assert_eq!(load(cache, "a"), None);
    }
}
