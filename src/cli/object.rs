//! What sources and subscriptions have in common: both are paused, resumed and deleted, and have secrets.

use super::args::Because;
use super::session::{Answer, Session};
use super::table::Column;
use clap::Args;

/// An object that is only named.
#[derive(Args, Debug)]
pub(crate) struct Named {
    /// Its name
    pub(super) name: String,
    #[command(flatten)]
    pub(super) because: Because,
}

/// An object to delete.
#[derive(Args, Debug)]
pub(crate) struct Doomed {
    #[command(flatten)]
    pub(super) named: Named,
    /// Do not ask, on a terminal
    #[arg(long, short)]
    pub(super) yes: bool,
}

/// The columns of secrets.
pub(super) const SECRETS: [Column; 4] = [
    ("SECRET", |row, _| row.text("id")),
    ("CREATED", |row, now| row.ago("created_at", now)),
    ("VALID UNTIL", |row, now| row.ago("valid_until", now)),
    ("ORGANISATIONS", |row, _| {
        row.maybe("organization_ids")
            .unwrap_or_else(|| "any".to_owned())
    }),
];

/// Pauses or resumes: `path` ends with the verb, `done` says what it means.
pub(super) async fn switch(
    args: &Named,
    path: &[&str],
    done: &str,
    session: &mut Session<'_>,
) -> anyhow::Result<Answer> {
    let reply = session.api.post(path, &args.because.body()).await?;
    session.show(&reply, |out, _, _| {
        out.line(format!("{} {done}", args.name))
    })
}
