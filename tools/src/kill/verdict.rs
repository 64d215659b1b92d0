//! After the last kill: log, tables, clients and subscribers must agree, and a rebuild with them.

use crate::check::CheckCommand;
use crate::server::{Api, Setup};
use anyhow::{Result, bail};
use serde_json::json;
use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write as _};
use std::path::Path;

/// Writes every delivery that the API lists to `deliveries.ndjson`.
pub(crate) async fn save_deliveries(api: &Api, folder: &Path) -> Result<()> {
    let mut out = BufWriter::new(File::create(folder.join("deliveries.ndjson"))?);
    let mut cursor = None;
    loop {
        let path = match &cursor {
            Some(cursor) => format!("deliveries?limit=500&cursor={cursor}"),
            None => "deliveries?limit=500".to_owned(),
        };
        let (items, next) = api.page(&path).await?;
        writeln!(out, "{}", json!({"items": items}))?;
        match next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    Ok(out.flush()?)
}

/// Writes the whole log, bodies included.
pub(crate) async fn dump(setup: &Setup, out: &Path) -> Result<()> {
    setup.offline(&["log", "dump", "--bodies"], out).await
}

/// Verifies the log, checks all evidence, and compares the tables with rebuilt ones.
pub(crate) async fn check(setup: &Setup, folder: &Path, seed: u64) -> Result<()> {
    let at = |name: &str| folder.join(name);
    let verified = at("verify.txt");
    setup.offline(&["log", "verify"], &verified).await?;
    crate::print(std::fs::read_to_string(&verified)?.trim_end())?;
    dump(setup, &at("log.ndjson")).await?;
    let command = CheckCommand {
        history: vec![at("history.ndjson")],
        receipts: vec![at("receipts.ndjson")],
        log: at("log.ndjson"),
        before: Some(at("before.ndjson")),
        deliveries: Some(at("deliveries.ndjson")),
        commands: Some(at("commands.ndjson")),
        answers: Some(at("answers.ndjson")),
        data: Some(setup.data()),
        faults: None,
        seed: Some(seed),
        in_flight: 256,
    };
    command.run()?;
    rebuilt(setup, folder).await
}

async fn rebuilt(setup: &Setup, folder: &Path) -> Result<()> {
    let at = |name: &str| folder.join(name);
    let (live, rebuilt) = (at("live.dump"), at("rebuilt.dump"));
    setup.offline(&["projection", "dump"], &live).await?;
    setup.offline(&["rebuild"], &at("rebuild.txt")).await?;
    setup.offline(&["projection", "dump"], &rebuilt).await?;
    compare(&live, &rebuilt)
}

/// Compares canonical dumps of tables that lived and of the same, rebuilt.
pub(crate) fn compare(live: &Path, rebuilt: &Path) -> Result<()> {
    if !same(live, rebuilt)? {
        bail!("the rebuilt tables differ: live.dump, rebuilt.dump");
    }
    let bytes = std::fs::metadata(live)?.len();
    if bytes == 0 {
        bail!("the canonical dump of the tables is empty");
    }
    crate::print(&format!("rebuilt equals live: {bytes} bytes"))
}

fn same(one: &Path, two: &Path) -> Result<bool> {
    if std::fs::metadata(one)?.len() != std::fs::metadata(two)?.len() {
        return Ok(false);
    }
    let open = |path: &Path| File::open(path).map(|file| BufReader::with_capacity(1 << 20, file));
    let (mut one, mut two) = (open(one)?.bytes(), open(two)?.bytes());
    loop {
        match (one.next().transpose()?, two.next().transpose()?) {
            (None, None) => return Ok(true),
            (left, right) if left == right => {}
            _ => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_byte_makes_the_difference() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        std::fs::write(&one, "abc").unwrap();
        std::fs::write(&two, "abd").unwrap();
        assert!(same(&one, &one).unwrap());
        assert!(!same(&one, &two).unwrap());
    }
}
