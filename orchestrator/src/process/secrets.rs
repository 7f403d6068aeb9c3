//! Text that goes into logs, without what only its owner should know.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What stands in place of a secret.
const HIDDEN: &str = "***";

/// Logins in addresses; values after words that announce a secret; what is a token by its shape.
static SECRET: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)(?P<login>://)[^/@\s']+@",
        r#"|(?P<word>\b[\w-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|cookie)["']?\s*[=:]\s*["']?)[^\s"'&;,]+"#,
        r#"|(?P<scheme>\bauthorization["']?\s*[=:]\s*["']?(?:bearer|basic|token)?\s*)[^\s"'&;,]+"#,
        r"|(?P<bearer>\b(?:bearer|basic)\s+)[A-Za-z0-9+/_.=~-]{16,}",
        r"|\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})",
    ))
    .expect("the pattern is constant and valid")
});

/// `text` without names and passwords in addresses, values that are announced as secrets, and tokens.
pub fn without_secrets(text: &str) -> Cow<'_, str> {
    SECRET.replace_all(text, |found: &Captures<'_>| {
        let announced = ["word", "scheme", "bearer"].iter().find_map(|name| found.name(name));
        match (found.name("login"), announced) {
            (Some(login), _) => format!("{}{HIDDEN}@", login.as_str()),
            (None, Some(words)) => format!("{}{HIDDEN}", words.as_str()),
            (None, None) => HIDDEN.to_owned(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_nothing_else_is() {
        let token = format!("ghp_{}", "a1B2".repeat(9));
        let table = [
            ("git clone https://me:pw@host/x", "git clone https://***@host/x"),
            ("curl 'https://me@host/a'", "curl 'https://***@host/a'"),
            ("IPMI_PASSWORD=hunter2 ipmitool", "IPMI_PASSWORD=*** ipmitool"),
            ("--password='a b'", "--password='*** b'"),
            ("{\"token\": \"abc\"}", "{\"token\": \"***\"}"),
            ("?api_key=abc&x=1", "?api_key=***&x=1"),
            ("Authorization: Bearer abcdef", "Authorization: Bearer ***"),
            ("bearer abcdefghijklmnop0123", "bearer ***"),
            (token.as_str(), "***"),
            ("password_env: XE01_BMC", "password_env: XE01_BMC"),
            ("token_file=/etc/token", "token_file=/etc/token"),
            ("the token is missing", "the token is missing"),
            ("http://host/a@b", "http://host/a@b"),
            ("CC mm/secretmem.o", "CC mm/secretmem.o"),
        ];
        for (text, expected) in table {
            assert_eq!(without_secrets(text), expected);
        }
    }
}
