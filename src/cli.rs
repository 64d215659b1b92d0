//! The command line.

mod api;
mod args;
mod as_of;
mod attempt;
mod bookmark;
mod completion;
mod config;
mod confirm;
mod count;
mod dead_letter;
mod delivery;
mod diff;
mod doctor;
mod erase;
mod evidence;
mod explain;
mod key;
mod log;
mod object;
mod openapi;
mod out;
mod place;
mod point;
mod projection;
mod rebuild;
mod replay;
mod repository;
mod row;
mod run;
mod serve;
mod session;
mod signature;
mod source;
mod spool;
mod status;
mod subscription;
mod table;
mod tail;
mod time;
mod timeline;
mod token;
mod walk;
mod webhook;
mod what_if;

pub use serve::{ConfigurationArgs, ServeArgs};

use args::{Group, Nothing, Single};
use clap::{CommandFactory as _, Parser, Subcommand};
use run::{client, local};
use std::io;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
First steps:
  hooklog serve --demo                    shows everything at work, needs nothing
  hooklog serve --data DIR                starts a server; the admin token is in DIR/admin-token
  export HOOKLOG_TOKEN=$(cat DIR/admin-token)
  hooklog source create github --secret-file FILE
  hooklog subscription create ci --to https://ci.acme.example/ --event push
  hooklog timeline GUID                   tells the whole life of one event

Times are written as 2h or 1d12h (so long ago), 2026-11-01, or 2026-11-01T12:00Z. A point of the
past, for --as-of, is a time, a record (webhooks/3@1042), or a bookmark (@NAME).
Exit codes: 0 done, or yes; 1 failed, or the answer is no; 2 the command line is wrong.";

/// Receives GitHub webhooks, keeps them on a log for ever, and delivers them to whoever asked
#[derive(Debug, Parser)]
#[command(name = "hooklog", version, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    #[command(after_help = serve::EXAMPLES)]
    Serve(ServeArgs),
    /// Where webhooks come from: names, secrets, limits
    #[command(alias = "sources")]
    Source(Group<source::SourceCommand>),
    /// Who wants what, delivered where
    #[command(alias = "subscriptions")]
    Subscription(Group<subscription::SubscriptionCommand>),
    /// Who may use the API
    #[command(alias = "tokens")]
    Token(Group<token::TokenCommand>),
    /// What GitHub sent
    #[command(alias = "webhooks")]
    Webhook(Group<webhook::WebhookCommand>),
    /// What is owed to subscriptions, and what became of it
    #[command(alias = "deliveries")]
    Delivery(Group<delivery::DeliveryCommand>),
    /// The single tries of a delivery
    #[command(alias = "attempts")]
    Attempt(Group<attempt::AttemptCommand>),
    /// What was given up, and how to try it again
    #[command(alias = "dead-letters")]
    DeadLetter(Group<dead_letter::DeadLetterCommand>),
    /// Deliver history again, on the record
    #[command(alias = "replays")]
    Replay(Group<replay::ReplayCommand>),
    /// Tell the whole life of one event
    #[command(after_help = timeline::EXAMPLES)]
    Timeline(Single<timeline::TimelineArgs>),
    /// Say why a subscription got an event, or did not: which clause decided, and who set it
    #[command(after_help = explain::EXAMPLES)]
    Explain(Single<explain::ExplainArgs>),
    /// Hold history against proposed subscriptions: how many more, how many fewer, which
    #[command(after_help = what_if::EXAMPLES)]
    WhatIf(Single<what_if::WhatIfArgs>),
    /// Show new events, live
    #[command(after_help = tail::EXAMPLES)]
    Tail(Single<tail::TailArgs>),
    /// Count what happened, minute by minute
    #[command(alias = "counts", after_help = count::EXAMPLES)]
    Count(Single<count::CountArgs>),
    /// Names for points of the log, to look at what was then
    #[command(alias = "bookmarks")]
    Bookmark(Group<bookmark::BookmarkCommand>),
    /// Tell what changed in the configuration, and how much there was, between two points
    #[command(after_help = diff::EXAMPLES)]
    Diff(Single<diff::DiffArgs>),
    /// Erase bodies for ever, with a count first
    #[command(after_help = erase::EXAMPLES)]
    Erase(Single<erase::EraseArgs>),
    /// Show the server at a glance
    Status(Single<Nothing>),
    /// Look for what is wrong, and say what to do
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(Single<doctor::DoctorArgs>),
    /// Ask all tables as they were at a point of the past, in SQL (offline)
    #[command(after_help = as_of::EXAMPLES)]
    AsOf(as_of::AsOfArgs),
    /// Fold the log into new tables, beside the ones that answer, and switch to them
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::RebuildArgs),
    /// The file with the keys that seal secrets (offline)
    #[command(alias = "keys", subcommand)]
    Key(key::KeyCommand),
    /// Make and verify signatures of webhooks and deliveries (offline)
    #[command(alias = "signatures", subcommand)]
    Signature(signature::SignatureCommand),
    /// The configuration of the server (offline)
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// The sets of tables: live, being built, kept; and the tables in a form that can be compared
    #[command(alias = "projections")]
    Projection(projection::ProjectionArgs),
    /// Prepare a log, look at its files, copy it (offline), or raise its format
    #[command(alias = "logs", subcommand)]
    Log(log::LogCommand),
    /// What waits in a receiver's spool, and how it comes into the log without it (offline)
    #[command(alias = "spools", subcommand)]
    Spool(spool::SpoolCommand),
    /// Print a script that completes commands and flags
    #[command(after_help = completion::EXAMPLES)]
    Completion(completion::CompletionArgs),
    /// Print the API's description (OpenAPI)
    Openapi(Single<openapi::OpenapiArgs>),
}

/// Runs what the command line asks for; what goes wrong is told on standard error.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    let ended = dispatch(cli.command);
    ended.unwrap_or_else(|error| run::report(&error, &mut io::stderr()))
}

fn dispatch(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => server(args),
        Command::Source(group) => client(group.connect, async |s| source::run(group.verb, s).await),
        Command::Subscription(group) => client(group.connect, async |s| {
            subscription::run(group.verb, s).await
        }),
        Command::Token(group) => client(group.connect, async |s| token::run(group.verb, s).await),
        Command::Webhook(group) => {
            client(group.connect, async |s| webhook::run(group.verb, s).await)
        }
        Command::Delivery(group) => {
            client(group.connect, async |s| delivery::run(group.verb, s).await)
        }
        Command::Attempt(group) => {
            client(group.connect, async |s| attempt::run(group.verb, s).await)
        }
        Command::DeadLetter(group) => client(group.connect, async |s| {
            dead_letter::run(group.verb, s).await
        }),
        Command::Replay(group) => client(group.connect, async |s| replay::run(group.verb, s).await),
        Command::Timeline(one) => client(one.connect, async |s| timeline::run(one.args, s).await),
        Command::Explain(one) => client(one.connect, async |s| explain::run(one.args, s).await),
        Command::WhatIf(one) => client(one.connect, async |s| what_if::run(one.args, s).await),
        Command::Tail(one) => client(one.connect, async |s| tail::run(one.args, s).await),
        Command::Count(one) => client(one.connect, async |s| count::run(one.args, s).await),
        Command::Bookmark(group) => {
            client(group.connect, async |s| bookmark::run(group.verb, s).await)
        }
        Command::Diff(one) => client(one.connect, async |s| diff::run(one.args, s).await),
        Command::Erase(one) => client(one.connect, async |s| erase::run(one.args, s).await),
        Command::Status(one) => client(one.connect, async |s| status::run(s).await),
        Command::Doctor(one) => client(one.connect, async |s| doctor::run(one.args, s).await),
        Command::Openapi(one) => client(one.connect, async |s| openapi::run(one.args, s).await),
        Command::AsOf(args) => local(|out| as_of::run(&args, out)),
        Command::Rebuild(args) => match args.place.is_here(&args.connect) {
            true => local(|out| rebuild::here(&args, out)),
            false => client(args.connect.clone(), async |s| {
                rebuild::there(&args, s).await
            }),
        },
        Command::Key(command) => local(|out| key::run(command, out)),
        Command::Signature(command) => local(|out| signature::run(command, &mut io::stdin(), out)),
        Command::Config(command) => local(|out| config::run(command, out)),
        Command::Projection(args) => projection::run(args),
        Command::Log(command) => log::run(command),
        Command::Spool(command) => spool::run(command).map(Into::into),
        Command::Completion(args) => local(|out| completion::run(&args, Cli::command(), out)),
    }
}

fn server(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(crate::app::serve(args))?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests;
