//! Secrets on their way into the log: checked, sealed, and never shown again.

use super::problem::Problem;
use super::{Api, check};
use crate::deliver::sign;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hooklog_projections::configuration;
use hooklog_schemas::control::{SealedSecret, Signing};
use hooklog_schemas::{SecretId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use utoipa::ToSchema;
use uuid::Uuid;

/// Secrets of one owner that may be valid at once: each costs a verification or a signature.
const VALID_MAX: usize = 10;

/// A secret in a request. It does not print, and an error never quotes it.
#[derive(Clone, ToSchema)]
#[schema(value_type = String, format = Password)]
pub(crate) struct SecretText(Secret);

impl SecretText {
    /// How long it is.
    pub(super) fn bytes(&self) -> usize {
        self.0.expose().len()
    }
}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(text) => Ok(Self(Secret::new(text.into_bytes()))),
            _ => Err(serde::de::Error::custom("`secret` must be a text")),
        }
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is shown of a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretView {
    /// Its id: what a receipt names as the version that verified it.
    #[schema(value_type = String, format = "uuid")]
    id: SecretId,
    /// When it was made.
    #[schema(value_type = i64)]
    created_at: Timestamp,
    /// When it retires; never, if none.
    #[schema(value_type = Option<i64>)]
    valid_until: Option<Timestamp>,
    /// The organisations that it may speak for; empty means any.
    organization_ids: Vec<i64>,
}

pub(super) fn views(secrets: &[configuration::Secret]) -> Vec<SecretView> {
    let view = |secret: &configuration::Secret| SecretView {
        id: secret.id,
        created_at: secret.created_at,
        valid_until: secret.valid_until,
        organization_ids: secret.organization_ids.clone(),
    };
    secrets.iter().map(view).collect()
}

/// A secret for a subscription: the one given, or a new one. Tells the new one's text, to be shown
/// once.
pub(super) fn for_subscription(
    given: Option<SecretText>,
    sign: Signing,
) -> Result<(Option<SecretText>, Option<String>), Problem> {
    match (given, sign) {
        (None, Signing::None) => Ok((None, None)),
        (Some(_), Signing::None) => Err(Problem::bad_value(
            "`secret` is given, but `sign` is `none`, so nothing would be signed with it",
        )),
        (Some(secret), sign) => {
            check_form(&secret.0, sign)?;
            Ok((Some(secret), None))
        }
        (None, sign) => {
            let text = generate(sign)?;
            let secret = SecretText(Secret::new(text.clone().into_bytes()));
            Ok((Some(secret), Some(text)))
        }
    }
}

/// The error names the rule, and never the secret.
fn check_form(secret: &Secret, sign: Signing) -> Result<(), Problem> {
    check::secret(secret.expose())?;
    sign::check_secret(sign, secret).map_err(|error| {
        let advice = "give none to have one made";
        Problem::bad_value(format!(
            "`secret` does not fit to `sign`: {error}; {advice}"
        ))
    })
}

/// Refuses a way to sign that the newest of these secrets does not fit to.
pub(super) fn check_fits(
    api: &Api,
    secrets: &[configuration::Secret],
    sign: Signing,
) -> Result<(), Problem> {
    if sign == Signing::None {
        return Ok(());
    }
    let Some(newest) = secrets.first() else {
        let detail = "it has no secret to sign with; first POST one to …/secrets";
        return Err(Problem::bad_value(detail));
    };
    check_form(&api.parts.keyring.open(newest.id, &newest.sealed)?, sign)
}

fn generate(sign: Signing) -> Result<String, Problem> {
    if sign == Signing::Github {
        return Ok(hex::encode(random()?));
    }
    let made = sign::generate_secret().map_err(Problem::internal)?;
    Ok(String::from_utf8_lossy(made.expose()).into_owned())
}

/// A new API token: `hl_` and base64url of 32 random bytes.
pub(super) fn token() -> Result<String, Problem> {
    Ok(format!("hl_{}", URL_SAFE_NO_PAD.encode(random()?)))
}

/// Checks and seals.
pub(super) fn seal(
    api: &Api,
    secret: &SecretText,
    organization_ids: Vec<i64>,
) -> Result<SealedSecret, Problem> {
    check::secret(secret.0.expose())?;
    check::organization_ids(&organization_ids)?;
    let id = SecretId(Uuid::now_v7());
    Ok(SealedSecret {
        id,
        sealed: api.parts.keyring.seal(id, &secret.0)?,
        organization_ids,
    })
}

/// Refuses one more secret where too many are valid.
pub(super) fn check_count(
    secrets: &[configuration::Secret],
    now: Timestamp,
) -> Result<(), Problem> {
    let valid = secrets.iter().filter(|secret| secret.valid_at(now)).count();
    if valid < VALID_MAX {
        return Ok(());
    }
    Err(Problem::conflict(format!(
        "{valid} secrets are valid, and no more may be; wait until one retires, or rotate with \
         `overlap_seconds` 0 when all senders have the newest"
    )))
}

fn random() -> Result<[u8; 32], Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Problem::internal)?;
    Ok(bytes)
}
