//! What a receiver knows of a webhook: the metadata beside the body of `webhook.received`.

mod form;
pub use form::form_payload;

use crate::control::ConfigurationVersion;
use crate::{ReceiptId, SecretId, SourceId, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of `webhook.received` that this release writes.
pub const VERSION: u16 = 1;

/// The type of the record of a receipt.
pub const RECEIVED: crate::EventType = crate::EventType::known("webhook.received");

/// The header that holds [`Received`] as JSON.
pub const METADATA_HEADER: &str = "hooklog_received";

/// The metadata of one receipt.
///
/// The record's other headers are the CloudEvents attributes (`ce_*`, Kafka's binary mode), the
/// `content-type`, and GitHub's own headers with the signature, so that an auditor can verify it
/// again years later.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Received {
    /// The receipt.
    pub receipt: ReceiptId,
    /// When the request's body was complete.
    pub received_at: Timestamp,
    /// The source whose secret verified it.
    pub source: SourceId,
    /// That source's name at the time.
    pub source_name: String,
    /// The secret that verified it.
    pub secret: SecretId,
    /// The configuration that the receiver knew. The router never uses an older one.
    pub configuration: ConfigurationVersion,
    /// The client's address.
    pub client: String,
    /// What routing looks at.
    pub facts: Facts,
}

/// What routing looks at, parsed once at receipt. Absent in the body means absent here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Facts {
    /// `X-GitHub-Delivery`: names the event, not the request.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The body's `action`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The host of the source: `github.com` or a GitHub Enterprise Server.
    pub host: String,
    /// `X-GitHub-Hook-ID`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook_id: Option<String>,
    /// `ref`, such as `refs/heads/main`, or a branch that the event names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub git_ref: Option<String>,
    /// `repository.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository_id: Option<i64>,
    /// `repository.full_name`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// `organization.id`, or the id of a repository's owner of type Organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization_id: Option<i64>,
    /// `organization.login`, or the login of that owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// `sender.id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender_id: Option<i64>,
    /// `sender.login`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// When it happened, as the body tells: GitHub's time of the last change of what the event is
    /// about. None where the body tells none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_at: Option<Timestamp>,
    /// Bytes of the request's body, as sent.
    pub body_bytes: u64,
    /// The body came as `application/x-www-form-urlencoded`.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub form: bool,
    /// The signature is right, but the body is not the JSON object that GitHub sends.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unparsed: bool,
}

impl Facts {
    /// What decides the partition: the repository's id, else the organisation's, else the GUID.
    #[must_use]
    pub fn partition_subject(&self) -> String {
        match (self.repository_id, self.organization_id) {
            (Some(id), _) | (None, Some(id)) => id.to_string(),
            (None, None) => self.guid.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_goes_by_repository_then_organisation_then_guid() {
        let mut facts = Facts {
            guid: "g".into(),
            ..Facts::default()
        };
        assert_eq!(facts.partition_subject(), "g");
        facts.organization_id = Some(2);
        assert_eq!(facts.partition_subject(), "2");
        facts.repository_id = Some(1);
        assert_eq!(facts.partition_subject(), "1");
    }
}
