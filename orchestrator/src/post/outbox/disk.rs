//! Writing so that a power cut loses nothing that a later step relies on.

use std::io::Write;

use camino::Utf8Path;

/// Writes a new file and waits until the disk has it.
pub(super) fn write(path: &Utf8Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs_err::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Waits until the disk has the names in a folder.
pub(super) fn sync_folder(folder: &Utf8Path) -> std::io::Result<()> {
    fs_err::File::open(folder)?.sync_all()
}

/// Gives a file or folder its final name, for good.
pub(super) fn rename(from: &Utf8Path, to: &Utf8Path) -> std::io::Result<()> {
    fs_err::rename(from, to)?;
    sync_folder(to.parent().unwrap_or(Utf8Path::new(".")))
}
