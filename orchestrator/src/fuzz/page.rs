//! Pages for browsers.

/// Elements of our pages.
const ELEMENTS: &str = "a article b body br circle code dd details div dl dt em fieldset figcaption figure footer form g h1 h2 \
     h3 h4 head header html input label legend li line link main meta nav ol p polygon polyline path pre rect section small \
     span strong style summary svg table tbody td text th thead title tr tspan ul";

/// Attributes of our elements beside `data-` and `aria-`.
const ATTRIBUTES: &str = "charset class colspan content cx cy dy fill for height href http-equiv id lang name open points r rel role \
     rowspan scope style tabindex text-anchor title type value viewbox width x x1 x2 y y1 y2 d checked transform";

/// Panics when a page has an element, an attribute or an address that none of our templates writes: somebody's text has
/// become markup.
pub(super) fn assert_plain(page: &str) {
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("!doctype html>").or_else(|| rest.strip_prefix("!DOCTYPE html>")) {
            rest = after;
            continue;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '/').unwrap_or(rest.len());
        let name = &rest[..end];
        assert!(has(ELEMENTS, name.trim_matches('/')), "an element <{name}: {}", around(rest));
        rest = attributes(&rest[end..]);
    }
}

/// Reads attributes up to the end of the tag; what is behind it.
fn attributes(mut rest: &str) -> &str {
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>").or_else(|| rest.strip_prefix('>')) {
            return after;
        }
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').expect("a tag ends");
        let name = rest[..end].to_ascii_lowercase();
        let ours = has(ATTRIBUTES, &name) || name.starts_with("data-") || name.starts_with("aria-");
        assert!(ours, "an attribute {name:?}: {}", around(rest));
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix("=\"") else { continue };
        let (value, after) = value.split_once('"').expect("a value ends");
        if name == "href" {
            let (scheme, _) = value.split_once(':').unwrap_or(("", ""));
            assert!(scheme.is_empty() || ["http", "https"].contains(&scheme), "a link to {value:?}");
        }
        rest = after;
    }
}

fn has(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|known| known == word)
}

fn around(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{fixtures, html};

    #[test]
    fn our_pages_are_plain_and_markup_of_others_is_found() {
        for (_, report) in fixtures::all() {
            assert_plain(&html(&report));
        }
        for bad in [
            "<p>x<script>alert(1)</script></p>",
            "<img src=x onerror=alert(1)>",
            "<p onclick=\"x\">",
            "<a href=\"javascript:alert(1)\">",
            "<p class=\"x\"onload=\"y\">",
        ] {
            assert!(std::panic::catch_unwind(|| assert_plain(bad)).is_err(), "{bad}");
        }
    }
}
