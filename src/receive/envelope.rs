//! The headers of a webhook: what must be there, once, and how it must look.

use super::answer::Refusal;
use super::signature::parse_signature;
use axum::http::header::{CONTENT_ENCODING, TRANSFER_ENCODING};
use axum::http::{HeaderMap, HeaderValue};

/// The headers that matter, checked.
#[derive(Debug)]
pub(super) struct Envelope {
    /// `X-GitHub-Delivery`.
    pub(super) guid: String,
    /// `X-GitHub-Event`.
    pub(super) event: String,
    /// `X-GitHub-Hook-ID`.
    pub(super) hook_id: Option<String>,
    /// The body is a form.
    pub(super) form: bool,
    /// The digest that `X-Hub-Signature-256` claims.
    pub(super) signature: [u8; 32],
    /// `Content-Length`; none for a chunked body.
    pub(super) length: Option<u64>,
}

/// GUIDs, event names and ids are far shorter; longer ones are not GitHub's.
const VALUE_BYTES_MAX: usize = 128;

/// The part of a claimed GUID that is worth remembering.
const CLAIMED_BYTES_MAX: usize = 64;

const EVENT: &str = "x-github-event";
const DELIVERY: &str = "x-github-delivery";
const HOOK_ID: &str = "x-github-hook-id";
const SIGNATURE: &str = "x-hub-signature-256";
const TYPE: &str = "content-type";
const LENGTH: &str = "content-length";

impl Envelope {
    /// Checks `headers`.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Refusal> {
        let event = required(headers, EVENT)?;
        let guid = required(headers, DELIVERY)?;
        let hook_id = single(headers, HOOK_ID)?.map(|value| sane(HOOK_ID, value));
        let signature = single(headers, SIGNATURE)?.ok_or(Refusal::Unsigned)?;
        let signature = parse_signature(signature.as_bytes()).ok_or(Refusal::Signature)?;
        refuse_encoding(headers)?;
        Ok(Self {
            guid,
            event,
            hook_id: hook_id.transpose()?,
            form: is_form(headers)?,
            signature,
            length: length(headers)?,
        })
    }
}

/// The GUID that a request claims, as far as it can be shown; nothing about it is verified.
pub(super) fn claimed_guid(headers: &HeaderMap) -> String {
    let claimed = headers
        .get(DELIVERY)
        .map_or(&b""[..], HeaderValue::as_bytes);
    let visible = claimed.iter().filter(|byte| byte.is_ascii_graphic());
    visible
        .take(CLAIMED_BYTES_MAX)
        .map(|&byte| char::from(byte))
        .collect()
}

fn required(headers: &HeaderMap, name: &'static str) -> Result<String, Refusal> {
    sane(name, single(headers, name)?.ok_or(Refusal::Header(name))?)
}

fn single<'a>(
    headers: &'a HeaderMap,
    name: &'static str,
) -> Result<Option<&'a HeaderValue>, Refusal> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(Refusal::Header(name)),
    }
}

fn sane(name: &'static str, value: &HeaderValue) -> Result<String, Refusal> {
    let bytes = value.as_bytes();
    let fits = !bytes.is_empty() && bytes.len() <= VALUE_BYTES_MAX;
    let text = std::str::from_utf8(bytes).ok();
    text.filter(|_| fits && bytes.iter().all(u8::is_ascii_graphic))
        .map(str::to_owned)
        .ok_or(Refusal::Header(name))
}

fn refuse_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    let identity = encodings.all(|value| value.as_bytes().eq_ignore_ascii_case(b"identity"));
    identity.then_some(()).ok_or(Refusal::Encoding)
}

fn is_form(headers: &HeaderMap) -> Result<bool, Refusal> {
    let value = single(headers, TYPE)?.ok_or(Refusal::ContentType)?;
    let mut parts = value.as_bytes().split(|&byte| byte == b';');
    let essence = parts.next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        Ok(false)
    } else if essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        Ok(true)
    } else {
        Err(Refusal::ContentType)
    }
}

fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    if headers.contains_key(TRANSFER_ENCODING) {
        return Ok(None);
    }
    let value = single(headers, LENGTH)?.ok_or(Refusal::Length)?;
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    parsed.map(Some).ok_or(Refusal::Header(LENGTH))
}
