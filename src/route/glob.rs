//! One pattern of a filter, compiled to the cheapest test that decides it.

use globset::{GlobBuilder, GlobMatcher};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub(super) enum Pattern {
    /// Fits everything.
    Any,
    /// Fits this text alone.
    Exact(String),
    /// Fits what starts so.
    Prefix(String),
    /// Fits what ends so.
    Suffix(String),
    /// Needs the glob's automaton.
    Glob(Box<GlobMatcher>),
    /// Not a pattern: fits nothing. Only a log written around the checks has one.
    Never,
}

/// How a clause reads its patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// GitHub's names: upper and lower case are the same, `*` crosses `/`.
    Name,
    /// Logins: as names, but brackets stand for themselves, as in `dependabot[bot]`.
    Login,
    /// Git's branches: case counts, `*` stops at `/`, `**` does not.
    Branch,
}

impl Style {
    /// The text as this style compares it.
    pub(super) fn fold(self, text: &str) -> String {
        match self {
            Self::Name | Self::Login => text.to_lowercase(),
            Self::Branch => text.to_owned(),
        }
    }
}

impl Pattern {
    /// Compiles `text`; what is not a glob becomes [`Pattern::Never`].
    pub(super) fn compile(text: &str, style: Style) -> Self {
        let text = style.fold(text);
        if is_literal(&text, style) {
            return Self::Exact(text);
        }
        if text == "**" || (style != Style::Branch && text == "*") {
            return Self::Any;
        }
        if style != Style::Branch {
            let (head, tail) = (text.strip_suffix('*'), text.strip_prefix('*'));
            if let Some(head) = head.filter(|head| is_literal(head, style)) {
                return Self::Prefix(head.to_owned());
            }
            if let Some(tail) = tail.filter(|tail| is_literal(tail, style)) {
                return Self::Suffix(tail.to_owned());
            }
        }
        build(&text, style).map_or(Self::Never, |glob| Self::Glob(Box::new(glob)))
    }

    /// Whether `text`, folded by the style, fits.
    pub(super) fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(exact) => exact == text,
            Self::Prefix(head) => text.starts_with(head.as_str()),
            Self::Suffix(tail) => text.ends_with(tail.as_str()),
            Self::Glob(glob) => glob.is_match(text),
            Self::Never => false,
        }
    }
}

/// Checks that `text` is a glob.
///
/// # Errors
/// What the parser says.
pub(super) fn check(text: &str, style: Style) -> Result<(), globset::Error> {
    build(&style.fold(text), style).map(drop)
}

/// Whether no character of `text` means more than itself.
pub(super) fn is_literal(text: &str, style: Style) -> bool {
    let bracket = |c| matches!(c, '[' | ']') && style != Style::Login;
    !text.contains(|c| matches!(c, '*' | '?' | '{' | '}' | '\\' | '!') || bracket(c))
}

fn build(text: &str, style: Style) -> Result<GlobMatcher, globset::Error> {
    let escaped = match style {
        Style::Login => text.replace('[', "\\[").replace(']', "\\]"),
        Style::Name | Style::Branch => text.to_owned(),
    };
    GlobBuilder::new(&escaped)
        .literal_separator(style == Style::Branch)
        .backslash_escape(true)
        .build()
        .map(|glob| glob.compile_matcher())
}
