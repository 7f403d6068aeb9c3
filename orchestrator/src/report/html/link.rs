//! Links of the page: only to files below the run folder and to the archive of posted mails.

use std::fmt::Write as _;

/// A link to a file of the run folder, as a relative URL; `None` for a path that leaves the folder or is none. A line
/// number behind the path (`build.log:812`) is left off.
pub fn file(path: &str) -> Option<String> {
    let path = match path.rsplit_once(':') {
        Some((path, line)) if !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()) => path,
        _ => path,
    };
    let inside = !path.is_empty()
        && !path.starts_with('/')
        && path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    inside.then(|| encode(path, "/"))
}

/// A link to the file that evidence is taken from, when it is one of the run: patches and sources lie elsewhere.
pub fn evidence(source: &str) -> Option<String> {
    file(source).filter(|_| source.starts_with("units/"))
}

/// The posted mail with this Message-ID.
pub fn mail(message_id: &str) -> String {
    format!("https://lore.kernel.org/r/{}", encode(message_id, "@"))
}

/// An address on the web that a source of `series/sources.yaml` gave; nothing with another scheme.
pub fn web(address: &str) -> Option<String> {
    let is_web = ["https://", "http://"].iter().any(|scheme| address.starts_with(scheme));
    (is_web && address.chars().all(|c| c.is_ascii_graphic() && !"\"'<>`".contains(c))).then(|| address.to_owned())
}

/// Everything but plain letters, digits and `keep` percent-encoded, colons too: nothing here can become a scheme.
fn encode(text: &str, keep: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "-._~".contains(c) || keep.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_stay_in_the_run_folder() {
        let table = [
            ("units/build/p2/build.log:812", Some("units/build/p2/build.log")),
            ("units/a b/x#y?z", Some("units/a%20b/x%23y%3Fz")),
            ("javascript:alert(1)", Some("javascript%3Aalert%281%29")),
            ("file.log:", Some("file.log%3A")),
            ("", None),
            (":12", None),
            ("/etc/passwd", None),
            ("//evil.example/x", None),
            ("a/../../x", None),
            ("./x", None),
        ];
        for (path, expected) in table {
            assert_eq!(file(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn evidence_from_elsewhere_has_no_link() {
        assert_eq!(evidence("units/a/build.log:3").as_deref(), Some("units/a/build.log"));
        assert_eq!(evidence("mm/migrate_device.c:91"), None);
        assert_eq!(evidence("series/v6/linux-6.12/0001.patch:20"), None);
        assert_eq!(evidence("units/../../x"), None);
    }

    #[test]
    fn mails_are_found_by_their_id() {
        assert_eq!(mail("2026.3354636-1-m@redhat.com"), "https://lore.kernel.org/r/2026.3354636-1-m@redhat.com");
        assert_eq!(mail("a/b\"><x@y"), "https://lore.kernel.org/r/a%2Fb%22%3E%3Cx@y");
    }

    #[test]
    fn only_addresses_of_the_web_become_links() {
        assert_eq!(web("https://lore.kernel.org/r/a@b").as_deref(), Some("https://lore.kernel.org/r/a@b"));
        for other in
            ["javascript:alert(1)", "file:///etc/passwd", "https://x/\"onclick=", "https://x/ y", "", "HTTPS://x"]
        {
            assert_eq!(web(other), None, "{other}");
        }
    }
}
