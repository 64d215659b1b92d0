//! The token of OAUTHBEARER, from a file that somebody else keeps fresh.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rdkafka::client::OAuthToken;
use serde::Deserialize;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a token that does not say its end is used before the file is read again.
const UNSAID: Duration = Duration::from_secs(300);

/// What a JWT says of itself.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    /// Seconds since 1970.
    exp: Option<f64>,
    sub: Option<String>,
}

/// Reads the file. The end of the token is its claim `exp`; a token that is no JWT is read again
/// every few minutes.
pub(super) fn read(path: &Path) -> Result<OAuthToken, Box<dyn Error>> {
    let token = std::fs::read_to_string(path)
        .map_err(|error| format!("log.kafka.token_file = {}: {error}", path.display()))?;
    let token = token.trim().to_owned();
    if token.is_empty() {
        return Err(format!("log.kafka.token_file = {}: it is empty", path.display()).into());
    }
    let claims = claims(&token).unwrap_or_default();
    let ends_ms = match claims.exp {
        Some(seconds) => (seconds * 1_000.0) as i64,
        None => {
            let end = SystemTime::now().duration_since(UNIX_EPOCH)? + UNSAID;
            i64::try_from(end.as_millis())?
        }
    };
    Ok(OAuthToken {
        token,
        principal_name: claims.sub.unwrap_or_else(|| "hooklog".to_owned()),
        lifetime_ms: ends_ms,
    })
}

fn claims(token: &str) -> Option<Claims> {
    let middle = token.split('.').nth(1)?;
    let json = BASE64_URL_SAFE_NO_PAD
        .decode(middle.trim_end_matches('='))
        .ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_jwt_is_its_own_and_another_token_is_read_again_soon() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let claims = BASE64_URL_SAFE_NO_PAD.encode(br#"{"sub":"ann","exp":1800000000}"#);
        std::fs::write(file.path(), format!("e30.{claims}.sig\n")).unwrap();
        let jwt = read(file.path()).unwrap();
        assert_eq!(jwt.principal_name, "ann");
        assert_eq!(jwt.lifetime_ms, 1_800_000_000_000);
        assert!(jwt.token.ends_with(".sig"));
        std::fs::write(file.path(), "opaque").unwrap();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_millis();
        let opaque = read(file.path()).unwrap();
        assert!((opaque.lifetime_ms as u128) > now);
        assert!((opaque.lifetime_ms as u128) < now + 600_000);
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let empty = read(file.path()).err().unwrap().to_string();
        assert!(empty.contains("is empty"), "{empty}");
        let missing = read(Path::new("/nowhere/token")).err().unwrap().to_string();
        assert!(missing.contains("/nowhere/token"), "{missing}");
    }
}
