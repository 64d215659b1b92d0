//! What was sent, as attempts record it: a hash tells two requests apart without keeping them.

use reqwest::header::HeaderMap;
use sha2::{Digest as _, Sha256};

/// Their values differ in every attempt, so only their names count.
const NEVER_THE_SAME: [&str; 2] = ["webhook-timestamp", "webhook-signature"];

/// SHA-256 in hex over headers: in the order of their names, each as `name:value` and a line feed.
#[must_use]
pub fn headers_sha256(headers: &HeaderMap) -> String {
    let mut lines: Vec<(&str, &[u8])> = headers
        .iter()
        .map(|(name, value)| match name.as_str() {
            name if NEVER_THE_SAME.contains(&name) => (name, &b""[..]),
            name => (name, value.as_bytes()),
        })
        .collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for (name, value) in lines {
        hash.update(name);
        hash.update(b":");
        hash.update(value);
        hash.update(b"\n");
    }
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = lines
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn the_hash_is_of_names_and_values_in_order_but_for_what_always_differs() {
        let first = [
            ("webhook-id", "7"),
            ("content-type", "application/json"),
            ("webhook-timestamp", "1"),
        ];
        let retry = [
            ("content-type", "application/json"),
            ("webhook-timestamp", "2"),
            ("webhook-id", "7"),
        ];
        let expected =
            Sha256::digest("content-type:application/json\nwebhook-id:7\nwebhook-timestamp:\n");
        assert_eq!(headers_sha256(&headers(&first)), hex::encode(expected));
        assert_eq!(
            headers_sha256(&headers(&first)),
            headers_sha256(&headers(&retry))
        );
        let other = [("webhook-id", "8")];
        assert_ne!(
            headers_sha256(&headers(&other)),
            headers_sha256(&headers(&[("webhook-id", "7")]))
        );
    }
}
