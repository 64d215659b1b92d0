//! A secret as it stands in the log.

use serde::{Deserialize, Serialize};

/// A secret, encrypted with the key file's key. It can be printed: it tells nothing.
///
/// XChaCha20-Poly1305, base64 of nonce and ciphertext; the owner's id is the associated data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
pub struct Sealed {
    /// The id of the key that sealed it: the first eight hex digits of SHA-256 over the key.
    pub key_id: String,
    /// Base64 of the 24-byte nonce followed by the ciphertext and its tag.
    pub box_base64: String,
}
