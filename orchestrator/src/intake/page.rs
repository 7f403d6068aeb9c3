//! Telling what came in place of mails.

use std::sync::LazyLock;

use regex::Regex;

/// Bytes at the beginning that are looked at.
const HEAD: usize = 64 * 1024;

/// Words of pages that want to see a browser, in lower case.
const CHALLENGES: [&str; 9] = [
    "anubis",
    "not a bot",
    "not a robot",
    "are a robot",
    "just a moment",
    "captcha",
    "challenge",
    "checking your browser",
    "enable javascript",
];

static TITLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?is)<title[^>]*>\s*(.*?)\s*</title").expect("constant"));

/// What stands in a body that is no mails: one sentence, without control characters.
pub(super) fn explain(bytes: &[u8], address: &str) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(HEAD)]);
    let lower = text.to_ascii_lowercase();
    if text.trim().is_empty() {
        return "it answered with nothing".to_owned();
    }
    let is_page = ["<html", "<!doctype html", "<head", "<body", "<script"].iter().any(|tag| lower.contains(tag));
    if !is_page {
        return format!("it answered with something that is no mails, which begins with `{}`", excerpt(&text));
    }
    let title = TITLE.captures(&text).map(|found| format!(" (\"{}\")", excerpt(&found[1]))).unwrap_or_default();
    if CHALLENGES.iter().any(|word| lower.contains(word)) {
        format!(
            "it answered with a page that checks for bots{title} in place of mails; open {address} in a browser, save \
             it, unpack it and pass that file, or add another source to series/sources.yaml"
        )
    } else {
        format!("it answered with a web page{title} in place of mails; look at {address} in a browser")
    }
}

/// The first words on one line, control characters escaped.
pub(super) fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let escaped = line.chars().take(60).collect::<String>().escape_debug().to_string();
    escaped.replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_told_apart() {
        let explained = |text: &str| explain(text.as_bytes(), "https://x/y");
        insta::assert_snapshot!(explained("<!doctype html><title>Making sure you&#39;re not a bot!</title><script>anubis"), @r#"it answered with a page that checks for bots ("Making sure you&#39;re not a bot!") in place of mails; open https://x/y in a browser, save it, unpack it and pass that file, or add another source to series/sources.yaml"#);
        insta::assert_snapshot!(explained("<html><head><title>\n 502 Bad\n Gateway</title>"), @r#"it answered with a web page ("502 Bad Gateway") in place of mails; look at https://x/y in a browser"#);
        insta::assert_snapshot!(explained("<html><body>x"), @r"it answered with a web page in place of mails; look at https://x/y in a browser");
        insta::assert_snapshot!(explained("Service\x1b[31m gone\n"), @r"it answered with something that is no mails, which begins with `Service\u{1b}[31m gone`");
        insta::assert_snapshot!(explained(" \n"), @r"it answered with nothing");
        insta::assert_snapshot!(explain(b"\xff\xfe\0", "https://x/y"), @r"it answered with something that is no mails, which begins with `��\0`");
    }
}
