//! Where the orchestrator keeps what it knows of a box, and how it reads secrets.

use camino::{Utf8Path, Utf8PathBuf};

use crate::words::SecretPlace;

/// Folder of a box below the cache; made when missing.
///
/// # Errors
/// When the disk refuses; one sentence that names the folder.
pub(super) fn folder(cache: &Utf8Path, name: &str) -> Result<Utf8PathBuf, String> {
    let folder = cache.join("lab").join(name);
    fs_err::create_dir_all(&folder).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Writes a file whole or not at all.
///
/// # Errors
/// When the disk refuses; one sentence that names the file.
pub(super) fn write(path: &Utf8Path, bytes: &[u8]) -> Result<(), String> {
    let new = path.with_file_name(format!("{}.new", path.file_name().unwrap_or("file")));
    fs_err::write(&new, bytes).and_then(|()| fs_err::rename(&new, path)).map_err(|error| error.to_string())
}

/// A secret. It is never printed.
///
/// # Errors
/// One sentence that says where the secret was looked for.
pub(super) fn secret(place: &SecretPlace) -> Result<String, String> {
    let found = match (&place.env, &place.file) {
        (Some(name), _) => std::env::var(name).map_err(|_| format!("the variable {name} with the password is not set")),
        (None, Some(file)) => {
            let text = fs_err::read_to_string(home(file)).map_err(|error| error.to_string())?;
            Ok(text.lines().next().unwrap_or_default().to_owned())
        }
        (None, None) => Err("the machine file names no place of the password".to_owned()),
    }?;
    if found.is_empty() { Err("the password is empty".to_owned()) } else { Ok(found) }
}

/// A path whose `~/` is the home folder.
pub(super) fn home(path: &str) -> String {
    match (path.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) => format!("{home}/{rest}"),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_first_line_of_its_file_and_a_missing_one_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(dir.path()).unwrap().join("p");
        let place = SecretPlace { env: None, file: Some(file.to_string()) };
        assert!(secret(&place).unwrap_err().contains(file.as_str()));
        fs_err::write(&file, "word\nrest\n").unwrap();
        assert_eq!(secret(&place).unwrap(), "word");
        fs_err::write(&file, "").unwrap();
        assert!(secret(&place).unwrap_err().contains("empty"));
        let place = SecretPlace { env: Some("NO_SUCH_VARIABLE_HERE".into()), file: None };
        assert!(secret(&place).unwrap_err().contains("NO_SUCH_VARIABLE_HERE"));
    }
}
