//! A subscription's destination with its keys opened: makes the request of one attempt.

use super::Outgoing;
use super::egress::{Egress, EgressError};
use super::sign;
use crate::keyring::Keyring;
use crate::secret::Secret;
use bytes::Bytes;
use hooklog_projections::configuration::Subscription;
use hooklog_schemas::control::Signing;
use hooklog_schemas::webhook::form_payload;
use hooklog_schemas::{DeliveryId, Record, Timestamp};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use std::sync::Arc;
use std::time::Duration;
use url::Url;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// One version of a subscription, ready to be sent to.
pub struct Target {
    subscription: Arc<Subscription>,
    url: Result<Url, EgressError>,
    shown: String,
    keys: Result<Vec<Key>, String>,
}

struct Key {
    secret: Secret,
    valid_until: Option<Timestamp>,
}

/// Why there can be no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// The egress rules refuse the destination: trying again is in vain.
    #[error("{0}")]
    Refused(EgressError),
    /// No secret can be opened or used.
    #[error("the secret cannot be used: {0}")]
    Secret(String),
    /// The webhook's body was erased.
    #[error("the body was erased")]
    Erased,
}

impl Target {
    /// Opens the secrets of a subscription, once for all attempts of this version.
    #[must_use]
    pub fn open(subscription: &Arc<Subscription>, keyring: &Keyring, egress: &Egress) -> Self {
        Self {
            subscription: Arc::clone(subscription),
            url: egress.check_url(&subscription.spec.to),
            shown: shown(&subscription.spec.to),
            keys: keys(subscription, keyring),
        }
    }

    /// Likewise, but what is sent goes to another URL.
    #[must_use]
    pub fn elsewhere(
        subscription: &Arc<Subscription>,
        to: &str,
        keyring: &Keyring,
        egress: &Egress,
    ) -> Self {
        let mut elsewhere = Subscription::clone(subscription);
        to.clone_into(&mut elsewhere.spec.to);
        Self::open(&Arc::new(elsewhere), keyring, egress)
    }

    /// The version that was opened.
    #[must_use]
    pub fn subscription(&self) -> &Arc<Subscription> {
        &self.subscription
    }

    /// The destination without anything that could be a credential.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The request that delivers `webhook`, signed at `now`.
    ///
    /// # Errors
    /// When the destination is refused, no secret is usable, or the body is gone.
    pub fn request(
        &self,
        webhook: &Record,
        delivery: DeliveryId,
        now: Timestamp,
    ) -> Result<Outgoing, TargetError> {
        let url = self.url.clone().map_err(TargetError::Refused)?;
        let body = json_body(webhook).ok_or(TargetError::Erased)?;
        let policy = &self.subscription.spec.policy;
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(CONTENT_TYPE, JSON);
        let body = match self.subscription.spec.sign {
            Signing::Github => self.sign_github(&mut headers, webhook, body, now)?,
            Signing::Standard => {
                self.sign_standard(&mut headers, &delivery.to_string(), &body, now)?;
                copy(&mut headers, webhook, |name| {
                    NAMES_OF_STANDARD.contains(&name)
                });
                body
            }
            Signing::None => {
                put(&mut headers, "webhook-id", &delivery.to_string());
                copy(&mut headers, webhook, |name| {
                    NAMES_OF_STANDARD.contains(&name)
                });
                body
            }
        };
        let deadline = Duration::from_millis(policy.deadline_ms);
        Ok(Outgoing {
            url,
            headers,
            body,
            deadline,
        })
    }

    fn sign_standard(
        &self,
        headers: &mut HeaderMap,
        id: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), TargetError> {
        let keys = self.valid_keys(now)?;
        put(headers, "webhook-id", id);
        put(headers, "webhook-timestamp", &now.as_secs().to_string());
        put(
            headers,
            "webhook-signature",
            &sign::standard(&keys, id, now.as_secs(), body),
        );
        Ok(())
    }

    fn sign_github(
        &self,
        headers: &mut HeaderMap,
        webhook: &Record,
        body: Bytes,
        now: Timestamp,
    ) -> Result<Bytes, TargetError> {
        let policy = &self.subscription.spec.policy;
        copy(headers, webhook, |name| name.starts_with("x-github-"));
        // Receivers in the wild check who calls; another client's name is not GitHub's.
        let agent = webhook.header(USER_AGENT.as_str());
        if agent.is_some_and(|agent| agent.starts_with(HOOKSHOT)) {
            copy(headers, webhook, |name| name == USER_AGENT.as_str());
        }
        let body = if policy.form {
            headers.insert(CONTENT_TYPE, FORM);
            wrap(&body)
        } else {
            body
        };
        let keys = self.valid_keys(now)?;
        if let Some(newest) = keys.first() {
            put(headers, "x-hub-signature-256", &sign::github(newest, &body));
            if policy.sha1 {
                put(
                    headers,
                    "x-hub-signature",
                    &sign::github_sha1(newest, &body),
                );
            }
        }
        Ok(body)
    }

    /// Newest first.
    fn valid_keys(&self, now: Timestamp) -> Result<Vec<&Secret>, TargetError> {
        let keys = self.keys.as_ref();
        let keys = keys.map_err(|error| TargetError::Secret(error.clone()))?;
        let valid = keys
            .iter()
            .filter(|key| key.valid_until.is_none_or(|until| now < until));
        let valid: Vec<_> = valid.map(|key| &key.secret).collect();
        if valid.is_empty() {
            return Err(TargetError::Secret(
                "there is none that is valid".to_owned(),
            ));
        }
        Ok(valid)
    }
}

/// How GitHub's client names itself, before a slash and its version.
const HOOKSHOT: &[u8] = b"GitHub-Hookshot/";
/// GitHub's headers that are of use also to those who verify another way.
const NAMES_OF_STANDARD: [&str; 2] = ["x-github-event", "x-github-delivery"];

/// A destination as it may be shown and kept: without user, query and fragment.
#[must_use]
pub fn shown(to: &str) -> String {
    match Url::parse(to) {
        Ok(url) => {
            let port = url
                .port()
                .map(|port| format!(":{port}"))
                .unwrap_or_default();
            let host = url.host_str().unwrap_or_default();
            format!("{}://{host}{port}{}", url.scheme(), url.path())
        }
        Err(_) => "(not a URL)".to_owned(),
    }
}

fn keys(subscription: &Subscription, keyring: &Keyring) -> Result<Vec<Key>, String> {
    if subscription.spec.sign == Signing::None {
        return Ok(Vec::new());
    }
    let open = |sealed: &hooklog_projections::configuration::Secret| {
        let secret = keyring
            .open(sealed.id, &sealed.sealed)
            .map_err(|e| e.to_string())?;
        let secret = match subscription.spec.sign {
            Signing::Standard => sign::standard_key(&secret).map_err(|e| e.to_string())?,
            Signing::Github | Signing::None => secret,
        };
        let valid_until = sealed.valid_until;
        Ok(Key {
            secret,
            valid_until,
        })
    };
    subscription.secrets.iter().map(open).collect()
}

/// GitHub's JSON, byte for byte: a body that came as a form is unwrapped.
#[must_use]
pub fn json_body(webhook: &Record) -> Option<Bytes> {
    let value = webhook.value.clone()?;
    let content_type = webhook
        .header("content-type")
        .map(Bytes::as_ref)
        .unwrap_or_default();
    let form = content_type
        .get(..FORM.as_bytes().len())
        .is_some_and(|start| start.eq_ignore_ascii_case(FORM.as_bytes()));
    if form {
        return Some(form_payload(&value).map_or(value, Bytes::from));
    }
    Some(value)
}

fn wrap(json: &[u8]) -> Bytes {
    let mut form = String::with_capacity(json.len() * 3 / 2);
    form.push_str("payload=");
    form.extend(url::form_urlencoded::byte_serialize(json));
    form.into()
}

fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

fn copy(headers: &mut HeaderMap, webhook: &Record, wanted: impl Fn(&str) -> bool) {
    for header in webhook.headers.iter().filter(|header| wanted(&header.name)) {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_maybe_shared(header.value.clone());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests;
