//! Bodies: GitHub's frame around units of realistic JSON, as many as the size asks for.

use super::mix::Kind;
use super::zipf::Zipf;
use crate::chance::Chance;
use std::io::Write as _;

/// Who and what a webhook is about, by rank of popularity.
pub(crate) struct Names<'a> {
    /// The repository's rank, from 1 to 70,000.
    pub(crate) repository: u64,
    /// How repositories spread over organisations.
    pub(crate) organizations: &'a Zipf,
    /// The sender's rank, from 1 to 10,000.
    pub(crate) sender: u64,
}

/// Units that bodies are filled with: 128 different commits of some 450 bytes.
pub(crate) fn units(seed: u64) -> Vec<String> {
    (0..128)
        .map(|n| unit(&mut Chance::at(!seed, n), n))
        .collect()
}

fn unit(chance: &mut Chance, n: u64) -> String {
    let (sha, tree) = (sha(chance), sha(chance));
    let (minute, person) = (chance.below(60), chance.below(10_000));
    format!(
        concat!(
            r#"{{"id":"{sha}","tree_id":"{tree}","distinct":true,"message":"Keep the order of step {n} (#{p})","#,
            r#""timestamp":"2026-11-01T12:{m:02}:00+01:00","url":"https://github.com/acme/app/commit/{sha}","#,
            r#""author":{{"name":"Ada {p}","email":"ada-{p}@example.com","username":"dev-{p}"}},"#,
            r#""added":[],"removed":[],"modified":["src/step_{n}.rs","docs/über-{n}.md"]}}"#
        ),
        sha = sha,
        tree = tree,
        n = n,
        p = person,
        m = minute
    )
}

fn sha(chance: &mut Chance) -> String {
    format!(
        "{:016x}{:016x}{:08x}",
        chance.bits(),
        chance.bits(),
        chance.bits() >> 32
    )
}

/// A body of `size` bytes, or the shortest possible if that is longer.
pub(crate) fn compose(
    kind: &Kind,
    names: &Names<'_>,
    size: usize,
    units: &[String],
    chance: &mut Chance,
) -> Vec<u8> {
    let mut body = Vec::with_capacity(size.max(2_048));
    // Writing into a vector cannot fail.
    let _ = open(&mut body, kind, chance);
    let _ = frame(&mut body, names);
    fill(&mut body, kind, size, units, chance);
    body
}

/// The fields before those that all events share.
fn open(out: &mut Vec<u8>, kind: &Kind, chance: &mut Chance) -> std::io::Result<()> {
    let (before, after) = (sha(chance), sha(chance));
    if kind.subject.is_empty() {
        let branch = chance.pick(&["main", "main", "develop", "release/1.4", "feature/ids"]);
        return write!(
            out,
            r#"{{"ref":"refs/heads/{branch}","before":"{before}","after":"{after}","forced":false,"#
        );
    }
    write!(out, "{{")?;
    if !kind.actions.is_empty() {
        write!(out, r#""action":"{}","#, chance.pick(kind.actions))?;
    }
    write!(
        out,
        r#""{}":{{"id":{},"node_id":"CR_{:x}","head_sha":"{after}","status":"completed"}},"#,
        kind.subject,
        chance.bits() >> 12,
        chance.bits()
    )
}

/// Repository, organisation and sender.
fn frame(out: &mut Vec<u8>, names: &Names<'_>) -> std::io::Result<()> {
    // 70,001 is prime, so this is a permutation: popular repositories have scattered ids.
    let repository = 186_000_000 + names.repository * 48_271 % 70_001;
    let mut home = Chance::at(70_000, names.repository);
    let organization = names.organizations.rank(home.fraction());
    let (organization_id, sender_id) = (9_000_000 + organization, 21_000_000 + names.sender);
    write!(
        out,
        concat!(
            r#""repository":{{"id":{id},"node_id":"R_{id:x}","name":"repo-{n}","full_name":"org-{o}/repo-{n}","#,
            r#""private":true,"owner":{{"login":"org-{o}","id":{oid},"type":"Organization","site_admin":false}},"#,
            r#""html_url":"https://github.com/org-{o}/repo-{n}","default_branch":"main"}},"#,
            r#""organization":{{"login":"org-{o}","id":{oid},"url":"https://api.github.com/orgs/org-{o}"}},"#,
            r#""sender":{{"login":"dev-{s}","id":{sid},"type":"User","site_admin":false}},"#
        ),
        id = repository,
        n = names.repository,
        o = organization,
        oid = organization_id,
        s = names.sender,
        sid = sender_id
    )
}

/// Units up to the size, and a note that makes it exact.
fn fill(out: &mut Vec<u8>, kind: &Kind, size: usize, units: &[String], chance: &mut Chance) {
    const NOTE: &[u8] = br#"],"note":""#;
    const END: &[u8] = br#""}"#;
    let list: &[u8] = if kind.subject.is_empty() {
        br#""commits":["#
    } else {
        br#""details":["#
    };
    out.extend_from_slice(list);
    let end = size.saturating_sub(NOTE.len() + END.len());
    let first = chance.below(units.len() as u64) as usize;
    for (n, unit) in units.iter().cycle().skip(first).enumerate() {
        let comma = usize::from(n > 0);
        if out.len() + comma + unit.len() > end {
            break;
        }
        out.extend_from_slice(&b","[..comma]);
        out.extend_from_slice(unit.as_bytes());
    }
    out.extend_from_slice(NOTE);
    out.resize((end + NOTE.len()).max(out.len()), b'.');
    out.extend_from_slice(END);
}
