//! `[intake.claim_check]`: an object store for bodies that are too large for the queue.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// An object store. Without `url` there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClaimCheckConfig {
    /// `file:///folder`, `s3://bucket/prefix`, or `azure://container/prefix`.
    pub url: Option<String>,
    /// The store's own address, where it is not the provider's: MinIO, an emulator, a private link.
    pub endpoint: Option<String>,
    /// The region (S3).
    pub region: Option<String>,
    /// The storage account (Azure).
    pub account: Option<String>,
    /// The id of an access key (S3); without one the machine's or the pod's role is used.
    pub access_key_id: Option<String>,
    /// The file that holds the access key (S3 with `access_key_id`, Azure); without one the
    /// machine's or the pod's role is used.
    pub access_key_file: Option<PathBuf>,
}
