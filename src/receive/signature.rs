//! GitHub's signature: HMAC-SHA256 over the raw bytes of the body.

use crate::secret::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Verifies what was signed with one secret. The key is set up once.
#[derive(Clone)]
pub struct Verifier(Hmac<Sha256>);

impl Verifier {
    /// From a secret; none if that is empty, since an empty secret would accept anybody.
    #[must_use]
    pub fn new(secret: &Secret) -> Option<Self> {
        if secret.is_empty() {
            return None;
        }
        Hmac::new_from_slice(secret.expose()).ok().map(Self)
    }

    /// Whether `digest` is the HMAC-SHA256 of `body`, in constant time.
    #[must_use]
    pub fn verifies(&self, body: &[u8], digest: &[u8; 32]) -> bool {
        let mut mac = self.0.clone();
        mac.update(body);
        mac.verify_slice(digest).is_ok()
    }
}

/// The digest in `sha256=` followed by exactly 64 lower-case hex digits, as GitHub sends it.
///
/// Anything else is none: a prefix, upper case, another algorithm, white space.
#[must_use]
pub fn parse_signature(header: &[u8]) -> Option<[u8; 32]> {
    let digits: &[u8; 64] = header.strip_prefix(b"sha256=")?.try_into().ok()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let mut digest = [0; 32];
    for (byte, &[high, low]) in digest.iter_mut().zip(pairs) {
        *byte = nibble(high)? << 4 | nibble(low)?;
    }
    Some(digest)
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"It's a Secret to Everybody";
    const BODY: &[u8] = b"Hello, World!";
    const HEX: &str = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

    fn accepts(header: &[u8]) -> bool {
        let verifier = Verifier::new(&Secret::new(SECRET.to_vec())).unwrap();
        parse_signature(header).is_some_and(|digest| verifier.verifies(BODY, &digest))
    }

    #[test]
    fn githubs_own_example_verifies() {
        assert!(accepts(format!("sha256={HEX}").as_bytes()));
    }

    #[test]
    fn no_prefix_of_a_right_signature_verifies() {
        let whole = format!("sha256={HEX}");
        for length in 0..whole.len() {
            assert!(
                !accepts(&whole.as_bytes()[..length]),
                "{length} bytes of it"
            );
        }
    }

    #[test]
    fn nothing_but_the_exact_form_verifies() {
        let sha1 = "sha1=0000000000000000000000000000000000000000";
        for header in [
            String::new(),
            "sha256=".into(),
            format!("sha256={}", HEX.to_uppercase()),
            format!("SHA256={HEX}"),
            format!("sha256={HEX} "),
            format!(" sha256={HEX}"),
            format!("sha256={HEX}0"),
            format!("sha1={HEX}"),
            sha1.into(),
            HEX.into(),
            format!("sha256={}", "g".repeat(64)),
            format!("sha256={}", "0".repeat(64)),
            format!("sha256=sha256={HEX}"),
        ] {
            assert!(!accepts(header.as_bytes()), "{header:?}");
        }
        assert!(!accepts(b"sha256=\xff\xfe"));
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        assert!(Verifier::new(&Secret::new(Vec::new())).is_none());
    }
}
