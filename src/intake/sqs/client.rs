//! The service's client, and what its errors mean.

use super::open::OpenError;
use crate::config::SqsConfig;
use crate::intake::IntakeError;
use crate::secret::Secret;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::Credentials;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesError;
use aws_sdk_sqs::types::QueueAttributeName;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

/// A queue, and how to speak with it.
#[derive(Clone)]
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) url: String,
}

/// The attributes of a queue.
pub(super) type Attributes = HashMap<QueueAttributeName, String>;

impl Queue {
    pub(super) async fn attributes(&self) -> Result<Attributes, SdkError<GetQueueAttributesError>> {
        let asking = self.client.get_queue_attributes().queue_url(&self.url);
        let found = asking
            .attribute_names(QueueAttributeName::All)
            .send()
            .await?;
        Ok(found.attributes.unwrap_or_default())
    }
}

/// A client with the credentials of the configuration, or else of the machine.
pub(super) async fn client(config: &SqsConfig) -> Result<Client, OpenError> {
    let tls = Provider::Rustls(CryptoMode::Ring);
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls)
        .build_https();
    let patience = Duration::from_millis(config.timeout_ms);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(patience / 4)
        .operation_attempt_timeout(patience / 2)
        .operation_timeout(patience)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(3));
    if let Some(region) = &config.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(endpoint) = &config.endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    if let Some(credentials) = credentials(config)? {
        loader = loader.credentials_provider(credentials);
    }
    let loaded = loader.load().await;
    if loaded.region().is_none() {
        return Err(OpenError::NoRegion);
    }
    Ok(Client::new(&loaded))
}

fn credentials(config: &SqsConfig) -> Result<Option<Credentials>, OpenError> {
    let (Some(id), Some(path)) = (&config.access_key_id, &config.access_key_file) else {
        return Ok(None);
    };
    let problem = |reason: String| OpenError::File {
        path: path.clone(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|error| problem(error.to_string()))?;
    let key = Secret::from_file_bytes(bytes);
    let text = std::str::from_utf8(key.expose());
    let text = text.map_err(|_| problem("a key is text, and this is not UTF-8".to_owned()))?;
    let from = "configuration";
    Ok(Some(Credentials::new(id, text, None, None, from)))
}

/// Answers that waiting does not change.
const REFUSALS: [&str; 12] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "AccessDenied",
    "AccessDeniedException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "InvalidSecurity",
    "KmsAccessDenied",
    "KmsDisabled",
    "KmsNotFound",
];

/// Whether the service knows no such queue.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error.meta().code().unwrap_or_default();
    code.ends_with("NonExistentQueue") || code.ends_with("QueueDoesNotExist")
}

/// Whether waiting does not mend it.
pub(super) fn is_refusal<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let code = error.meta().code().unwrap_or_default();
    REFUSALS.iter().any(|refusal| code.ends_with(refusal))
}

/// What an error of the service means to who asked.
pub(super) fn failed<E>(error: &SdkError<E>) -> IntakeError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match is_refusal(error) {
        true => IntakeError::Refused(said(error)),
        false => IntakeError::Unavailable(said(error)),
    }
}

/// What the service says, or else what went wrong on the way.
pub(super) fn said<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.meta().code(), error.meta().message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => DisplayErrorContext(error).to_string(),
    }
}
