//! The server's settings, without which a confirmed webhook can be lost.

use super::OpenError;
use super::link::{Link, told};
use crate::config::RedisConfig;
use crate::intake::IntakeError;
use redis::cmd;
use std::collections::HashMap;
use std::fmt;

/// Each setting, the only value that is safe, and what happens with another.
const WANTED: [(&str, &str, &str); 3] = [
    (
        "appendonly",
        "yes",
        "webhooks are in memory only, and gone after a restart",
    ),
    (
        "appendfsync",
        "always",
        "webhooks of the last second are gone after a power cut",
    ),
    (
        "maxmemory-policy",
        "noeviction",
        "webhooks can be thrown away when memory runs out",
    ),
];

/// A setting that is not safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The setting.
    pub setting: &'static str,
    /// Its value.
    pub found: String,
    /// What it must be.
    pub wanted: &'static str,
    /// What happens with the value that it has.
    pub risk: &'static str,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            setting,
            found,
            wanted,
            risk,
        } = self;
        if *setting == "settings" {
            return write!(
                f,
                "they cannot be read ({risk}): let the user call CONFIG|GET, or, where the provider \
                 vouches for {wanted}, say so by intake.redis.accept = [\"settings={found}\"]"
            );
        }
        write!(
            f,
            "{setting} is {found}, and must be {wanted}: else {risk}; set it (`CONFIG SET {setting} \
             {wanted}`, and in redis.conf), or accept this by intake.redis.accept = \
             [\"{setting}={found}\"]"
        )
    }
}

/// Refuses a server with an unsafe setting that nobody accepted by name.
pub(super) async fn check(link: &Link, config: &RedisConfig) -> Result<(), OpenError> {
    let found = match read(link).await {
        Ok(found) => found,
        Err(error) => match told(&error) {
            // The one command that a user may well lack, as many providers forbid it to all.
            IntakeError::Refused(reason) if is_about_config(&reason) => {
                return judge(vec![unreadable()], config);
            }
            _ => return Err(super::refused(config, &error)),
        },
    };
    judge(compare(&found), config)
}

async fn read(link: &Link) -> Result<HashMap<String, String>, redis::RedisError> {
    let mut found = HashMap::new();
    for (setting, _, _) in WANTED {
        let get: HashMap<String, String> = link.ask(cmd("CONFIG").arg("GET").arg(setting)).await?;
        found.extend(get);
    }
    Ok(found)
}

fn is_about_config(reason: &str) -> bool {
    let reason = reason.to_ascii_lowercase();
    reason.contains("config") || reason.contains("unknown command")
}

fn unreadable() -> Complaint {
    Complaint {
        setting: "settings",
        found: "unknown".to_owned(),
        wanted: "appendonly yes, appendfsync always and maxmemory-policy noeviction",
        risk: "the server does not let us call CONFIG GET",
    }
}

fn compare(found: &HashMap<String, String>) -> Vec<Complaint> {
    let complaint = |(setting, wanted, risk): (&'static str, &'static str, &'static str)| {
        let found = found.get(setting).map_or("unknown", String::as_str);
        (found != wanted).then(|| Complaint {
            setting,
            found: found.to_owned(),
            wanted,
            risk,
        })
    };
    WANTED.into_iter().filter_map(complaint).collect()
}

fn judge(complaints: Vec<Complaint>, config: &RedisConfig) -> Result<(), OpenError> {
    let accepted = |complaint: &Complaint| {
        let name = format!("{}={}", complaint.setting, complaint.found);
        config.accept.contains(&name)
    };
    let (accepted, refused): (Vec<_>, Vec<_>) = complaints.into_iter().partition(accepted);
    for complaint in accepted {
        let Complaint {
            setting,
            found,
            risk,
            ..
        } = complaint;
        tracing::warn!(setting, found, "accepted by intake.redis.accept: {risk}");
    }
    match refused.is_empty() {
        true => Ok(()),
        false => Err(OpenError::Unsafe(refused)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weak_setting_is_refused_unless_it_is_accepted_by_its_name_and_value() {
        let found = |appendfsync: &str| {
            let all = [
                ("appendonly", "yes"),
                ("appendfsync", appendfsync),
                ("maxmemory-policy", "noeviction"),
            ];
            all.map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into()
        };
        let accepting = |accept: &[&str]| RedisConfig {
            accept: accept.iter().map(|one| (*one).to_owned()).collect(),
            ..RedisConfig::default()
        };
        assert!(judge(compare(&found("always")), &accepting(&[])).is_ok());
        let weak = compare(&found("everysec"));
        let told = judge(weak.clone(), &accepting(&["appendfsync=no"]));
        let told = told.unwrap_err().to_string();
        for part in [
            "appendfsync is everysec, and must be always",
            "accept = [\"appendfsync=everysec\"]",
        ] {
            assert!(told.contains(part), "{told} lacks {part}");
        }
        assert!(judge(weak, &accepting(&["appendfsync=everysec"])).is_ok());
    }

    #[test]
    fn settings_that_a_provider_hides_may_be_vouched_for() {
        let told = judge(vec![unreadable()], &RedisConfig::default());
        let told = told.unwrap_err().to_string();
        assert!(told.contains("[\"settings=unknown\"]"), "{told}");
        let config = RedisConfig {
            accept: vec!["settings=unknown".to_owned()],
            ..RedisConfig::default()
        };
        assert!(judge(vec![unreadable()], &config).is_ok());
    }
}
