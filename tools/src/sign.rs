//! Signatures of both kinds, apart from the product's own code: a mistake there must not hide here.

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// A key with its schedule computed once.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl Signer {
    /// GitHub's way: the secret's own bytes are the key.
    pub(crate) fn github(secret: &[u8]) -> Result<Self> {
        Hmac::new_from_slice(secret).map(Self).context("hmac key")
    }

    /// Standard Webhooks: the key is the base64 after `whsec_`.
    pub(crate) fn standard(secret: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(secret).context("the secret is not text")?;
        let Some(encoded) = text.strip_prefix("whsec_") else {
            bail!("a Standard Webhooks secret starts with whsec_");
        };
        let key = BASE64
            .decode(encoded)
            .context("after whsec_ comes base64")?;
        Self::github(&key)
    }

    /// The value of `X-Hub-Signature-256`.
    pub(crate) fn hub(&self, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(body);
        format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
    }

    /// Whether `signature` is the value of `X-Hub-Signature-256` for `body`.
    pub(crate) fn hub_holds(&self, body: &[u8], signature: &[u8]) -> bool {
        let Some(Ok(expected)) = signature.strip_prefix(b"sha256=").map(hex::decode) else {
            return false;
        };
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(&expected).is_ok()
    }

    /// The value of `webhook-signature`.
    pub(crate) fn webhook(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mac = self.standard_mac(id.as_bytes(), timestamp.as_bytes(), body);
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }

    /// Whether one of the space-separated `signatures` is right.
    pub(crate) fn webhook_holds(
        &self,
        id: &[u8],
        timestamp: &[u8],
        body: &[u8],
        signatures: &[u8],
    ) -> bool {
        let mac = self.standard_mac(id, timestamp, body);
        signatures.split(|byte| *byte == b' ').any(|one| {
            let Some(Ok(expected)) = one.strip_prefix(b"v1,").map(|text| BASE64.decode(text))
            else {
                return false;
            };
            mac.clone().verify_slice(&expected).is_ok()
        })
    }

    fn standard_mac(&self, id: &[u8], timestamp: &[u8], body: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.0.clone();
        for part in [id, b".", timestamp, b".", body] {
            mac.update(part);
        }
        mac
    }
}

/// SHA-256 in hex, as histories and receipts name a body.
pub(crate) fn sha256_hex(body: &[u8]) -> String {
    hex::encode(Sha256::digest(body))
}

/// Reads a secret file; one trailing newline is dropped.
pub(crate) fn read_secret(path: &Path) -> Result<Vec<u8>> {
    let mut secret =
        std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    if secret.last() == Some(&b'\n') {
        secret.pop();
    }
    if secret.is_empty() {
        bail!(
            "{} is empty; a secret has at least one byte",
            path.display()
        );
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn githubs_own_vector_holds() {
        let signer = Signer::github(b"It's a Secret to Everybody").unwrap();
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signer.hub(b"Hello, World!"), expected);
        assert!(signer.hub_holds(b"Hello, World!", expected.as_bytes()));
        assert!(!signer.hub_holds(b"Hello, World!", &expected.as_bytes()[..70]));
        assert!(!signer.hub_holds(b"Hello, World?", expected.as_bytes()));
    }

    #[test]
    fn the_vector_of_standard_webhooks_holds() {
        let signer = Signer::standard(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        let body = br#"{"test": 2432232314}"#;
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signer.webhook(id, at, body), expected);
        let both = format!("v1,AAAA {expected}");
        assert!(signer.webhook_holds(id.as_bytes(), at.as_bytes(), body, both.as_bytes()));
        assert!(!signer.webhook_holds(id.as_bytes(), b"1614265331", body, both.as_bytes()));
    }

    #[test]
    fn a_secret_without_its_prefix_is_refused() {
        assert!(Signer::standard(b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_err());
    }
}
