//! Large bodies in an object store: a folder, S3, or Azure Blob Storage.
//!
//! An object is named by its event, so it is written once. It is removed after its record is in the
//! log; what a crash leaves behind, a lifecycle rule of the store has to remove.

use super::files::{self, FileError};
use super::{Bodies, BodiesError};
use crate::config::ClaimCheckConfig;
use async_trait::async_trait;
use bytes::Bytes;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, ObjectStoreExt as _, PutPayload, RetryConfig,
};
use std::time::Duration;
use url::Url;

/// GitHub waits for 10 s, so nothing is tried for longer.
const PATIENCE: Duration = Duration::from_secs(6);

/// An object store, and the folder in it.
pub struct Objects {
    store: Box<dyn ObjectStore>,
    prefix: Path,
}

/// Why an object store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file that the configuration names cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The store's client does not take the settings.
    #[error("intake.claim_check.url = {url}: {reason}")]
    Settings {
        /// The store.
        url: String,
        /// What is wrong.
        reason: String,
    },
}

impl Objects {
    /// The store of `config`, if it names one.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(config: &ClaimCheckConfig) -> Result<Option<Self>, OpenError> {
        let Some(text) = &config.url else {
            return Ok(None);
        };
        let wrong = |reason: String| OpenError::Settings {
            url: text.clone(),
            reason,
        };
        let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
        let made = match url.scheme() {
            "file" => folder(&url),
            "s3" => s3(config, &url, key(config)?),
            _ => azure(config, &url, key(config)?),
        };
        let (store, prefix) = made.map_err(|error| wrong(error.to_string()))?;
        Ok(Some(Self { store, prefix }))
    }

    fn path(&self, name: &str) -> Path {
        self.prefix.clone().join(name)
    }
}

type Made = Result<(Box<dyn ObjectStore>, Path), object_store::Error>;

fn key(config: &ClaimCheckConfig) -> Result<Option<String>, OpenError> {
    let Some(path) = &config.access_key_file else {
        return Ok(None);
    };
    let key = files::secret("intake.claim_check.access_key_file", path)?;
    Ok(Some(files::text(&key).to_owned()))
}

/// Synced: the crate does not by itself.
fn folder(url: &Url) -> Made {
    let path = url.to_file_path().unwrap_or_default();
    let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
    Ok((Box::new(store), Path::default()))
}

fn s3(config: &ClaimCheckConfig, url: &Url, key: Option<String>) -> Made {
    let mut store = AmazonS3Builder::from_env()
        .with_bucket_name(url.host_str().unwrap_or_default())
        .with_client_options(client(config))
        .with_retry(retries());
    if let Some(region) = &config.region {
        store = store.with_region(region);
    }
    if let Some(endpoint) = &config.endpoint {
        store = store.with_endpoint(endpoint);
    }
    if let Some((id, key)) = config.access_key_id.as_ref().zip(key) {
        store = store.with_access_key_id(id).with_secret_access_key(key);
    }
    Ok((Box::new(store.build()?), Path::from(url.path())))
}

fn azure(config: &ClaimCheckConfig, url: &Url, key: Option<String>) -> Made {
    let mut store = MicrosoftAzureBuilder::from_env()
        .with_container_name(url.host_str().unwrap_or_default())
        .with_client_options(client(config))
        .with_retry(retries());
    if let Some(account) = &config.account {
        store = store.with_account(account);
    }
    if let Some(endpoint) = &config.endpoint {
        store = store.with_endpoint(endpoint.clone());
    }
    if let Some(key) = key {
        store = store.with_access_key(key);
    }
    Ok((Box::new(store.build()?), Path::from(url.path())))
}

fn client(config: &ClaimCheckConfig) -> ClientOptions {
    // Whoever made one before this chose the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = config
        .endpoint
        .as_ref()
        .is_some_and(|url| url.starts_with("http://"));
    ClientOptions::new()
        .with_allow_http(plain)
        .with_timeout(PATIENCE)
        .with_connect_timeout(PATIENCE / 3)
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 2,
        retry_timeout: PATIENCE,
    }
}

#[async_trait]
impl Bodies for Objects {
    async fn keep(&self, name: &str, body: Bytes) -> Result<(), BodiesError> {
        let kept = self
            .store
            .put(&self.path(name), PutPayload::from(body))
            .await;
        kept.map(drop).map_err(told)
    }

    async fn fetch(&self, name: &str) -> Result<Bytes, BodiesError> {
        let found = self.store.get(&self.path(name)).await.map_err(told)?;
        found.bytes().await.map_err(told)
    }

    async fn remove(&self, name: &str) -> Result<(), BodiesError> {
        match self.store.delete(&self.path(name)).await.map_err(told) {
            Err(BodiesError::Missing(_)) => Ok(()),
            removed => removed,
        }
    }
}

fn told(error: object_store::Error) -> BodiesError {
    match error {
        object_store::Error::NotFound { path, .. } => BodiesError::Missing(path),
        other => BodiesError::Unavailable(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_kept_fetched_and_removed_in_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let config = ClaimCheckConfig {
            url: Some(format!("file://{}", folder.path().display())),
            ..ClaimCheckConfig::default()
        };
        let objects = Objects::open(&config).unwrap().unwrap();
        let body: Bytes = (0..=255).collect();
        objects.keep("one", body.clone()).await.unwrap();
        // Another process finds it.
        let other = Objects::open(&config).unwrap().unwrap();
        assert_eq!(other.fetch("one").await.unwrap(), body);
        other.remove("one").await.unwrap();
        other.remove("one").await.unwrap();
        let gone = objects.fetch("one").await;
        assert!(matches!(gone, Err(BodiesError::Missing(_))), "{gone:?}");
    }

    #[test]
    fn a_folder_that_is_missing_is_named() {
        let config = ClaimCheckConfig {
            url: Some("file:///nowhere/bodies".to_owned()),
            ..ClaimCheckConfig::default()
        };
        let told = Objects::open(&config).err().unwrap().to_string();
        assert!(
            told.contains("intake.claim_check.url = file:///nowhere"),
            "{told}"
        );
    }
}
