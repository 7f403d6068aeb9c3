//! Whether and how text is coloured.

use std::fmt::Display;

use owo_colors::Style;

/// When to colour output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR, CLICOLOR=0 or TERM=dumb say otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorChoice {
    /// The styles for standard output.
    pub fn stdout(self) -> Styles {
        self.styles(|| anstream::AutoStream::choice(&std::io::stdout()))
    }

    /// The styles for standard error.
    pub fn stderr(self) -> Styles {
        self.styles(|| anstream::AutoStream::choice(&std::io::stderr()))
    }

    fn styles(self, stream: impl FnOnce() -> anstream::ColorChoice) -> Styles {
        let colored = match self {
            ColorChoice::Auto => stream() != anstream::ColorChoice::Never,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
        };
        if colored { Styles::colored() } else { Styles::plain() }
    }
}

/// What colours mean. Nothing is told by colour alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Styles {
    good: Style,
    bad: Style,
    warn: Style,
    dim: Style,
    strong: Style,
    code: Style,
}

impl Styles {
    /// No escape sequences at all.
    pub fn plain() -> Styles {
        Styles::default()
    }

    /// The sixteen colours every terminal has, so that its own theme decides.
    pub fn colored() -> Styles {
        Styles {
            good: Style::new().green(),
            bad: Style::new().red().bold(),
            warn: Style::new().yellow(),
            dim: Style::new().dimmed(),
            strong: Style::new().bold(),
            code: Style::new().cyan(),
        }
    }

    /// Something that went well.
    pub fn good(&self, text: impl Display) -> String {
        self.good.style(text).to_string()
    }

    /// Something that speaks against the series.
    pub fn bad(&self, text: impl Display) -> String {
        self.bad.style(text).to_string()
    }

    /// Something to look at: infrastructure, not covered, flaky.
    pub fn warn(&self, text: impl Display) -> String {
        self.warn.style(text).to_string()
    }

    /// Something of less weight.
    pub fn dim(&self, text: impl Display) -> String {
        self.dim.style(text).to_string()
    }

    /// A title.
    pub fn strong(&self, text: impl Display) -> String {
        self.strong.style(text).to_string()
    }

    /// A command or path to copy.
    pub fn code(&self, text: impl Display) -> String {
        self.code.style(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_follows_the_stream_and_the_others_do_not() {
        let table = [
            (ColorChoice::Auto, anstream::ColorChoice::Always, true),
            (ColorChoice::Auto, anstream::ColorChoice::Never, false),
            (ColorChoice::Always, anstream::ColorChoice::Never, true),
            (ColorChoice::Never, anstream::ColorChoice::Always, false),
        ];
        for (choice, stream, colored) in table {
            let text = choice.styles(|| stream).bad("x");
            assert_eq!(text.contains('\u{1b}'), colored, "{choice:?} {stream:?}");
        }
    }

    #[test]
    fn plain_styles_leave_text_alone() {
        let plain = Styles::plain();
        for text in
            [plain.good("x"), plain.bad("x"), plain.warn("x"), plain.dim("x"), plain.strong("x"), plain.code("x")]
        {
            assert_eq!(text, "x");
        }
    }
}
