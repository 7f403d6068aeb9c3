//! The token of a user of LAVA's, read at the last moment.

use crate::words::SecretPlace;

/// Reads it.
///
/// # Errors
/// One sentence that says where it was looked for, never what was found.
pub(super) fn read(place: &SecretPlace) -> Result<String, String> {
    let text = match (&place.env, &place.file) {
        (Some(name), None) => std::env::var(name).map_err(|_| format!("set the environment variable {name}"))?,
        (None, Some(file)) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        (Some(_), Some(_)) | (None, None) => return Err("give exactly one of `env` and `file`".to_owned()),
    };
    let text = text.trim();
    let good = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if good { Ok(text.to_owned()) } else { Err("it is not one word of visible ASCII".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_first_line_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token").to_str().unwrap().to_owned();
        let place = SecretPlace { env: None, file: Some(file.clone()) };
        assert!(read(&place).unwrap_err().contains(&file));
        std::fs::write(&file, "secret \nmore\n").unwrap();
        assert_eq!(read(&place).unwrap(), "secret");
        std::fs::write(&file, "two words\n").unwrap();
        assert!(!read(&place).unwrap_err().contains("words\n"));
        let unset = SecretPlace { env: Some("NO_SUCH_VARIABLE_HERE".into()), file: None };
        assert!(read(&unset).unwrap_err().contains("NO_SUCH_VARIABLE_HERE"));
        assert!(read(&SecretPlace::default()).unwrap_err().contains("exactly one"));
    }
}
