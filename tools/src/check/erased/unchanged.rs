//! Two dumps of one log: the later one has more records at the ends, and some lost their bytes.
//! Nothing else may differ, not in one byte.

use crate::check::Violation;
use crate::check::log::Log;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Lines};
use std::path::Path;

/// What an erasure takes from a record; everything else stays.
const BYTES: [&str; 6] = [
    "headers",
    "value",
    "value_base64",
    "body_base64",
    "body_bytes",
    "erased",
];

/// What it takes from the decision about a webhook when somebody reads it.
const BLANKED: [&str; 2] = ["repository", "sender_id"];

/// Compares two dumps; the log is that of the later one.
pub(crate) fn compare(before: &Path, after: &Path, log: &Log) -> Result<Vec<Violation>> {
    let (mut before, mut after) = (lines(before)?, lines(after)?);
    let mut violations = Vec::new();
    while let Some(old) = before.next().transpose()? {
        let position = position(&old)?.to_owned();
        // Records that came later stand between the ends of one topic and the next one.
        let new = loop {
            match after.next().transpose()? {
                Some(new) if self::position(&new)? == position => break Some(new),
                Some(_) => {}
                None => break None,
            }
        };
        let Some(new) = new else {
            let found = format!("{position} is not in the later log, or not in its place");
            violations.push(Violation::new("no record changes", found));
            break;
        };
        if old != new && !is_erasure(log, &old, &new)? {
            let found = format!("{position} is another record in the later log");
            violations.push(Violation::new("no record changes", found));
        }
    }
    Ok(violations)
}

/// Whether the new line is the old one without its bytes, as somebody ordered.
fn is_erasure(log: &Log, old: &str, new: &str) -> Result<bool> {
    let (mut old, mut new): (Value, Value) =
        (serde_json::from_str(old)?, serde_json::from_str(new)?);
    let erased: HashSet<String> = log
        .control
        .erasures
        .values()
        .map(ToString::to_string)
        .collect();
    let places: HashSet<String> = log
        .control
        .erasures
        .keys()
        .map(ToString::to_string)
        .collect();
    let receipt = old["value"]["receipt"].as_str();
    let named = receipt.is_some_and(|receipt| erased.contains(receipt));
    if old["type"] == "webhook.routed" {
        for line in [&mut old, &mut new] {
            let summary = line["value"]["summary"].as_object_mut();
            summary.map(|summary| BLANKED.map(|name| summary.remove(name)));
        }
        return Ok(named && old == new);
    }
    let ordered = if old["type"] == "delivery.answered" {
        named
    } else {
        old["position"]
            .as_str()
            .is_some_and(|place| places.contains(place))
    };
    let gone = new["erased"] == true;
    for name in BYTES {
        for line in [&mut old, &mut new] {
            line.as_object_mut().map(|line| line.remove(name));
        }
    }
    Ok(ordered && gone && old == new)
}

fn lines(path: &Path) -> Result<Lines<BufReader<File>>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(BufReader::with_capacity(1 << 20, file).lines())
}

/// The position of a line, without reading the rest of it.
fn position(line: &str) -> Result<&str> {
    const NAME: &str = "\"position\":\"";
    let from = line.find(NAME).context("a line without a position")?;
    let rest = &line[from + NAME.len()..];
    let (position, _) = rest.split_once('"').context("a position without an end")?;
    Ok(position)
}
