//! Explanations as a terminal shows them.

use super::{Explanation, Weight};
use crate::term::text::{visible, wrap};

/// Columns before the text.
const INDENT: usize = 9;

/// The explanations as text, wrapped to `width` columns; what came from logs is harmless.
pub fn show(explanations: &[Explanation], width: usize) -> String {
    let room = width.saturating_sub(INDENT).max(30);
    let mut text = String::new();
    for one in explanations {
        let mark = match one.weight {
            Weight::Good => "ok",
            Weight::Waits => "waits",
            Weight::Trouble => "TROUBLE",
        };
        let mut add = |mark: &str, lead: &str, words: &str| {
            let inner = room.saturating_sub(lead.len());
            for (index, line) in wrap(&visible(words), inner).iter().enumerate() {
                let mark = if index == 0 { mark } else { "" };
                let lead = if index == 0 { lead.to_owned() } else { " ".repeat(lead.len()) };
                text.push_str(format!("{mark:<INDENT$}{lead}{line}").trim_end());
                text.push('\n');
            }
        };
        add(mark, "", &format!("{}: {}", one.about, one.what));
        one.because.iter().for_each(|reason| add("", "- ", reason));
        one.ends.iter().for_each(|how| add("", "- ", how));
        one.remedy.iter().for_each(|remedy| add("", "-> ", remedy));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_below_their_beginning_and_harmless() {
        let one = Explanation {
            weight: Weight::Trouble,
            about: "boot/t/base/hmm".into(),
            what: "qemu is stopped".into(),
            because: vec!["last line: \u{1b}[2J and much more that does not fit".into()],
            ends: Some("the deadline ends it".into()),
            remedy: Some("kill -CONT 7".into()),
        };
        let expected = "TROUBLE  boot/t/base/hmm: qemu is stopped\n         - last line: ^[[2J and much more\n           that \
                        does not fit\n         - the deadline ends it\n         -> kill -CONT 7\n";
        assert_eq!(show(&[one], 42), expected);
    }
}
