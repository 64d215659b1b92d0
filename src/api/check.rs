//! What values may be. Each refusal says which value, why, and what would be right.

use super::problem::Problem;
use super::secrets::SecretText;
use hooklog_schemas::control::{Policy, Signing};
use ipnet::IpNet;
use std::net::IpAddr;
use std::ops::RangeInclusive;

/// Characters of a name at the most.
const NAME_MAX: usize = 63;
/// Characters of a reason at the most.
const REASON_MAX: usize = 1_000;
/// Bytes of a secret at the most.
const SECRET_MAX: usize = 4 << 10;
/// Characters of a wrong value that an error shows.
const SHOWN_MAX: usize = 200;
/// Entries of a list at the most.
pub(super) const LIST_MAX: usize = 1_000;
/// The longest delay or deadline that a policy may ask for, in milliseconds: 7 days.
const DELAY_MAX_MS: u64 = 7 * 24 * 3_600_000;

/// A name that stands in URLs and labels: `[a-z0-9][a-z0-9-]{0,62}`.
pub(super) fn name(field: &str, text: &str) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=NAME_MAX).contains(&text.len()) && text.chars().all(good) && !text.starts_with('-') {
        return Ok(());
    }
    let rule = "a name has 1 to 63 characters of a-z, 0-9 and -, and does not begin with -";
    Err(wrong(field, text, rule))
}

/// The name of a person or a service, such as `ann@example.com`.
pub(super) fn holder_name(text: &str) -> Result<(), Problem> {
    let good = |c: char| c.is_ascii_alphanumeric() || "._@+-".contains(c);
    let first = text
        .chars()
        .next()
        .is_some_and(|c| c.is_ascii_alphanumeric());
    if !first || text.len() > NAME_MAX || !text.chars().all(good) {
        let rule = "a token's name has 1 to 63 characters of a-z, A-Z, 0-9, and . _ @ + - \
                    after the first";
        return Err(wrong("name", text, rule));
    }
    if [super::auth::BOOTSTRAP, "hooklog"].contains(&text) {
        return Err(wrong("name", text, "hooklog itself acts under this name"));
    }
    Ok(())
}

/// A host's name, in lower case.
pub(super) fn host(text: &str) -> Result<String, Problem> {
    let lower = text.to_ascii_lowercase();
    let label = |label: &str| {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '-';
        (1..=63).contains(&label.len()) && label.chars().all(good) && !label.starts_with('-')
    };
    if lower.len() <= 253 && lower.split('.').all(label) {
        return Ok(lower);
    }
    Err(wrong(
        "host",
        text,
        "it must be a host's name, such as github.com or ghe.example.com",
    ))
}

/// Networks in CIDR form; a single address stands for itself.
pub(super) fn networks(given: &[String]) -> Result<Vec<String>, Problem> {
    bounded("allow", given.len())?;
    let network = |text: &String| match (text.parse::<IpNet>(), text.parse::<IpAddr>()) {
        (Ok(network), _) => Ok(network.trunc().to_string()),
        (_, Ok(address)) => Ok(IpNet::from(address).to_string()),
        _ => {
            let rule = "it must be a network in CIDR form, such as 192.30.252.0/22";
            Err(wrong("allow", text, rule))
        }
    };
    given.iter().map(network).collect()
}

/// A rate: at least one a second, if any.
pub(super) fn rate(field: &str, rate: Option<u32>) -> Result<(), Problem> {
    rate.map_or(Ok(()), |rate| within(field, u64::from(rate), 1..=1_000_000))
}

/// Ids of organisations, as GitHub counts them.
pub(super) fn organization_ids(ids: &[i64]) -> Result<(), Problem> {
    bounded("organization_ids", ids.len())?;
    match ids.iter().find(|id| **id < 1) {
        Some(id) => Err(wrong(
            "organization_ids",
            &id.to_string(),
            "GitHub's ids begin at 1",
        )),
        None => Ok(()),
    }
}

/// A secret's text. What is wrong is told without quoting it.
pub(super) fn secret(bytes: &[u8]) -> Result<(), Problem> {
    match bytes.len() {
        0 => Err(Problem::bad_value(
            "`secret` is empty, and would protect nothing",
        )),
        1..=SECRET_MAX => Ok(()),
        long => Err(Problem::bad_value(format!(
            "`secret` has {long} bytes, and may have {SECRET_MAX}"
        ))),
    }
}

/// Secrets below this can be guessed from one captured webhook: GitHub advises random ones.
const SECRET_STRONG_BYTES: usize = 16;

/// What should be better about a secret that is taken all the same: it is GitHub's side that chose it.
pub(super) fn weak(secret: &SecretText) -> Option<String> {
    let bytes = secret.bytes();
    (bytes < SECRET_STRONG_BYTES).then(|| {
        format!(
            "the secret has {bytes} bytes, and can be guessed from one captured webhook; better take \
             {SECRET_STRONG_BYTES} random bytes or more (openssl rand -hex 32)"
        )
    })
}

/// The reason that goes into the event.
pub(super) fn reason(given: Option<String>) -> Result<Option<String>, Problem> {
    let Some(text) = given else { return Ok(None) };
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(Problem::bad_value(
            "`reason` has control characters; write one line",
        ));
    }
    let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
    within("characters of `reason`", length, 0..=REASON_MAX as u64)?;
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

/// How long replaced secrets stay valid, in seconds: a year at the most.
pub(super) fn overlap(secs: u64) -> Result<(), Problem> {
    within("overlap_seconds", secs, 0..=365 * 86_400)
}

/// A policy's bounds, and what fits to the signature.
pub(super) fn policy(policy: &Policy, sign: Signing) -> Result<(), Problem> {
    within(
        "policy.attempts_max",
        u64::from(policy.attempts_max),
        1..=100,
    )?;
    within("policy.delay_max_ms", policy.delay_max_ms, 1..=DELAY_MAX_MS)?;
    within(
        "policy.delay_first_ms",
        policy.delay_first_ms,
        1..=policy.delay_max_ms,
    )?;
    within("policy.deadline_ms", policy.deadline_ms, 1..=300_000)?;
    within(
        "policy.concurrency_max",
        u64::from(policy.concurrency_max),
        1..=10_000,
    )?;
    rate("policy.rate_per_second", policy.rate_per_second)?;
    if sign == Signing::Github {
        return Ok(());
    }
    match [("policy.sha1", policy.sha1), ("policy.form", policy.form)]
        .iter()
        .find(|(_, set)| *set)
    {
        Some((field, _)) => Err(wrong(field, "true", "it needs `sign` to be `github`")),
        None => Ok(()),
    }
}

/// A destination without credentials; an error must not quote them.
pub(super) fn no_password(to: &str) -> Result<(), Problem> {
    let url = url::Url::parse(to);
    if url.is_ok_and(|url| !url.username().is_empty() || url.password().is_some()) {
        let detail = "`to` has a user or a password, which every list would show; \
                      let the subscriber verify the signature instead";
        return Err(Problem::bad_value(detail));
    }
    Ok(())
}

pub(super) fn within(field: &str, value: u64, bounds: RangeInclusive<u64>) -> Result<(), Problem> {
    if bounds.contains(&value) {
        return Ok(());
    }
    let (least, most) = bounds.into_inner();
    let rule = format!("it must be from {least} to {most}");
    Err(wrong(field, &value.to_string(), &rule))
}

pub(super) fn bounded(field: &str, length: usize) -> Result<(), Problem> {
    if length <= LIST_MAX {
        return Ok(());
    }
    Err(Problem::bad_value(format!(
        "`{field}` has {length} entries, and may have {LIST_MAX}"
    )))
}

/// The refusal of one value.
pub(super) fn wrong(field: &str, value: &str, rule: &str) -> Problem {
    let mut shown: String = value.chars().take(SHOWN_MAX).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    Problem::bad_value(format!("`{field}` cannot be {shown:?}: {rule}"))
}
