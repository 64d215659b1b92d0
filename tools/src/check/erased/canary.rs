//! Looks for bytes of erased bodies in all files of a folder.
//!
//! Every body holds a commit's hash that is in no other. Where the same event was received twice
//! and only one receipt was erased, the bytes may stay, and are not looked for.

use super::steps;
use crate::check::log::Log;
use crate::load::history::Operation;
use crate::traffic::Traffic;
use anyhow::{Context as _, Result};
use hooklog_schemas::ReceiptId;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The hash of a commit, in hex.
const CANARY_BYTES: usize = 40;
/// Bodies that are kept, and that the search must find: otherwise it would prove nothing.
const WITNESSES: usize = 8;

/// What was looked for, and where it was found.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// What identifies the body of each receipt that was looked for.
    canaries: HashMap<ReceiptId, Vec<u8>>,
    /// Erased receipts whose bytes are still in a file.
    pub(crate) found: Vec<(ReceiptId, PathBuf)>,
    /// Kept bodies that were not found.
    pub(crate) witnesses_missed: usize,
    /// Bytes that were searched.
    pub(crate) bytes: u64,
}

impl Search {
    /// Searches the folder for what the log says is erased.
    pub(crate) fn run(
        data: &Path,
        log: &Log,
        operations: &[Operation],
        traffic: &Traffic,
    ) -> Result<Self> {
        let steps = steps(operations);
        let canary = |guid: &str| canary(&traffic.webhook(*steps.get(guid)?).body);
        let kept = log.webhooks.iter();
        let kept: HashSet<_> = kept.map(|webhook| webhook.guid.as_str()).collect();
        let erased = log.control.erasures.values().filter_map(|receipt| {
            let guid = log.guids.get(receipt)?.as_str();
            let gone = !kept.contains(guid);
            gone.then(|| Some((*receipt, canary(guid)?))).flatten()
        });
        let erased: HashMap<_, _> = erased.collect();
        let witnesses = log.webhooks.iter().rev().take(WITNESSES);
        let witnesses = witnesses.filter_map(|one| Some((one.receipt, canary(&one.guid)?)));
        Self::of(data, erased, witnesses.collect())
    }

    /// Searches the folder for `erased`, and for `witnesses`, which must be there.
    pub(crate) fn of(
        data: &Path,
        erased: HashMap<ReceiptId, Vec<u8>>,
        witnesses: HashMap<ReceiptId, Vec<u8>>,
    ) -> Result<Self> {
        let all = erased.iter().chain(&witnesses);
        let needles = Needles::new(all.map(|(receipt, bytes)| (bytes.as_slice(), *receipt)));
        let mut search = Self::default();
        let mut missed: HashSet<_> = witnesses.keys().copied().collect();
        for file in files(data)? {
            let bytes =
                std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            search.bytes += bytes.len() as u64;
            for receipt in needles.find(&bytes) {
                missed.remove(&receipt);
                if erased.contains_key(&receipt) {
                    search.found.push((receipt, file.clone()));
                }
            }
        }
        search.witnesses_missed = missed.len();
        search.canaries = erased;
        Ok(search)
    }

    /// How many bodies were looked for.
    pub(crate) fn len(&self) -> usize {
        self.canaries.len()
    }

    /// Whether a text quotes the body of an erased receipt.
    pub(crate) fn quotes(&self, receipt: ReceiptId, text: &str) -> bool {
        let canary = self.canaries.get(&receipt);
        canary.is_some_and(|canary| {
            let mut windows = text.as_bytes().windows(canary.len());
            windows.any(|window| window == canary.as_slice())
        })
    }
}

/// The hash of the commit that a body is about.
pub(crate) fn canary(body: &[u8]) -> Option<Vec<u8>> {
    [&b"\"after\":\""[..], b"\"head_sha\":\""]
        .iter()
        .find_map(|name| {
            let at = body
                .windows(name.len())
                .position(|window| window == *name)?;
            let from = at + name.len();
            Some(body.get(from..from + CANARY_BYTES)?.to_vec())
        })
}

/// Texts to look for at once, by their first eight bytes.
struct Needles<'a> {
    starts: HashMap<[u8; 8], Vec<(&'a [u8], ReceiptId)>>,
    /// Which pairs of bytes any of them starts with: most places are passed by at once.
    pairs: Vec<bool>,
}

impl<'a> Needles<'a> {
    fn new(all: impl Iterator<Item = (&'a [u8], ReceiptId)>) -> Self {
        let mut needles = Self {
            starts: HashMap::new(),
            pairs: vec![false; 1 << 16],
        };
        for (bytes, receipt) in all {
            if let Some(start) = bytes.first_chunk::<8>() {
                needles.pairs[pair(start)] = true;
                let same = needles.starts.entry(*start).or_default();
                same.push((bytes, receipt));
            }
        }
        needles
    }

    fn find(&self, bytes: &[u8]) -> HashSet<ReceiptId> {
        let mut found = HashSet::new();
        for at in 0..bytes.len().saturating_sub(7) {
            if !self.pairs[pair(&bytes[at..])] {
                continue;
            }
            let start = bytes[at..].first_chunk::<8>();
            let same = start.and_then(|start| self.starts.get(start));
            let whole = same.into_iter().flatten();
            let whole = whole.filter(|(needle, _)| bytes[at..].starts_with(needle));
            found.extend(whole.map(|(_, receipt)| *receipt));
        }
        found
    }
}

fn pair(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 8 | usize::from(bytes[1])
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let entry = entry?;
            match entry.file_type()? {
                kind if kind.is_dir() => folders.push(entry.path()),
                kind if kind.is_file() => files.push(entry.path()),
                _ => {}
            }
        }
    }
    Ok(files)
}
