//! What a night has to say to a person.

use serde::Serialize;

use crate::term::text::visible;

/// How a line weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// All is well.
    Note,
    /// A series has problems.
    Findings,
    /// A person should look: there is no verdict, or something of the nightly run itself is wrong.
    Trouble,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryLine {
    /// How it weighs.
    pub weight: Weight,
    /// One sentence.
    pub text: String,
}

/// Everything one night has to say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Name of the night.
    pub night: String,
    /// Lines, in the order in which things happened.
    pub lines: Vec<SummaryLine>,
}

impl Summary {
    /// Adds a line.
    pub fn say(&mut self, weight: Weight, text: impl Into<String>) {
        self.lines.push(SummaryLine { weight, text: text.into() });
    }

    /// The heaviest line.
    pub fn weight(&self) -> Weight {
        self.lines.iter().map(|line| line.weight).max().unwrap_or(Weight::Note)
    }

    /// The text for a terminal, a log or a mail of cron. `quiet` leaves out what is well, and all when all is.
    pub fn text(&self, quiet: bool) -> String {
        let shown = |line: &&SummaryLine| !quiet || line.weight > Weight::Note;
        let mut text = String::new();
        for line in self.lines.iter().filter(shown) {
            let mark = match line.weight {
                Weight::Note => "  ",
                Weight::Findings => "* ",
                Weight::Trouble => "! ",
            };
            text.push_str(&format!("{mark}{}\n", visible(&line.text)));
        }
        if text.is_empty() { text } else { format!("Night of {}\n{text}", self.night) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_is_silent_when_all_is_well() {
        let mut summary = Summary { night: "2026-01-31".into(), lines: Vec::new() };
        summary.say(Weight::Note, "v6 on linux-6.12: clean");
        assert_eq!(summary.text(true), "");
        assert_eq!(summary.text(false), "Night of 2026-01-31\n  v6 on linux-6.12: clean\n");
        summary.say(Weight::Trouble, "tree x\u{1b}[1m is gone");
        assert_eq!(summary.weight(), Weight::Trouble);
        assert!(!summary.text(true).contains("clean") && !summary.text(true).contains('\u{1b}'));
    }
}
