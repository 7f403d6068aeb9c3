//! Passwords: from an environment variable or a file, never from a configuration.

use camino::Utf8Path;

/// Longest secret read, in bytes.
const MAX: u64 = 4096;

/// A secret. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(pub(super) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// Reads a secret from an environment variable.
pub(super) fn from_variable(name: &str) -> Result<Secret, String> {
    match std::env::var(name) {
        Ok(value) if !value.is_empty() => Ok(Secret(value)),
        Ok(_) | Err(_) => Err(format!("the environment variable {name} with the password is not set")),
    }
}

/// Reads a secret from a file that nobody else may read. A line break at its end is no part of it.
pub(super) fn from_file(path: &Utf8Path) -> Result<Secret, String> {
    use std::os::unix::fs::PermissionsExt;
    let data = fs_err::metadata(path).map_err(|error| error.to_string())?;
    let mode = data.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("{path}: others may read this password (mode {:o}); chmod 600 {path}", mode & 0o777));
    }
    if !data.is_file() || data.len() > MAX {
        return Err(format!("{path}: a file with a password has {MAX} bytes at most"));
    }
    let text = fs_err::read_to_string(path).map_err(|error| error.to_string())?;
    match text.trim_end_matches(['\n', '\r']) {
        "" => Err(format!("{path}: there is no password in it")),
        secret => Ok(Secret(secret.to_owned())),
    }
}
