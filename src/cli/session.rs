//! What a client command has at hand: the API, the writer, the reader, the time.

use super::api::{Api, Page, Query, Reply};
use super::args::{Connect, Format, Paging};
use super::out::Out;
use super::row::Row;
use super::table::{self, Column};
use crate::secret::Secret;
use anyhow::{Context as _, bail};
use hooklog_schemas::Timestamp;
use std::io::{self, BufRead, Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

/// What came out. It becomes the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Done, or yes: 0.
    Yes,
    /// The answer is no: 1.
    No,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::FAILURE,
        }
    }
}

/// The command line asks for something that it must ask for differently: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// A change that leaves everything as it is.
    pub(crate) fn nothing_to_change() -> Self {
        Self("say what to change; --help lists what can be changed".to_owned())
    }
}

/// One run of a client command.
pub(crate) struct Session<'a> {
    /// The server.
    pub(crate) api: Api,
    /// Where the answer goes.
    pub(crate) out: Out<'a>,
    /// Where a person answers questions.
    pub(crate) input: Box<dyn BufRead>,
    /// Whether there is a person.
    pub(crate) interactive: bool,
    /// How the answer is shown.
    pub(crate) format: Format,
    /// When it started.
    pub(crate) now: Timestamp,
}

impl Session<'_> {
    /// Whether a script reads the answer.
    pub(crate) fn json(&self) -> bool {
        self.format == Format::Json
    }

    /// Shows an object: as it came, or as `tell` tells it.
    pub(crate) fn show(
        &mut self,
        reply: &Reply,
        tell: impl FnOnce(&mut Out<'_>, Row<'_>, Timestamp) -> io::Result<()>,
    ) -> anyhow::Result<Answer> {
        if self.json() {
            self.out.line(reply.text.trim_end())?;
        } else {
            tell(&mut self.out, reply.row(), self.now)?;
        }
        Ok(Answer::Yes)
    }

    /// Asks for a list and shows it; `empty` says what to do when there is nothing.
    pub(crate) async fn list(
        &mut self,
        path: &[&str],
        mut query: Query,
        paging: &Paging,
        columns: &[Column],
        empty: &str,
    ) -> anyhow::Result<Answer> {
        query.extend(paging.as_of.query(self.now));
        query.extend(paging.cursor.clone().map(|cursor| ("cursor", cursor)));
        let page = self.api.list(path, &query, paging.limit).await?;
        self.show_page(&page, columns, empty)
    }

    /// Shows a page.
    pub(crate) fn show_page(
        &mut self,
        page: &Page,
        columns: &[Column],
        empty: &str,
    ) -> anyhow::Result<Answer> {
        if self.json() {
            self.out.line(serde_json::to_string(page)?)?;
            return Ok(Answer::Yes);
        }
        let values = page.values();
        if values.is_empty() {
            self.out.line(empty)?;
            return Ok(Answer::Yes);
        }
        let rows: Vec<_> = values.iter().map(Row).collect();
        table::write(&mut self.out, columns, &rows, self.now)?;
        if let Some(next) = &page.next {
            self.note(&format!(
                "there is more: repeat with --limit N, or with --cursor {next}"
            ));
        }
        Ok(Answer::Yes)
    }

    /// Tells a person something that is no part of the answer.
    pub(crate) fn note(&self, text: &str) {
        if !self.json() {
            // Standard error may be closed; a note is worth no failure.
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// The token: from the file, else from the environment.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn token(connect: &Connect) -> anyhow::Result<Option<Secret>> {
    let token = match &connect.token_file {
        Some(path) => Some(secret_file(path).context("the token cannot be read")?),
        None => std::env::var("HOOKLOG_TOKEN")
            .ok()
            .map(|text| Secret::new(text.into_bytes())),
    };
    Ok(token.filter(|token| !token.is_empty()))
}

/// A secret from a file, or from standard input when the path is `-`.
///
/// # Errors
/// When it cannot be read, or holds nothing.
pub(crate) fn secret_file(path: &Path) -> anyhow::Result<Secret> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .context("the secret cannot be read from standard input")?;
        bytes
    } else {
        std::fs::read(path)
            .with_context(|| format!("the secret file {} cannot be read", path.display()))?
    };
    let secret = Secret::from_file_bytes(bytes);
    if secret.is_empty() {
        bail!(
            "the secret file {} is empty; without a secret nothing is accepted or signed",
            path.display()
        );
    }
    Ok(secret)
}

/// A secret as the text that a request carries.
///
/// # Errors
/// When it is not UTF-8.
pub(crate) fn secret_text(path: &Path) -> anyhow::Result<String> {
    let secret = secret_file(path)?;
    let text = std::str::from_utf8(secret.expose());
    let text =
        text.with_context(|| format!("the secret in {} is not text (UTF-8)", path.display()))?;
    Ok(text.to_owned())
}
