//! `hooklog rebuild`: the tables, folded from the log anew, beside the ones that answer.

mod told;
mod watched;

pub(super) use told::tell;
pub(super) use watched::{Bar, here as run_here, watch};

use super::args::Connect;
use super::out::Out;
use super::place::Place;
use super::session::{Answer, Session};
use crate::app::offline;
use crate::project::Order;
use clap::Args;
use serde_json::json;

/// `hooklog rebuild`: what, and where.
#[derive(Args, Debug)]
pub(crate) struct RebuildArgs {
    /// The projections, by name; those that they read are rebuilt too [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Begin anew instead of going on where an earlier run was stopped
    #[arg(long)]
    restart: bool,
    /// Do not compare the new tables with the old ones
    #[arg(long)]
    no_compare: bool,
    /// Do not wait until the server has done it
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    pub(super) connect: Connect,
}

pub(super) const EXAMPLES: &str = "\
New tables are filled beside the ones that answer queries, compared with them, and switched to;
what they replace is kept until `hooklog projection drop`. A run that is stopped (Ctrl-C) or killed
is gone on with by the next one.

With --data or --config this process does it. A log in a data folder belongs to one process, so its
server must be stopped for that, or do it itself: with --server, or with none of the three, the
server is asked, and goes on with everything else meanwhile.

Examples:
  hooklog rebuild                              # the server does it, this shows how far it is
  hooklog rebuild counts --detach
  hooklog rebuild team_days                    # a projection of your own
  hooklog rebuild --data /var/lib/hooklog      # while no server runs
  hooklog rebuild --config hooklog.toml        # beside servers, with a log on Kafka";

pub(super) fn here(args: &RebuildArgs, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let config = args.place.configuration()?;
    let order = Order {
        names: args.names.clone(),
        restart: args.restart,
        unseen: args.no_compare,
        ..Order::default()
    };
    let rebuilt = run_here(&order, async |bar: &Bar| {
        offline::rebuild(&config, &order, |progress| bar.draw(progress)).await
    })?;
    tell(out, &rebuilt, args.connect.output)
}

pub(super) async fn there(args: &RebuildArgs, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let body = json!({"names": args.names, "restart": args.restart, "no_compare": args.no_compare});
    session.api.post(&["projections", "rebuild"], &body).await?;
    if is_own(args, session).await? {
        session.note(
            "the server builds new tables beside; `hooklog projection list` shows how far it is",
        );
        return Ok(Answer::Yes);
    }
    watch(session, args.detach).await
}

/// Whether the names are those of projections of the operator's own, each of which is built by itself.
async fn is_own(args: &RebuildArgs, session: &mut Session<'_>) -> anyhow::Result<bool> {
    let Some(name) = args.names.first() else {
        return Ok(false);
    };
    let reply = session.api.get(&["projections"], &Vec::new()).await?;
    let own = reply.row().rows("own");
    Ok(own.iter().any(|row| row.text("name") == *name))
}

#[cfg(test)]
mod tests;
