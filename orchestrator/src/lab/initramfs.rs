//! Writing an initramfs: an uncompressed cpio archive in the `newc` format.

use std::collections::BTreeSet;

/// Type bits of a mode.
const DIRECTORY: u32 = 0o040_000;
const CHARACTER: u32 = 0o020_000;
const REGULAR: u32 = 0o100_000;

/// Name of the entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// An archive in the making. The same calls give the same bytes.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    inodes: u32,
    directories: BTreeSet<String>,
}

/// The numbers of one entry.
struct Header {
    mode: u32,
    links: u32,
    device: (u32, u32),
}

impl Archive {
    /// An empty archive.
    pub fn new() -> Self {
        Archive::default()
    }

    /// Adds a folder and those above it. `path` is absolute.
    pub fn directory(&mut self, path: &str) {
        let path = path.trim_matches('/');
        if path.is_empty() || !self.directories.insert(path.to_owned()) {
            return;
        }
        self.parents(path);
        self.entry(path, &Header { mode: DIRECTORY | 0o755, links: 2, device: (0, 0) }, &[]);
    }

    /// Adds a file with these permission bits.
    pub fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entry(path, &Header { mode: REGULAR | permissions, links: 1, device: (0, 0) }, content);
    }

    /// Adds a character device.
    pub fn character_device(&mut self, path: &str, major: u32, minor: u32) {
        let path = path.trim_matches('/');
        self.parents(path);
        self.entry(path, &Header { mode: CHARACTER | 0o600, links: 1, device: (major, minor) }, &[]);
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry(TRAILER, &Header { mode: 0, links: 1, device: (0, 0) }, &[]);
        self.bytes
    }

    fn parents(&mut self, path: &str) {
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.directory(parent);
        }
    }

    fn entry(&mut self, path: &str, header: &Header, content: &[u8]) {
        self.inodes += 1;
        let size = u32::try_from(content.len()).expect("a file of an initramfs is smaller than 4 GiB");
        let (major, minor) = header.device;
        let name_size = path.len() as u32 + 1;
        // inode, mode, owner, group, links, time, size, device of the file system (2), own device (2), name, checksum
        let fields = [self.inodes, header.mode, 0, 0, header.links, 0, size, 0, 0, major, minor, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08X}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, mode, device and content.
    type Entry = (String, u32, (u32, u32), Vec<u8>);

    /// Every entry, read back.
    fn parse(archive: &[u8]) -> Vec<Entry> {
        let mut entries = Vec::new();
        let mut at = 0;
        loop {
            assert_eq!(&archive[at..at + 6], b"070701");
            let field = |n: usize| {
                let start = at + 6 + n * 8;
                let digits = std::str::from_utf8(&archive[start..start + 8]).unwrap();
                u32::from_str_radix(digits, 16).unwrap()
            };
            let (size, name_size) = (field(6) as usize, field(11) as usize);
            let name = String::from_utf8(archive[at + 110..at + 110 + name_size - 1].to_vec()).unwrap();
            let data = (at + 110 + name_size).next_multiple_of(4);
            let content = archive[data..data + size].to_vec();
            let next = (data + size).next_multiple_of(4);
            if name == TRAILER {
                assert_eq!(next, archive.len());
                return entries;
            }
            entries.push((name, field(1), (field(9), field(10)), content));
            at = next;
        }
    }

    #[test]
    fn what_was_added_is_read_back_with_its_folders_first_and_once() {
        let mut archive = Archive::new();
        archive.file("/init", 0o755, b"elf");
        archive.character_device("/dev/console", 5, 1);
        archive.file("/a/b/c", 0o644, b"12345");
        archive.file("/a/b/empty", 0o644, b"");
        archive.directory("/a");
        let got = parse(&archive.finish());
        let expected = [
            ("init", 0o100_755, (0, 0), &b"elf"[..]),
            ("dev", 0o040_755, (0, 0), b""),
            ("dev/console", 0o020_600, (5, 1), b""),
            ("a", 0o040_755, (0, 0), b""),
            ("a/b", 0o040_755, (0, 0), b""),
            ("a/b/c", 0o100_644, (0, 0), b"12345"),
            ("a/b/empty", 0o100_644, (0, 0), b""),
        ];
        let expected = expected.map(|(name, mode, device, content)| (name.to_owned(), mode, device, content.to_vec()));
        assert_eq!(got, expected);
    }

    #[test]
    fn the_same_calls_give_the_same_bytes() {
        let make = || {
            let mut archive = Archive::new();
            archive.file("/x/y", 0o644, b"z");
            archive.finish()
        };
        assert_eq!(make(), make());
    }
}
