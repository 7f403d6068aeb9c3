//! Secrets: read from the environment or a file at the last moment, never shown.

use camino::Utf8Path;

/// Largest file that can hold a token, in bytes.
const SIZE_LIMIT: u64 = 16 * 1024;

/// A secret. It is shown as `***` wherever it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// A token that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("no token for {place}: {what}")]
pub struct TokenError {
    /// The place.
    pub place: String,
    /// What is wrong and what to do.
    pub what: String,
}

impl Token {
    /// Takes a text for a token.
    ///
    /// # Errors
    /// When it cannot stand in a header: one line of visible ASCII.
    pub fn new(text: &str) -> Result<Token, String> {
        let text = text.trim();
        match text.is_empty() {
            true => Err("it is empty".to_owned()),
            false if !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Err("it is not one word of visible ASCII".to_owned())
            }
            false => Ok(Token(text.to_owned())),
        }
    }

    /// Reads the token of a place from the variable or the file that `series/places.yaml` names; `env` reads a variable.
    ///
    /// # Errors
    /// When it is not there or cannot be one.
    pub fn read(
        place: &str,
        variable: Option<&str>,
        file: Option<&Utf8Path>,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Token, TokenError> {
        let fail = |what: String| TokenError { place: place.to_owned(), what };
        match (variable, file) {
            (Some(name), None) => {
                let text = env(name).ok_or_else(|| fail(format!("set the environment variable {name}")))?;
                Token::new(&text).map_err(|why| fail(format!("the environment variable {name} cannot be one: {why}")))
            }
            (None, Some(path)) => {
                let unreadable = |error: std::io::Error| fail(format!("{path} cannot be read: {error}"));
                if std::fs::metadata(path).map_err(unreadable)?.len() > SIZE_LIMIT {
                    return Err(fail(format!("{path} is too large to be one")));
                }
                let text = std::fs::read_to_string(path).map_err(unreadable)?;
                Token::new(&text).map_err(|why| fail(format!("{path} cannot hold one: {why}")))
            }
            (Some(_), Some(_)) | (None, None) => {
                Err(fail("name exactly one of token_env, token_file in series/places.yaml".to_owned()))
            }
        }
    }

    /// The secret itself, for a header.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_from_one_place_and_is_never_shown() {
        let env = |name: &str| (name == "T").then(|| " secret\n".to_owned());
        let token = Token::read("x", Some("T"), None, env).unwrap();
        assert_eq!((token.reveal(), format!("{token:?}").as_str()), ("secret", "Token(***)"));
        let folder = tempfile::tempdir().unwrap();
        let file = Utf8Path::from_path(folder.path()).unwrap().join("token");
        std::fs::write(&file, "from-file\n").unwrap();
        assert_eq!(Token::read("x", None, Some(&file), env).unwrap().reveal(), "from-file");
        std::fs::write(&file, "two words\n").unwrap();
        for (variable, file) in [(Some("U"), None), (None, Some(&file)), (None, None), (Some("T"), Some(&file))] {
            let error = Token::read("x", variable, file.map(|file| file.as_path()), env).unwrap_err().to_string();
            assert!(error.starts_with("no token for x: ") && !error.contains("two words"), "{error}");
        }
    }
}
