//! The one writer of the command line: everything that is an answer goes through [`Out`].

use std::io::{self, IsTerminal as _, Write};

/// Where answers are written.
pub(crate) struct Out<'a> {
    sink: &'a mut dyn Write,
    colours: bool,
}

/// How good or bad a word is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it should be.
    Good,
    /// Under way, or to be looked at.
    Watch,
    /// Gone wrong.
    Bad,
    /// Of less interest.
    Faint,
    /// A heading.
    Strong,
    /// Nothing to say.
    Plain,
}

impl Tone {
    /// The tone of a state, an outcome or a verdict.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "delivered" | "active" | "ok" | "ready" | "owed" | "yes" => Self::Good,
            "open" | "retry" | "paused" | "warn" | "requeued" => Self::Watch,
            "dead" | "dead_lettered" | "fail" | "failed" | "no" => Self::Bad,
            "cancelled" | "skipped" | "–" | "already_open" | "already_delivered" => Self::Faint,
            _ => Self::Plain,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Watch => "33",
            Self::Bad => "31",
            Self::Faint => "2",
            Self::Strong => "1",
            Self::Plain => "0",
        }
    }
}

impl<'a> Out<'a> {
    /// Writes to `sink`, with colours or without.
    pub(crate) fn new(sink: &'a mut dyn Write, colours: bool) -> Self {
        Self { sink, colours }
    }

    /// Whether tones are shown.
    pub(crate) const fn colours(&self) -> bool {
        self.colours
    }

    /// Writes a line.
    ///
    /// # Errors
    /// When the reader has gone, or the disk is full.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.sink, "{}", text.as_ref())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// When the reader has gone, or the disk is full.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.write_all(bytes)
    }

    /// Hands everything to the reader.
    ///
    /// # Errors
    /// When the reader has gone, or the disk is full.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }

    /// `text` in its tone, where tones are shown.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        if !self.colours || tone == Tone::Plain {
            return text.to_owned();
        }
        format!("\u{1b}[{}m{text}\u{1b}[0m", tone.code())
    }
}

/// Whether colours belong on standard output: a terminal, and nobody asked for none.
pub(crate) fn wants_colours() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !refused && !dumb && io::stdout().is_terminal()
}

/// What came from outside, fit for a terminal: control characters could move the cursor or worse.
pub(crate) fn harmless(text: &str) -> String {
    let shown = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_show_only_where_colours_are_wanted() {
        let mut sink = Vec::new();
        assert_eq!(Out::new(&mut sink, false).paint(Tone::Bad, "dead"), "dead");
        let painted = Out::new(&mut sink, true).paint(Tone::Bad, "dead");
        assert_eq!(painted, "\u{1b}[31mdead\u{1b}[0m");
    }

    #[test]
    fn control_characters_of_others_never_reach_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
    }
}
