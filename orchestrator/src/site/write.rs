//! Putting the pages in place.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

/// Name of the folder.
const NAME: &str = "site";

/// Writes the pages to `results/site/`: into a new folder first, which then takes the place of the old one. Who looks
/// in between sees the old pages, or for a moment none, and never half of the new ones. Gives the folder.
///
/// # Errors
/// When something cannot be written.
pub fn write(results: &Utf8Path, pages: &BTreeMap<String, String>) -> std::io::Result<Utf8PathBuf> {
    let place = results.join(NAME);
    fs_err::create_dir_all(results)?;
    // What a crash left: nobody else writes here, as the caller has the lock of the nightly runs or works alone.
    let made = tempfile::Builder::new().prefix(".site-").tempdir_in(results)?;
    let new = Utf8Path::from_path(made.path()).ok_or_else(|| std::io::Error::other("the path is not UTF-8"))?;
    for (path, text) in pages {
        let file = new.join(path);
        if let Some(folder) = file.parent() {
            fs_err::create_dir_all(folder)?;
        }
        fs_err::write(&file, text)?;
    }
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(new, mode)?;
    let old = tempfile::Builder::new().prefix(".site-old-").tempdir_in(results)?;
    let old_place = old.path().join(NAME);
    match fs_err::rename(&place, &old_place) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    if let Err(error) = fs_err::rename(new, &place) {
        // The old pages are better than none.
        let _ = fs_err::rename(&old_place, &place);
        return Err(error);
    }
    // It has another name now.
    let _ = made.keep();
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_pages_take_the_place_of_all_old_ones() {
        let folder = tempfile::tempdir().unwrap();
        let results = Utf8Path::from_path(folder.path()).unwrap().join("results");
        let pages = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect();
        write(&results, &pages(&["index.html", "series/a.html"])).unwrap();
        let place = write(&results, &pages(&["index.html", "series/b.html"])).unwrap();
        assert_eq!(fs_err::read_to_string(place.join("series/b.html")).unwrap(), "series/b.html");
        assert!(!place.join("series/a.html").exists());
        let left: Vec<_> =
            results.read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned()).collect();
        assert_eq!(left, ["site"], "nothing else is left");
    }
}
