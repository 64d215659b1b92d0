//! Runs commands: what they have at hand, and what becomes of their errors.

use super::api::{Api, ApiError};
use super::args::Connect;
use super::out::{self, Out};
use super::session::{self, Answer, Session, Usage};
use crate::clock::{self, Clock as _};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

/// Runs a command that needs no server.
pub(super) fn local(
    work: impl FnOnce(&mut Out<'_>) -> anyhow::Result<Answer>,
) -> anyhow::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    let mut out = Out::new(&mut stdout, out::wants_colours());
    let answer = work(&mut out)?;
    out.flush()?;
    Ok(answer.into())
}

/// Runs a command that asks a server.
pub(super) fn client(
    connect: Connect,
    work: impl AsyncFnOnce(&mut Session<'_>) -> anyhow::Result<Answer>,
) -> anyhow::Result<ExitCode> {
    let token = session::token(&connect)?;
    let mut stdout = io::stdout().lock();
    let mut session = Session {
        api: Api::new(connect.server()?, token.as_ref())?,
        out: Out::new(&mut stdout, out::wants_colours()),
        // Not locked for long: a secret may come from standard input too.
        input: Box::new(io::BufReader::new(io::stdin())),
        interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
        format: connect.output,
        now: clock::System.now(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(work(&mut session))?;
    session.out.flush()?;
    Ok(answer.into())
}

/// Tells what went wrong and what to do, and chooses the exit code.
pub(super) fn report(error: &anyhow::Error, stderr: &mut dyn io::Write) -> ExitCode {
    if error.chain().any(is_closed_pipe) {
        // Whoever read the answer has seen enough, as in `hooklog webhook list | head`.
        return ExitCode::SUCCESS;
    }
    let hint = error
        .chain()
        .find_map(|cause| cause.downcast_ref::<ApiError>()?.hint());
    // Standard error may be closed; then there is nobody to tell.
    let _ = writeln!(stderr, "error: {}", whole(error));
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "hint: {hint}");
    }
    let usage = error.chain().any(|cause| cause.is::<Usage>());
    if usage {
        ExitCode::from(2)
    } else {
        ExitCode::FAILURE
    }
}

/// The error and its causes; a cause that an error quotes already is not said twice.
pub(super) fn whole(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

fn is_closed_pipe(cause: &(dyn std::error::Error + 'static)) -> bool {
    let error = cause.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
