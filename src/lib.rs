//! Receives GitHub webhooks, keeps them on a log for ever, and delivers them to whoever asked.
//!
//! The modules stand in the order in which an event meets them.

// 1. A webhook arrives, is verified, and is appended before it is answered.
pub mod receive;

// The accept loop of both listeners, with its limits.
pub mod http;

// A queue in front of the log, for those who want one.
pub mod intake;

// A receiver's own buffer for the time in which the log is away.
pub mod spool;

// 2. The log: the only source of truth.
pub mod log;

// The configuration in force: follows the `control` topic, and submits changes to it.
pub mod control;

// 3. Which subscriptions want this webhook: a pure function.
pub mod route;

// Delivers history again: plans what a replay owes.
pub mod replay;

// 4. One attempt at a time, over HTTPS, signed.
pub mod deliver;

// Owns partitions: folds them, routes, schedules attempts and records their outcomes.
pub mod worker;

// 5. Folds the log into tables.
pub mod project;

// 6. Answers from the tables.
pub mod query;

// Points: what lies inside a cut through the log, and the names of cuts.
pub mod history;

// Questions about the past, as pure functions over what the log and the tables say.
pub mod hindsight;

// REST over queries (reads) and the log (commands).
pub mod api;

// Pages for people, in the browser, over the API.
pub mod console;

// Whether the roles of a process are ready, for machines.
pub mod health;

// The command line.
pub mod cli;

// What the operator wrote: one file, environment, flags.
pub mod config;

// The composition root: from configuration to running parts.
pub mod app;

pub mod clock;
pub mod keyring;
pub mod metrics;
pub mod secret;
