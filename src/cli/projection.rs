//! `hooklog projection`: the sets of tables, and the tables themselves in a form to compare.

mod own;

use super::args::{Connect, Format, Shown};
use super::out::Out;
use super::place::Place;
use super::rebuild;
use super::row::Row;
use super::run::{client, local};
use super::session::{Answer, Session};
use super::table::{self, Column};
use crate::app::offline;
use crate::clock::{self, Clock as _};
use crate::config::Config;
use crate::project::Order;
use crate::project::told::Tables;
use anyhow::bail;
use clap::{Args, Subcommand};
use hooklog_schemas::Timestamp;
use serde_json::{Value, json};
use std::process::ExitCode;

/// What to do with the tables.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectionCommand {
    /// List the sets of tables: the live one, what is being built, what was replaced and is kept; and the
    /// projections of your own
    List(At),
    /// Switch back to tables that were replaced, once they are where the live ones are
    Switch(Switch),
    /// Drop a set that is kept, or a build that was given up; of a projection of your own: NAME.v1
    Drop(Drop),
    /// Try the folder of a projection of your own, without touching any tables of a server
    Check(own::Check),
    /// Stop the rebuild that the server is at; the next one goes on from there
    Stop(Stop),
    /// Write all rows in a canonical form: the same rows give the same text on every store
    Dump(Place),
    /// Print SHA-256 of that dump, to compare tables of two folders or before and after a rebuild
    Hash(Hash),
}

/// Where the tables are.
#[derive(Args, Debug)]
pub(crate) struct At {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    connect: Connect,
}

/// `projection switch`.
#[derive(Args, Debug)]
pub(crate) struct Switch {
    /// The set that is kept
    #[arg(value_name = "SET", required_unless_present = "back")]
    set: Option<String>,
    /// The set that was replaced last
    #[arg(long, conflicts_with = "set")]
    back: bool,
    /// Do not wait until the server has done it
    #[arg(long)]
    detach: bool,
    #[command(flatten)]
    at: At,
}

/// `projection drop`.
#[derive(Args, Debug)]
pub(crate) struct Drop {
    /// The set
    #[arg(value_name = "SET")]
    set: String,
    #[command(flatten)]
    at: At,
}

/// `projection stop`.
#[derive(Args, Debug)]
pub(crate) struct Stop {
    #[command(flatten)]
    connect: Connect,
}

/// `projection hash`.
#[derive(Args, Debug)]
pub(crate) struct Hash {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    shown: Shown,
}

/// A group of commands about tables.
#[derive(Args, Debug)]
pub(crate) struct ProjectionArgs {
    #[command(subcommand)]
    command: ProjectionCommand,
}

pub(super) fn run(args: ProjectionArgs) -> anyhow::Result<ExitCode> {
    match args.command {
        ProjectionCommand::List(at) => match at.place.is_here(&at.connect) {
            true => local(|out| list_here(&at, out)),
            false => client(at.connect, list),
        },
        ProjectionCommand::Switch(args) => match args.at.place.is_here(&args.at.connect) {
            true => local(|out| switch_here(&args, out)),
            false => client(args.at.connect.clone(), async |s| switch(&args, s).await),
        },
        ProjectionCommand::Drop(args) => match args.at.place.is_here(&args.at.connect) {
            true => local(|out| drop_here(&args, out)),
            false => client(args.at.connect.clone(), async |s| {
                drop_there(&args, s).await
            }),
        },
        ProjectionCommand::Stop(args) => client(args.connect, async |session| {
            session
                .api
                .post(&["projections", "stop"], &json!({}))
                .await?;
            session.note("it stops after this batch; `hooklog rebuild` goes on from there");
            Ok(Answer::Yes)
        }),
        ProjectionCommand::Check(args) => local(|out| args.run(out)),
        ProjectionCommand::Dump(place) => local(|out| dump(&place, out)),
        ProjectionCommand::Hash(args) => local(|out| hash(&args, out)),
    }
}

const SETS: [Column; 6] = [
    ("SET", |row, _| row.text("set")),
    ("KIND", |row, _| row.text("kind")),
    ("SINCE", |row, now| row.ago("since", now)),
    ("RECORDS", |row, _| row.text("folded")),
    ("LAG", |row, _| row.text("lag")),
    ("PROJECTIONS", |row, _| projections(*row)),
];

/// The names, with the versions that are not the first.
fn projections(row: Row<'_>) -> String {
    let name = |projection: &Row<'_>| match projection.number("version") {
        Some(1) | None => projection.text("name"),
        Some(version) => format!("{} v{version}", projection.text("name")),
    };
    let names: Vec<_> = row.rows("projections").iter().map(name).collect();
    names.join(", ")
}

async fn list(session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let reply = session.api.get(&["projections"], &Vec::new()).await?;
    session.show(&reply, show)
}

fn list_here(at: &At, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let config = at.place.configuration()?;
    let listing = runtime()?.block_on(offline::sets(&config))?;
    let told: Value = serde_json::to_value(Tables::of(&listing))?;
    match at.connect.output {
        Format::Json => out.line(told.to_string())?,
        Format::Table => show(out, Row(&told), clock::System.now())?,
    }
    Ok(Answer::Yes)
}

fn show(out: &mut Out<'_>, row: Row<'_>, now: Timestamp) -> std::io::Result<()> {
    let items = row.rows("items");
    if items.is_empty() {
        out.line("there are no tables yet; a server makes them, or `hooklog rebuild`")?;
    } else {
        table::write(out, &SETS, &items, now)?;
    }
    if !row.0["work"].is_null() {
        let work = row.inner("work");
        let phase = work
            .maybe("phase")
            .unwrap_or_else(|| "beginning".to_owned());
        out.line(format!(
            "{} is {phase}: {} of {} records, {} a second",
            work.text("what"),
            work.text("folded"),
            work.text("total"),
            work.text("rate"),
        ))?;
    }
    if let Some(error) = row.inner("last").maybe("error") {
        out.line(format!(
            "the last {} ended: {error}",
            row.inner("last").text("what")
        ))?;
    }
    own::show(out, &row.rows("own"), now)
}

async fn switch(args: &Switch, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let body = json!({"set": args.set});
    session.api.post(&["projections", "switch"], &body).await?;
    rebuild::watch(session, args.detach).await
}

fn switch_here(args: &Switch, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let config = args.at.place.configuration()?;
    let order = Order::default();
    let set = args.set.as_deref();
    let switched = rebuild::run_here(&order, async |bar: &rebuild::Bar| {
        offline::switch_back(&config, set, &order, |progress| bar.draw(progress)).await
    })?;
    rebuild::tell(out, &switched, args.at.connect.output)
}

async fn drop_there(args: &Drop, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    let path = ["projections", "sets", args.set.as_str()];
    session.api.delete(&path, &Vec::new()).await?;
    session.note(&format!("{} is dropped", args.set));
    Ok(Answer::Yes)
}

fn drop_here(args: &Drop, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let config = args.at.place.configuration()?;
    runtime()?.block_on(offline::drop_set(&config, &args.set))?;
    match args.at.connect.output {
        Format::Json => out.line(json!({"dropped": args.set}).to_string())?,
        Format::Table => out.line(format!("{} is dropped", args.set))?,
    }
    Ok(Answer::Yes)
}

fn dump(place: &Place, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let config = named(place)?;
    let mut written = Ok(());
    let each = |line: &str| {
        if written.is_ok() {
            written = out.line(line.trim_end_matches('\n'));
        }
    };
    runtime()?.block_on(offline::dump(&config, each))?;
    written?;
    Ok(Answer::Yes)
}

fn hash(args: &Hash, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let hash = runtime()?.block_on(offline::hash(&named(&args.place)?))?;
    match args.shown.output {
        Format::Table => out.line(hash)?,
        Format::Json => out.line(json!({"sha256": hash}).to_string())?,
    }
    Ok(Answer::Yes)
}

/// The configuration of tables that are asked directly.
fn named(place: &Place) -> anyhow::Result<Config> {
    if !place.is_named() {
        bail!("say where the tables are: --data DIR, or --config FILE");
    }
    place.configuration()
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}
