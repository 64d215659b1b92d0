//! `hooklog signature`: what signs and verifies here also helps those who send and receive.

use super::args::Format;
use super::out::Out;
use super::session::{Answer, Usage, secret_file};
use super::time::When;
use crate::clock::{self, Clock as _};
use crate::deliver::sign::{self, StandardHeaders};
use crate::secret::Secret;
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use hooklog_schemas::Timestamp;
use serde_json::json;
use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};

/// What to do with signatures.
#[derive(Debug, Subcommand)]
pub(crate) enum SignatureCommand {
    /// Sign the body on standard input, and print the signature
    #[command(after_help = SIGN_EXAMPLES)]
    Sign(Sign),
    /// Verify the signature of the body on standard input; exit code 1 when it is wrong
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(Verify),
}

const SIGN_EXAMPLES: &str = "\
Prints the value of X-Hub-Signature-256 (github) or webhook-signature (standard). Without --id and
--timestamp they are made up, and shown on standard error.

Examples:
  hooklog signature sign --mode github --secret-file secret < body.json
  hooklog signature sign --mode standard --secret-file secret \\
      --id msg_1 --timestamp 1793534400 < body.json";

const VERIFY_EXAMPLES: &str = "\
Examples:
  hooklog signature verify --mode github --secret-file secret --signature sha256=… < body.json
  hooklog signature verify --mode standard --secret-file secret --id msg_1 --timestamp 1793534400 \\
      --signature v1,… --at 2026-11-01T12:00Z < body.json";

/// A way of signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// X-Hub-Signature-256
    Github,
    /// Standard Webhooks
    Standard,
}

/// What both need.
#[derive(Args, Debug)]
struct Common {
    /// The way of signing
    #[arg(long, value_enum)]
    mode: Mode,
    /// File with the secret; one trailing newline is dropped; in standard mode: whsec_ and base64
    #[arg(long, value_name = "FILE")]
    secret_file: PathBuf,
    /// How the answer is shown
    #[arg(
        long,
        short,
        env = "HOOKLOG_OUTPUT",
        value_enum,
        default_value_t,
        value_name = "FORMAT"
    )]
    output: Format,
}

/// `signature sign`.
#[derive(Args, Debug)]
pub(crate) struct Sign {
    #[command(flatten)]
    common: Common,
    /// Standard mode: the value of webhook-id [default: a new one]
    #[arg(long)]
    id: Option<String>,
    /// Standard mode: the value of webhook-timestamp, in seconds since 1970 [default: now]
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<i64>,
}

/// `signature verify`.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(flatten)]
    common: Common,
    /// Standard mode: the value of webhook-id
    #[arg(long, required_if_eq("mode", "standard"))]
    id: Option<String>,
    /// Standard mode: the value of webhook-timestamp
    #[arg(
        long,
        value_name = "SECONDS",
        required_if_eq("mode", "standard"),
        allow_hyphen_values = true
    )]
    timestamp: Option<String>,
    /// The signature, as the header holds it
    #[arg(long)]
    signature: String,
    /// Standard mode: verify as if it were this time
    #[arg(long, value_name = "WHEN", default_value = "now")]
    at: When,
}

pub(super) fn run(
    command: SignatureCommand,
    input: &mut dyn Read,
    out: &mut Out<'_>,
) -> anyhow::Result<Answer> {
    let common = match &command {
        SignatureCommand::Sign(args) => &args.common,
        SignatureCommand::Verify(args) => &args.common,
    };
    if common.secret_file == Path::new("-") {
        let reason = "standard input holds the body, so the secret must be in a file";
        return Err(Usage(reason.to_owned()).into());
    }
    let secret = secret_file(&common.secret_file)?;
    let mut body = Vec::new();
    let read = input.read_to_end(&mut body);
    read.context("the body cannot be read from standard input")?;
    match command {
        SignatureCommand::Sign(args) => make(&args, &secret, &body, out),
        SignatureCommand::Verify(args) => check(&args, &secret, &body, out),
    }
}

fn make(args: &Sign, secret: &Secret, body: &[u8], out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let json = args.common.output == Format::Json;
    if args.common.mode == Mode::Github {
        sign::check_secret(hooklog_schemas::control::Signing::Github, secret)?;
        let signature = sign::github(secret, body);
        let text = if json {
            json!({"x-hub-signature-256": signature}).to_string()
        } else {
            signature
        };
        out.line(text)?;
        return Ok(Answer::Yes);
    }
    let key = sign::standard_key(secret)?;
    let id = args
        .id
        .clone()
        .unwrap_or_else(|| format!("msg_{}", clock::event_id()));
    let timestamp = args
        .timestamp
        .unwrap_or_else(|| clock::System.now().as_secs());
    let signature = sign::standard(&[&key], &id, timestamp, body);
    if json {
        let headers = json!({"webhook-id": id, "webhook-timestamp": timestamp.to_string(), "webhook-signature": signature});
        out.line(headers.to_string())?;
        return Ok(Answer::Yes);
    }
    if args.id.is_none() || args.timestamp.is_none() {
        // Standard error may be closed; the signature is still the answer.
        let _ = writeln!(
            std::io::stderr(),
            "webhook-id: {id}\nwebhook-timestamp: {timestamp}"
        );
    }
    out.line(signature)?;
    Ok(Answer::Yes)
}

fn check(args: &Verify, secret: &Secret, body: &[u8], out: &mut Out<'_>) -> anyhow::Result<Answer> {
    let now: Timestamp = args.at.resolve(clock::System.now());
    let verified = match args.common.mode {
        Mode::Github => sign::verify_github(secret, &args.signature, body),
        Mode::Standard => {
            let headers = StandardHeaders {
                id: args.id.as_deref().unwrap_or_default(),
                timestamp: args.timestamp.as_deref().unwrap_or_default(),
                signature: &args.signature,
            };
            sign::verify_standard(secret, headers, body, now)
        }
    };
    let reason = verified.err().map(|error| error.to_string());
    let text = match (&reason, args.common.output) {
        (_, Format::Json) => json!({"valid": reason.is_none(), "reason": reason}).to_string(),
        (None, Format::Table) => "the signature is right".to_owned(),
        (Some(reason), Format::Table) => format!("the signature is wrong: {reason}"),
    };
    out.line(text)?;
    Ok(if reason.is_none() {
        Answer::Yes
    } else {
        Answer::No
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: SignatureCommand,
    }

    const STANDARD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn ran(secret: &str, line: &[&str], body: &[u8]) -> (String, Answer) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("secret");
        std::fs::write(&file, format!("{secret}\n")).unwrap();
        let file = file.display().to_string();
        let words = [&["x"], line, &["--secret-file", &file]].concat();
        let (mut sink, mut input) = (Vec::new(), body);
        let command = Line::try_parse_from(words).unwrap().command;
        let answer = run(command, &mut input, &mut Out::new(&mut sink, false)).unwrap();
        (
            String::from_utf8(sink).unwrap().trim_end().to_owned(),
            answer,
        )
    }

    #[test]
    fn github_s_own_example_is_signed_and_verified() {
        let secret = "It's a Secret to Everybody";
        let (signature, _) = ran(secret, &["sign", "--mode", "github"], b"Hello, World!");
        let known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature, known);
        let verify = ["verify", "--mode", "github", "--signature", known];
        assert_eq!(ran(secret, &verify, b"Hello, World!").1, Answer::Yes);
        let (said, answer) = ran(secret, &verify, b"Hello, World?");
        assert_eq!(answer, Answer::No);
        assert!(said.contains("wrong"), "{said}");
    }

    #[test]
    fn an_old_standard_signature_verifies_at_its_own_time_only() {
        let headers = [
            "--mode",
            "standard",
            "--id",
            "msg_1",
            "--timestamp",
            "1614265330",
        ];
        let (signature, _) = ran(STANDARD, &[&["sign"], &headers[..]].concat(), b"{}");
        let verify = [&["verify", "--signature", &signature], &headers[..]].concat();
        assert_eq!(ran(STANDARD, &verify, b"{}").1, Answer::No);
        let then = [&verify[..], &["--at", "2021-02-25T15:02:10Z"]].concat();
        assert_eq!(ran(STANDARD, &then, b"{}").1, Answer::Yes);
        let json = [&then[..], &["--output", "json"]].concat();
        assert_eq!(
            ran(STANDARD, &json, b"{}").0,
            r#"{"reason":null,"valid":true}"#
        );
    }

    #[test]
    fn standard_mode_cannot_verify_without_id_and_timestamp() {
        let words = [
            "x",
            "verify",
            "--mode",
            "standard",
            "--secret-file",
            "f",
            "--signature",
            "v1,a",
        ];
        assert!(Line::try_parse_from(words).is_err());
    }
}
