//! Putting into the cache what the program carries inside itself.

use std::io::Write;

use camino::Utf8Path;

/// Writes `content` to `path`, unless just that is there. What is there is compared, not trusted: it is executed.
///
/// # Errors
/// When the disk refuses; the error names the file.
pub(super) fn place(path: &Utf8Path, content: &[u8]) -> std::io::Result<()> {
    if std::fs::read(path).is_ok_and(|bytes| bytes == content) {
        return Ok(());
    }
    let named = |error: std::io::Error| std::io::Error::new(error.kind(), format!("{path}: {error}"));
    let folder = path.parent().unwrap_or(Utf8Path::new("."));
    fs_err::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder).map_err(named)?;
    new.write_all(content).map_err(named)?;
    new.persist(path).map_err(|error| named(error.error))?;
    Ok(())
}
