//! Walks through a segment, and believes nothing: what is not verified is not there.

use super::files::LogFile;
use super::frame::{self, FIXED, Frame, Head, MARK, Trailer};
use super::segment::{Chain, SegmentHeader};
use hooklog_schemas::Position;
use sha2::{Digest, Sha256};
use std::io;
use std::sync::Arc;

/// A piece of a file in memory, which moves as it is asked for.
pub(crate) struct Window {
    file: Arc<dyn LogFile>,
    length: u64,
    start: u64,
    chunk: usize,
    buffer: Vec<u8>,
}

impl Window {
    /// A window over `file` that reads `chunk` bytes at a time, or more when more is asked for.
    pub(crate) fn new(file: Arc<dyn LogFile>, chunk: usize) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self {
            file,
            length,
            start: 0,
            chunk,
            buffer: Vec::new(),
        })
    }

    /// The length of the file.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Takes the file for one that ends at `end`.
    pub(crate) fn limit(&mut self, end: u64) {
        self.length = self.length.min(end);
        let held = to_usize(end.saturating_sub(self.start));
        self.buffer.truncate(held);
    }

    /// `count` bytes from `at` on; fewer only at the end of the file.
    pub(crate) fn bytes(&mut self, at: u64, count: usize) -> io::Result<&[u8]> {
        let count = count.min(to_usize(self.length.saturating_sub(at)));
        let held = self.start..=self.start + self.buffer.len() as u64;
        if !held.contains(&at) || !held.contains(&(at + count as u64)) {
            let want = count
                .max(self.chunk)
                .min(to_usize(self.length.saturating_sub(at)));
            self.buffer.resize(want, 0);
            let got = self.file.read_at(&mut self.buffer, at)?;
            self.buffer.truncate(got);
            self.start = at;
        }
        let from = to_usize(at - self.start);
        let end = (from + count).min(self.buffer.len());
        Ok(&self.buffer[from.min(end)..end])
    }
}

/// How closely to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Believe what is there: the crash test must notice that.
    #[cfg(test)]
    Nothing,
    /// Checksums, places and links.
    Sums,
    /// The digests of bodies as well.
    Digests,
}

/// A record in a segment.
pub(crate) struct Seen {
    /// The byte at which its frame starts.
    pub(crate) at: u64,
    pub(crate) head: Head,
}

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// The byte at which it is.
    pub(crate) at: u64,
    /// The sequence that was expected there.
    pub(crate) sequence: u64,
    /// The record that it is in, where that can be told.
    pub(crate) position: Option<Position>,
    pub(crate) reason: String,
}

/// What a walk found.
pub(crate) struct Walked {
    /// Where the journal stands after the last whole group.
    pub(crate) chain: Chain,
    /// The byte at which the last whole group starts.
    pub(crate) last: u64,
    /// The byte after the last whole group.
    pub(crate) end: u64,
    /// What ended the walk before the end of the file, unless the rest is zeros.
    pub(crate) flaw: Option<Flaw>,
}

/// Reads the header of the segment behind `window`.
pub(crate) fn header(window: &mut Window) -> io::Result<Result<SegmentHeader, String>> {
    Ok(SegmentHeader::parse(
        window.bytes(0, SegmentHeader::longest())?,
    ))
}

/// Walks through the segment with this `header`, and shows `visit` the records of whole groups.
pub(crate) fn walk(
    header: &SegmentHeader,
    window: &mut Window,
    check: Check,
    visit: &mut dyn FnMut(Seen),
) -> io::Result<Walked> {
    let start = SegmentHeader::bytes(header.chain.partitions.len()) as u64;
    let mut walk = Walk {
        header,
        check,
        chain: header.chain.clone(),
        last: start,
        end: start,
        at: start,
    };
    let mut group = Group::after(&walk.chain);
    let flaw = loop {
        match walk.step(window, &mut group)? {
            Step::Record => {}
            Step::Whole => {
                let whole = std::mem::replace(&mut group, Group::after(&walk.chain));
                whole.seen.into_iter().for_each(&mut *visit);
            }
            Step::End if group.seen.is_empty() => break None,
            #[cfg(test)]
            Step::End if check == Check::Nothing => {
                walk.accept(&group);
                group.seen.into_iter().for_each(&mut *visit);
                break None;
            }
            Step::End => break Some(walk.flaw(&group, None, "a group has no end")),
            Step::Flaw(flaw) => break Some(flaw),
        }
    };
    Ok(Walked {
        chain: walk.chain,
        last: walk.last,
        end: walk.end,
        flaw,
    })
}

enum Step {
    Record,
    Whole,
    End,
    Flaw(Flaw),
}

struct Walk<'a> {
    header: &'a SegmentHeader,
    check: Check,
    chain: Chain,
    last: u64,
    end: u64,
    at: u64,
}

/// The records since the last trailer.
struct Group {
    chain: Chain,
    link: Sha256,
    seen: Vec<Seen>,
}

impl Group {
    fn after(chain: &Chain) -> Self {
        let link = Sha256::new_with_prefix(chain.link);
        Self {
            chain: chain.clone(),
            link,
            seen: Vec::new(),
        }
    }
}

impl Walk<'_> {
    fn step(&mut self, window: &mut Window, group: &mut Group) -> io::Result<Step> {
        match frame_at(window, self.at, self.header.seed())? {
            Found::End => Ok(Step::End),
            Found::Flaw(reason) => Ok(Step::Flaw(self.flaw(group, None, reason))),
            Found::Frame(Frame::Record(head)) => self.record(window, group, *head),
            Found::Frame(Frame::Group(trailer)) => Ok(self.group(group, &trailer)),
        }
    }

    fn record(&mut self, window: &mut Window, group: &mut Group, head: Head) -> io::Result<Step> {
        let named = head.named();
        group.link.update(&window.bytes(self.at, named)?[16..]);
        let body = window.bytes(self.at + named as u64, head.length - named)?;
        let fault = if body.len() + named < head.length {
            Some("a record is cut short")
        } else if self.believes() {
            None
        } else {
            let deep = self.check == Check::Digests;
            head.check(body, self.header.seed(), deep).err()
        };
        if let Some(reason) = fault.or_else(|| follow(&mut group.chain, &head)) {
            return Ok(Step::Flaw(self.flaw(group, Some(&head), reason)));
        }
        let at = self.at;
        self.at += head.length as u64;
        group.seen.push(Seen { at, head });
        Ok(Step::Record)
    }

    fn group(&mut self, group: &Group, trailer: &Trailer) -> Step {
        let link: frame::Link = group.link.clone().finalize().into();
        let count = group.seen.len() as u64;
        let reason = if u64::from(trailer.count) != count || count == 0 {
            "a group's trailer counts other records"
        } else if trailer.first != self.chain.sequence {
            "a group's trailer names another sequence"
        } else if trailer.link != link {
            "the hash link is broken"
        } else {
            self.at += frame::TRAILER as u64;
            self.accept(group);
            self.chain.link = link;
            return Step::Whole;
        };
        Step::Flaw(self.flaw(group, None, reason))
    }

    fn accept(&mut self, group: &Group) {
        self.chain.clone_from(&group.chain);
        self.last = self.end;
        self.end = self.at;
    }

    fn believes(&self) -> bool {
        !matches!(self.check, Check::Sums | Check::Digests)
    }

    fn flaw(&self, group: &Group, head: Option<&Head>, reason: &str) -> Flaw {
        let place =
            |head: &Head| Position::new(self.header.topic, head.partition, head.place.offset);
        Flaw {
            at: self.at,
            sequence: group.chain.sequence,
            position: head.map(place),
            reason: reason.to_owned(),
        }
    }
}

/// Moves `chain` on by the record, unless it is not the one that comes next.
fn follow(chain: &mut Chain, head: &Head) -> Option<&'static str> {
    let Some(next) = chain.partitions.get_mut(head.partition.0 as usize) else {
        return Some("a record names a partition that is not there");
    };
    if head.place.sequence != chain.sequence || head.place.offset.0 != next.offset {
        return Some("a record is not the one that comes next");
    }
    if head.place.time < next.time {
        return Some("a record is older than the one before it");
    }
    next.offset += 1;
    next.time = head.place.time;
    chain.sequence += 1;
    None
}

/// What stands at a byte.
pub(crate) enum Found {
    /// The end of the file, or zeros.
    End,
    Frame(Frame),
    Flaw(&'static str),
}

/// Reads the frame header at `at`. The body is not looked at.
pub(crate) fn frame_at(window: &mut Window, at: u64, seed: u32) -> io::Result<Found> {
    let prefix = window.bytes(at, FIXED)?;
    if prefix.iter().all(|byte| *byte == 0) {
        return Ok(Found::End);
    }
    let Some(count) = frame::head_bytes(prefix) else {
        return Ok(Found::Flaw("there is no frame"));
    };
    let bytes = window.bytes(at, count)?;
    if bytes.len() < count {
        return Ok(Found::Flaw("a frame is cut short"));
    }
    Ok(match frame::parse(bytes, seed) {
        Ok(frame) => Found::Frame(frame),
        Err(reason) => Found::Flaw(reason),
    })
}

/// What stands after the last whole group.
#[derive(Debug, Default)]
pub(crate) struct Remains {
    /// Bytes up to the last one that is not zero.
    pub(crate) bytes: u64,
    /// Records among them that read.
    pub(crate) records: u64,
    /// Whether they can be more than one group that was never acknowledged: only the last group
    /// may be incomplete, since each is synced before the next is written.
    pub(crate) damage: bool,
}

/// Looks for frames from `from` on, where a walk ended that expected the record `sequence`.
pub(crate) fn remains(
    window: &mut Window,
    from: u64,
    sequence: u64,
    seed: u32,
) -> io::Result<Remains> {
    let mut found = Remains::default();
    let mut ended = false;
    let mut at = from;
    while let Some(candidate) = next_mark(window, at, from, &mut found.bytes)? {
        at = candidate + 1;
        let Found::Frame(frame) = frame_at(window, candidate, seed)? else {
            continue;
        };
        match frame {
            Frame::Record(head) => {
                found.records += 1;
                found.damage |= ended || head.place.sequence < sequence;
                at = candidate + head.length as u64;
            }
            Frame::Group(trailer) => {
                found.damage |= ended || trailer.first != sequence;
                ended = true;
                at = candidate + frame::TRAILER as u64;
            }
        }
        // A torn frame is longer than what is left of it.
        found.bytes = found.bytes.max(at.min(window.length()) - from);
    }
    Ok(found)
}

/// The first place from `at` on where a frame may start; `bytes` becomes the distance from `from`
/// to the last byte on the way that is not zero.
fn next_mark(
    window: &mut Window,
    mut at: u64,
    from: u64,
    bytes: &mut u64,
) -> io::Result<Option<u64>> {
    const STRIDE: usize = 1 << 16;
    while at < window.length() {
        let piece = window.bytes(at, STRIDE + 16)?;
        let marks = piece.get(14..).unwrap_or_default().windows(2);
        let hit = marks.take(STRIDE).position(|two| two == MARK);
        let passed = hit.unwrap_or(piece.len().min(STRIDE));
        if let Some(last) = piece[..passed].iter().rposition(|byte| *byte != 0) {
            *bytes = (*bytes).max(at + last as u64 + 1 - from);
        }
        match hit {
            Some(hit) => {
                *bytes = (*bytes).max(at + hit as u64 + 16 - from);
                return Ok(Some(at + hit as u64));
            }
            None => at += passed as u64,
        }
    }
    Ok(None)
}

fn to_usize(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}
