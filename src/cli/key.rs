//! `hooklog key`: the file with the keys that seal secrets in the log.

use super::args::{Format, Shown};
use super::out::Out;
use super::row::counted;
use super::session::Answer;
use crate::app::offline;
use crate::keyring::Keyring;
use anyhow::ensure;
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

/// What to do with the key file.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key file, for processes that share a log: a server that has its log alone makes its own
    #[command(after_help = CREATE_EXAMPLES)]
    Create(New),
    /// Check that the key file is there, readable by its owner alone, and opens the log's secrets
    Check(Place),
    /// Put a new key in front; older keys stay, since the log that they sealed never changes
    #[command(
        after_help = "Make a backup of the key file first: without it no secret in the log can be opened.\n\
        A running server uses the new key after its next start."
    )]
    Rotate(Place),
}

const CREATE_EXAMPLES: &str = "\
The file has mode 0600, and none that is there is replaced. Give the same file to every process of
the log (key_file), and keep a backup apart from the data.

Examples:
  hooklog key create --key-file /etc/hooklog/key";

/// Where a new key file goes.
#[derive(Args, Debug)]
pub(crate) struct New {
    /// The file to make, in a folder that exists
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    #[command(flatten)]
    shown: Shown,
}

/// Where the key file is.
#[derive(Args, Debug)]
pub(crate) struct Place {
    /// The data folder
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The key file [default: DIR/key]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    #[command(flatten)]
    shown: Shown,
}

impl Place {
    fn path(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = &self.key_file {
            return Ok(path.clone());
        }
        ensure!(
            self.data.is_dir(),
            "{} is not a folder; name the data folder of a server with --data",
            self.data.display()
        );
        Ok(self.data.join("key"))
    }
}

pub(super) fn run(command: KeyCommand, out: &mut Out<'_>) -> anyhow::Result<Answer> {
    match command {
        KeyCommand::Create(new) => create(&new, out)?,
        KeyCommand::Check(place) => check(&place, out)?,
        KeyCommand::Rotate(place) => rotate(&place, out)?,
    }
    Ok(Answer::Yes)
}

fn create(new: &New, out: &mut Out<'_>) -> anyhow::Result<()> {
    let keyring = Keyring::create(&new.key_file)?;
    let (path, id) = (&new.key_file, keyring.current());
    if new.shown.output == Format::Json {
        out.line(json!({"file": path, "key": id}).to_string())?;
        return Ok(());
    }
    out.line(format!("made {} with the key {id}", path.display()))?;
    out.line("make a backup of it: without it no secret in the log can be opened")?;
    Ok(())
}

fn check(place: &Place, out: &mut Out<'_>) -> anyhow::Result<()> {
    let path = place.path()?;
    let tried = offline::try_keys(&place.data, &path)?;
    if place.shown.output == Format::Json {
        let found = json!({"file": path, "keys": tried.ids, "secrets": tried.secrets});
        out.line(found.to_string())?;
        return Ok(());
    }
    let opened = opened(tried.secrets);
    out.line(format!("{} is in order; {opened}", path.display()))?;
    out.line(format!(
        "keys, the one that seals first: {}",
        tried.ids.join(", ")
    ))?;
    Ok(())
}

/// What the keys opened.
pub(super) fn opened(secrets: Option<usize>) -> String {
    match secrets {
        Some(count) => {
            let secrets = counted(count as u64, "secret", "secrets");
            format!("it opens the log's {secrets}")
        }
        None => "there is no log yet".to_owned(),
    }
}

fn rotate(place: &Place, out: &mut Out<'_>) -> anyhow::Result<()> {
    let path = place.path()?;
    let id = Keyring::rotate(&path)?;
    if place.shown.output == Format::Json {
        out.line(json!({"file": path, "key": id}).to_string())?;
        return Ok(());
    }
    out.line(format!("{} begins with the new key {id}", path.display()))?;
    out.line("make a backup of it; a running server uses it after its next start")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;
    use crate::control::Control;
    use crate::secret::Secret;
    use hooklog_schemas::control::{By, SealedSecret, SourceCreated, SourceSpec};
    use hooklog_schemas::{SecretId, SourceId, Timestamp};
    use std::sync::Arc;
    use uuid::Uuid;

    fn ran(command: KeyCommand) -> anyhow::Result<String> {
        let mut sink = Vec::new();
        run(command, &mut Out::new(&mut sink, false))?;
        Ok(String::from_utf8(sink)?)
    }

    #[test]
    fn a_rotated_key_is_the_first_of_two_and_a_missing_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let place = || Place {
            data: dir.path().to_owned(),
            key_file: None,
            shown: Shown::default(),
        };
        let missing = ran(KeyCommand::Check(place())).unwrap_err().to_string();
        assert!(missing.contains("missing"), "{missing}");
        let first = Keyring::create(&dir.path().join("key"))
            .unwrap()
            .current()
            .to_owned();
        ran(KeyCommand::Rotate(place())).unwrap();
        let checked = ran(KeyCommand::Check(place())).unwrap();
        assert!(
            checked.trim_end().ends_with(&format!(", {first}")),
            "{checked}"
        );
    }

    #[test]
    fn a_key_file_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let new = || New {
            key_file: dir.path().join("key"),
            shown: Shown::default(),
        };
        let said = ran(KeyCommand::Create(new())).unwrap();
        let made = Keyring::read(&new().key_file).unwrap();
        assert!(said.contains(made.current()), "{said}");
        let refused = ran(KeyCommand::Create(new())).unwrap_err().to_string();
        assert!(refused.contains("key file"), "{refused}");
        assert_eq!(
            Keyring::read(&new().key_file).unwrap().current(),
            made.current()
        );
    }

    /// A log whose one secret the key file of its folder sealed.
    async fn sealed() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let keyring = Keyring::create(&dir.path().join("key")).unwrap();
        let id = SecretId(Uuid::from_u128(3));
        let sealed = keyring.seal(id, &Secret::new(b"s".to_vec())).unwrap();
        let created = SourceCreated {
            id: SourceId(Uuid::from_u128(1)),
            spec: SourceSpec {
                name: "a".into(),
                host: "github.com".into(),
                allow: Vec::new(),
                rate_per_second: None,
            },
            secret: SealedSecret {
                id,
                sealed,
                organization_ids: Vec::new(),
            },
            by: By {
                actor: "ann".into(),
                from: "local".into(),
                at: Timestamp(1),
                why: None,
            },
        };
        let log = offline::empty(dir.path());
        let control = Control::open(log, Arc::new(clock::System)).await.unwrap();
        control.record(created).await.unwrap();
        dir
    }

    #[tokio::test]
    async fn a_foreign_key_is_told_also_while_a_server_has_the_log() {
        let dir = sealed().await;
        let check = |file: Option<PathBuf>| {
            ran(KeyCommand::Check(Place {
                data: dir.path().to_owned(),
                key_file: file,
                shown: Shown::default(),
            }))
        };
        let checked = check(None).unwrap();
        assert!(checked.contains("opens the log's 1 secret"), "{checked}");
        let foreign = dir.path().join("foreign");
        Keyring::create(&foreign).unwrap();
        let _server = [None, Some(offline::empty(dir.path()))].map(|server| {
            let refused = check(Some(foreign.clone())).unwrap_err();
            assert!(format!("{refused:#}").contains("right file"), "{refused:#}");
            assert!(check(None).is_ok());
            server
        });
    }
}
