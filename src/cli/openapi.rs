//! `hooklog openapi`: the API's own description.

use super::session::{Answer, Session};
use crate::api;
use clap::Args;

/// `hooklog openapi`: whose.
#[derive(Args, Debug)]
pub(crate) struct OpenapiArgs {
    /// Print the description of this release, and ask no server
    #[arg(long)]
    offline: bool,
}

pub(super) async fn run(args: OpenapiArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let text = if args.offline {
        api::description()
    } else {
        session.api.get(&["openapi.json"], &Vec::new()).await?.text
    };
    session.out.line(text.trim_end())?;
    Ok(Answer::Yes)
}
