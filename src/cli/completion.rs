//! `hooklog completion`: a script that completes commands and flags.

use super::out::Out;
use super::session::Answer;
use clap::{Args, Command, ValueEnum};
use clap_complete::{Shell, generate};

/// A shell that completion scripts exist for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum For {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

/// `hooklog completion`: for which shell.
#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    shell: For,
}

pub(super) const EXAMPLES: &str = "\
Examples:
  hooklog completion bash > /etc/bash_completion.d/hooklog
  hooklog completion zsh > ~/.zfunc/_hooklog
  hooklog completion fish > ~/.config/fish/completions/hooklog.fish";

pub(super) fn run(
    args: &CompletionArgs,
    mut command: Command,
    out: &mut Out<'_>,
) -> anyhow::Result<Answer> {
    let shell = match args.shell {
        For::Bash => Shell::Bash,
        For::Zsh => Shell::Zsh,
        For::Fish => Shell::Fish,
    };
    // The generator panics when its writer fails, so it writes to memory.
    let mut script = Vec::new();
    generate(shell, &mut command, "hooklog", &mut script);
    out.bytes(&script)?;
    Ok(Answer::Yes)
}
