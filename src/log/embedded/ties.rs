//! What ties the three journals of a log together: one id, and that none is missing.

use super::files::LogFiles;
use super::journal::Journal;
use super::open_error::OpenError;
use super::options::Options;
use super::recovery;
use super::segment::JournalId;
use super::writer::Writer;
use hooklog_schemas::{EventId, Partition, Topic};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::watch;

type Opened = (Arc<Journal>, Writer);

/// Opens the journals of all topics below `dir`, or makes them when there are none.
///
/// # Errors
/// One is missing while another has records, they are not of the same log, or one is damaged.
pub(crate) fn open(
    files: &Arc<dyn LogFiles>,
    dir: &Path,
    options: &Options,
    poison: &watch::Sender<Option<String>>,
) -> Result<Vec<Opened>, OpenError> {
    let mut journals = Vec::new();
    let mut missing = Vec::new();
    for topic in Topic::ALL {
        if recovery::is_there(&**files, dir, topic)? {
            journals.push(recovery::open(files, dir, topic, options, poison)?);
        } else {
            missing.push(topic);
        }
    }
    let id = match journals.first() {
        Some((first, _)) => same(first, &journals)?,
        None => recovery::draw_id().map_err(|error| OpenError::io(dir, error))?,
    };
    for topic in missing {
        // A crash while the log was made leaves some of them, all empty.
        if let Some((with, _)) = journals.iter().find(|(journal, _)| has_records(journal)) {
            return Err(OpenError::Missing {
                path: dir.join(topic.as_str()).display().to_string(),
                with: with.dir.display().to_string(),
            });
        }
        recovery::make(&**files, dir, topic, id, options)?;
        journals.push(recovery::open(files, dir, topic, options, poison)?);
    }
    journals.sort_by_key(|(journal, _)| journal.topic);
    Ok(journals)
}

/// The log's id: it may be shown to anybody, while the journals' own id may not, since checksums
/// start from it.
pub(crate) fn log_id(journal: JournalId) -> EventId {
    let digest = Sha256::new_with_prefix(b"hooklog log id").chain_update(journal);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.finalize()[..16]);
    EventId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

fn same(first: &Journal, journals: &[Opened]) -> Result<JournalId, OpenError> {
    match journals.iter().find(|(other, _)| other.id != first.id) {
        None => Ok(first.id),
        Some((other, _)) => Err(OpenError::Foreign {
            path: other.dir.display().to_string(),
            beside: first.dir.display().to_string(),
        }),
    }
}

/// Whether anything was ever appended to it.
pub(crate) fn has_records(journal: &Journal) -> bool {
    let tail = |number| journal.bounds(Partition(number)).map(|bounds| bounds.tail);
    (0..journal.partitions()).any(|number| tail(number).is_some_and(|tail| tail.0 > 0))
}
