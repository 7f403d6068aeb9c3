//! Reading a kernel tarball: what its entries become in a git tree.

use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use camino::Utf8Path;

/// Memory for decoding several xz blocks at once, and the most for one.
const XZ_MEMORY: u64 = 512 << 20;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Plain,
    Gzip,
    Xz,
}

/// Tells the packing from the file's first bytes (names lie: downloads often have none).
pub(super) fn packing(head: &[u8]) -> Result<Packing, String> {
    match head {
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Packing::Xz),
        [0x1f, 0x8b, ..] => Ok(Packing::Gzip),
        _ if head.get(257..262) == Some(b"ustar") => Ok(Packing::Plain),
        _ => Err("it is not a tar archive, plain or packed with gzip or xz".to_owned()),
    }
}

/// Counts the bytes read through it.
struct Counted<R> {
    inner: R,
    count: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Opens `file` for reading as a tar stream; `read` counts how far into the file that got.
pub(super) fn open(file: &Utf8Path, read: Arc<AtomicU64>) -> std::io::Result<Box<dyn Read>> {
    let mut head = [0; 262];
    let mut filled = 0;
    let mut source = std::fs::File::open(file)?;
    while filled < head.len() {
        match source.read(&mut head[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    let packing = packing(&head[..filled]).map_err(|what| std::io::Error::other(format!("{file}: {what}")))?;
    let whole = Counted { inner: std::fs::File::open(file)?, count: read };
    let whole = BufReader::with_capacity(1 << 20, whole);
    Ok(match packing {
        Packing::Plain => Box::new(whole),
        Packing::Gzip => Box::new(BufReader::with_capacity(1 << 20, flate2::bufread::MultiGzDecoder::new(whole))),
        Packing::Xz => {
            let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
            let decoder = liblzma::stream::MtStreamBuilder::new()
                .threads(threads)
                .memlimit_threading(XZ_MEMORY)
                .memlimit_stop(XZ_MEMORY)
                .decoder()
                .map_err(std::io::Error::other)?;
            let decoder = liblzma::bufread::XzDecoder::new_stream(whole, decoder);
            Box::new(BufReader::with_capacity(1 << 20, decoder))
        }
    })
}

/// What an entry becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    /// Nothing: a folder, or a header for the archive as a whole.
    Nothing,
    /// A file whose content follows.
    File { path: Vec<u8>, executable: bool },
    /// A symbolic link.
    Link { path: Vec<u8>, target: Vec<u8> },
    /// A second name for an earlier file.
    Copy { path: Vec<u8>, earlier: Vec<u8> },
}

/// Decides about one entry. `top` is the archive's one top folder, learnt from its first entry.
pub(super) fn member(
    kind: tar::EntryType,
    raw: &[u8],
    link: Option<&[u8]>,
    mode: u32,
    top: &mut Option<Vec<u8>>,
) -> Result<Member, String> {
    if matches!(kind, tar::EntryType::XGlobalHeader | tar::EntryType::XHeader) {
        return Ok(Member::Nothing);
    }
    let path = inside(raw, top)?;
    let shown = || String::from_utf8_lossy(raw);
    let target = || link.map(<[u8]>::to_vec).ok_or_else(|| format!("`{}` is a link without a target", shown()));
    match kind {
        tar::EntryType::Directory => Ok(Member::Nothing),
        _ if path.is_empty() => Err(format!("`{}` is not inside a top folder", shown())),
        tar::EntryType::Regular | tar::EntryType::Continuous => {
            Ok(Member::File { path, executable: mode & 0o100 != 0 })
        }
        tar::EntryType::Symlink => {
            let target = target()?;
            match stays_inside(&path, &target) {
                true => Ok(Member::Link { path, target }),
                false => Err(format!("link `{}` -> `{}` leaves the tree", shown(), String::from_utf8_lossy(&target))),
            }
        }
        tar::EntryType::Link => Ok(Member::Copy { path, earlier: inside(&target()?, top)? }),
        other => Err(format!("`{}` is neither file, folder nor link (type {other:?})", shown())),
    }
}

/// The path without its top folder; empty for the top folder itself.
fn inside(raw: &[u8], top: &mut Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let shown = || String::from_utf8_lossy(raw);
    if raw.starts_with(b"/") || raw.contains(&0) {
        return Err(format!("`{}` is not a relative path", shown()));
    }
    let mut parts = raw.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".");
    let Some(first) = parts.next() else { return Ok(Vec::new()) };
    let top = top.get_or_insert_with(|| first.to_vec());
    if top != first {
        let expected = String::from_utf8_lossy(top);
        return Err(format!("`{}` is outside the archive's top folder `{expected}`", shown()));
    }
    let rest: Vec<&[u8]> = parts.collect();
    let forbidden = |part: &&[u8]| *part == b".." || part.eq_ignore_ascii_case(b".git");
    if first == b".." || rest.iter().any(forbidden) {
        return Err(format!("`{}` escapes the tree or touches `.git`", shown()));
    }
    Ok(rest.join(&b'/'))
}

/// Whether a link at `path` points to a place in the tree, by its text alone.
fn stays_inside(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    let mut depth = path.iter().filter(|&&byte| byte == b'/').count();
    for part in target.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> Result<Member, String> {
        member(tar::EntryType::Regular, path.as_bytes(), None, 0o644, &mut Some(b"linux".to_vec()))
    }

    fn link(path: &str, target: &str) -> Result<Member, String> {
        let top = &mut Some(b"linux".to_vec());
        member(tar::EntryType::Symlink, path.as_bytes(), Some(target.as_bytes()), 0o777, top)
    }

    #[test]
    fn the_top_folder_is_taken_off() {
        let plain = Member::File { path: b"mm/hmm.c".to_vec(), executable: false };
        assert_eq!(file("linux/mm/hmm.c").unwrap(), plain);
        assert_eq!(file("./linux//mm/./hmm.c").unwrap(), plain);
        let mut top = None;
        let entry = member(tar::EntryType::Directory, b"linux-6.12/", None, 0o755, &mut top);
        assert_eq!(entry.unwrap(), Member::Nothing);
        assert_eq!(top.unwrap(), b"linux-6.12");
    }

    #[test]
    fn paths_that_escape_are_refused_by_name() {
        for bad in [
            "/etc/passwd",
            "../x",
            "linux/../x",
            "linux/a/../../x",
            "linux/.git/hooks/x",
            "linux/a/.GIT/x",
            "other/x",
            "linux",
        ] {
            let refusal = file(bad).unwrap_err();
            assert!(refusal.contains(bad), "{bad}: {refusal}");
        }
    }

    #[test]
    fn links_may_climb_within_the_tree_only() {
        assert!(link("linux/scripts/dtc/arm", "../../arch/arm/dts").is_ok());
        assert!(link("linux/a", "a/../b").is_ok());
        for bad in ["../../../x", "/etc", "", "x/../../../../y"] {
            assert!(link("linux/scripts/a", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn devices_are_refused() {
        let entry = member(tar::EntryType::Block, b"linux/sda", None, 0o644, &mut None);
        assert!(entry.unwrap_err().contains("neither file"));
    }

    #[test]
    fn packing_is_told_by_content() {
        assert_eq!(packing(b"\xfd7zXZ\0.."), Ok(Packing::Xz));
        assert_eq!(packing(b"\x1f\x8b\x08"), Ok(Packing::Gzip));
        let mut plain = [0; 262];
        plain[257..].copy_from_slice(b"ustar");
        assert_eq!(packing(&plain), Ok(Packing::Plain));
        assert!(packing(b"<html>").is_err());
    }
}
