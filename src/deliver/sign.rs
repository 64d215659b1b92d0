//! Signatures of deliveries: Standard Webhooks and GitHub's, to make and to verify.

use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hooklog_schemas::Timestamp;
use hooklog_schemas::control::Signing;
use sha1::Sha1;
use sha2::Sha256;
use std::time::Duration;

/// How old or how far ahead a timestamp may be when a signature is verified.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// What every secret of Standard Webhooks starts with.
const PREFIX: &str = "whsec_";

/// Why a secret cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// It does not look like one.
    #[error("a Standard Webhooks secret is whsec_ followed by base64; this one is not")]
    Form,
    /// It has the wrong length.
    #[error("a Standard Webhooks secret has 24 to 64 bytes; this one has {0}")]
    Length(usize),
    /// The system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

/// Why a signature does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The header does not look like one.
    #[error("the signature is not of the form {0}")]
    Form(&'static str),
    /// The timestamp is no number.
    #[error("the timestamp is not a number of seconds since 1970")]
    Timestamp,
    /// The timestamp is too old or too far ahead.
    #[error(
        "the timestamp is more than five minutes away from now: perhaps a replay, or a wrong clock"
    )]
    Stale,
    /// No signature of the header is right.
    #[error("no signature is right: another secret, or other bytes")]
    Wrong,
}

/// A new secret for Standard Webhooks: 32 random bytes.
///
/// # Errors
/// When the system gives no random bytes.
pub fn generate_secret() -> Result<Secret, SecretError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| SecretError::Random(error.to_string()))?;
    Ok(Secret::new(
        format!("{PREFIX}{}", BASE64.encode(bytes)).into_bytes(),
    ))
}

/// Checks that `secret` can sign in this mode.
///
/// # Errors
/// What is wrong with it.
pub fn check_secret(mode: Signing, secret: &Secret) -> Result<(), SecretError> {
    match mode {
        Signing::Standard => standard_key(secret).map(drop),
        Signing::Github if secret.is_empty() => Err(SecretError::Empty),
        Signing::Github | Signing::None => Ok(()),
    }
}

/// The key of a Standard Webhooks secret: what follows `whsec_`, decoded.
///
/// # Errors
/// When it is not one.
pub fn standard_key(secret: &Secret) -> Result<Secret, SecretError> {
    if secret.is_empty() {
        return Err(SecretError::Empty);
    }
    let text = std::str::from_utf8(secret.expose()).map_err(|_| SecretError::Form)?;
    let encoded = text.strip_prefix(PREFIX).ok_or(SecretError::Form)?;
    let key = BASE64.decode(encoded).map_err(|_| SecretError::Form)?;
    match key.len() {
        24..=64 => Ok(Secret::new(key)),
        length => Err(SecretError::Length(length)),
    }
}

/// `webhook-signature` over id, timestamp (seconds since 1970) and body, by every key: the newest
/// first, separated by spaces. Keys come from [`standard_key`].
#[must_use]
pub fn standard(keys: &[&Secret], id: &str, timestamp: i64, body: &[u8]) -> String {
    let entries: Vec<String> = keys
        .iter()
        .filter_map(|key| {
            let digest = standard_mac(key, id, timestamp, body)?
                .finalize()
                .into_bytes();
            Some(format!("v1,{}", BASE64.encode(digest)))
        })
        .collect();
    entries.join(" ")
}

/// `X-Hub-Signature-256` over the body.
#[must_use]
pub fn github(secret: &Secret, body: &[u8]) -> String {
    let digest = sha256(secret, body).map(|mac| mac.finalize().into_bytes());
    format!("sha256={}", hex::encode(digest.unwrap_or_default()))
}

/// The old `X-Hub-Signature` over the body, for receivers that still look at it.
#[must_use]
pub fn github_sha1(secret: &Secret, body: &[u8]) -> String {
    let mac = Hmac::<Sha1>::new_from_slice(secret.expose()).ok();
    let digest = mac.map(|mac| mac.chain_update(body).finalize().into_bytes());
    format!("sha1={}", hex::encode(digest.unwrap_or_default()))
}

/// Verifies `X-Hub-Signature-256`. Only GitHub's own form counts: lower-case hex, all 64 digits.
///
/// # Errors
/// Why it does not verify.
pub fn verify_github(secret: &Secret, header: &str, body: &[u8]) -> Result<(), VerifyError> {
    const FORM: &str = "sha256= followed by 64 lower-case hex digits";
    check_secret(Signing::Github, secret)?;
    let digits = header
        .strip_prefix("sha256=")
        .ok_or(VerifyError::Form(FORM))?;
    let lower = digits
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if digits.len() != 64 || !lower {
        return Err(VerifyError::Form(FORM));
    }
    let claimed = hex::decode(digits).map_err(|_| VerifyError::Form(FORM))?;
    let mac = sha256(secret, body).ok_or(VerifyError::Wrong)?;
    mac.verify_slice(&claimed).map_err(|_| VerifyError::Wrong)
}

/// What a Standard Webhooks receiver gets beside the body.
#[derive(Clone, Copy, Debug)]
pub struct StandardHeaders<'a> {
    /// `webhook-id`.
    pub id: &'a str,
    /// `webhook-timestamp`.
    pub timestamp: &'a str,
    /// `webhook-signature`.
    pub signature: &'a str,
}

/// Verifies a Standard Webhooks request at `now`: one right `v1` signature suffices, others are
/// skipped.
///
/// # Errors
/// Why it does not verify.
pub fn verify_standard(
    secret: &Secret,
    headers: StandardHeaders<'_>,
    body: &[u8],
    now: Timestamp,
) -> Result<(), VerifyError> {
    let key = standard_key(secret)?;
    let timestamp: i64 = headers
        .timestamp
        .parse()
        .map_err(|_| VerifyError::Timestamp)?;
    let away = timestamp.abs_diff(now.as_secs());
    if away > TOLERANCE.as_secs() {
        return Err(VerifyError::Stale);
    }
    if headers.id.is_empty() || headers.signature.is_empty() {
        return Err(VerifyError::Form(
            "v1,BASE64 (and webhook-id must be there)",
        ));
    }
    let right = |entry: &str| {
        let claimed = entry
            .strip_prefix("v1,")
            .and_then(|text| BASE64.decode(text).ok());
        let mac = standard_mac(&key, headers.id, timestamp, body);
        let verified = claimed
            .zip(mac)
            .map(|(claimed, mac)| mac.verify_slice(&claimed));
        matches!(verified, Some(Ok(())))
    };
    if headers.signature.split(' ').any(right) {
        return Ok(());
    }
    Err(VerifyError::Wrong)
}

fn standard_mac(key: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(key.expose()).ok()?;
    Some(
        mac.chain_update(format!("{id}.{timestamp}."))
            .chain_update(body),
    )
}

fn sha256(secret: &Secret, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.expose()).ok()?;
    Some(mac.chain_update(body))
}

#[cfg(test)]
mod tests;
