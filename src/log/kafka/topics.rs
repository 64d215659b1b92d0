//! The settings of the topics: those that `hooklog log init` gives them, and those that a start
//! refuses.

use super::client::MESSAGE_BYTES_MAX;
use crate::config::KafkaConfig;
use hooklog_schemas::Topic;
use std::collections::BTreeMap;
use std::fmt;

/// What is known of a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// How many partitions it has.
    pub(super) partitions: usize,
    /// The fewest copies of any of its partitions.
    pub(super) replicas: usize,
    /// Its settings by name, also those that are the brokers' defaults.
    pub(super) settings: BTreeMap<String, String>,
}

/// A setting of a topic that would lose records, or refuse them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    topic: String,
    setting: &'static str,
    value: String,
    wanted: String,
    because: &'static str,
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            topic,
            setting,
            value,
            wanted,
            because,
        } = self;
        write!(
            f,
            "{topic}: {setting} is {value}, and must be {wanted}: {because}; change it with \
             `kafka-configs.sh --bootstrap-server BROKER --alter --entity-type topics \
             --entity-name {topic} --add-config {setting}={}`",
            wanted.rsplit(' ').next().unwrap_or_default()
        )
    }
}

/// The settings that a new topic gets.
pub(super) fn of_new(topic: Topic, config: &KafkaConfig) -> Vec<(&'static str, String)> {
    // `webhooks` holds bodies, and nearly all the bytes; a segment is rewritten as a whole.
    let segment_bytes = if topic == Topic::Webhooks {
        1_u64 << 30
    } else {
        256 << 20
    };
    vec![
        ("cleanup.policy", "compact".into()),
        // Should somebody add `delete` to the policy, still nothing is deleted.
        ("retention.ms", "-1".into()),
        ("retention.bytes", "-1".into()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
        ("message.timestamp.type", "CreateTime".into()),
        (
            "min.insync.replicas",
            config.min_insync_replicas.to_string(),
        ),
        ("unclean.leader.election.enable", "false".into()),
        // The active segment is never compacted, so this is how soon an erased body can go.
        ("segment.ms", (24 * 3_600_000_u64).to_string()),
        ("segment.bytes", segment_bytes.to_string()),
        // Keys are unique, so there is little to clean: at a tenth, a pass is worth its work.
        ("min.cleanable.dirty.ratio", "0.1".into()),
        // How long a reader of the raw topic may be away and still see every tombstone.
        ("delete.retention.ms", (7 * 24 * 3_600_000_u64).to_string()),
    ]
}

/// The settings that a new topic for snapshots gets. Whatever they are, nothing is lost by it.
pub(super) fn of_snapshots(config: &KafkaConfig) -> Vec<(&'static str, String)> {
    vec![
        ("cleanup.policy", "compact".into()),
        ("max.message.bytes", MESSAGE_BYTES_MAX.to_string()),
        (
            "min.insync.replicas",
            config.min_insync_replicas.to_string(),
        ),
        // Each snapshot replaces the one before, so segments are closed and cleaned soon.
        ("segment.ms", (3_600_000_u64).to_string()),
        ("segment.bytes", (64_u64 << 20).to_string()),
        ("min.cleanable.dirty.ratio", "0.5".into()),
        ("delete.retention.ms", (3_600_000_u64).to_string()),
    ]
}

/// What is wrong with `found`.
pub(super) fn complaints(name: &str, found: &Found) -> Vec<Complaint> {
    let mut all = Vec::new();
    let mut complain = |setting, wanted: &str, because| {
        all.push(Complaint {
            topic: name.to_owned(),
            setting,
            value: found.text(setting).to_owned(),
            wanted: wanted.to_owned(),
            because,
        });
    };
    if found.text("cleanup.policy") != "compact" {
        let because = "any other policy deletes history, or keeps what was erased";
        complain("cleanup.policy", "compact", because);
    }
    if found.number("max.message.bytes") < MESSAGE_BYTES_MAX as i64 {
        let because = "GitHub's largest webhook would be refused";
        let wanted = format!("at least {MESSAGE_BYTES_MAX}");
        complain("max.message.bytes", &wanted, because);
    }
    if found.text("message.timestamp.type") != "CreateTime" {
        let because = "a record carries its writer's time";
        complain("message.timestamp.type", "CreateTime", because);
    }
    if found.text("unclean.leader.election.enable") == "true" {
        let because =
            "a copy that lags could become the leader, and confirmed records would be lost";
        complain("unclean.leader.election.enable", "false", because);
    }
    let copies = found.number("min.insync.replicas");
    if found.replicas >= 3 && copies < 2 {
        let because = "with 1, acks=all is confirmed by the leader alone";
        complain("min.insync.replicas", "at least 2", because);
    }
    if copies > found.replicas as i64 {
        let because = "there are fewer copies than must confirm, so every append would fail";
        let wanted = format!("at most {}", found.replicas);
        complain("min.insync.replicas", &wanted, because);
    }
    all
}

/// What is safe, and weaker than an operator may think.
pub(super) fn warnings(name: &str, found: &Found) -> Vec<String> {
    let mut all = Vec::new();
    let synced = found.number("flush.messages") == 1;
    if found.replicas <= 1 && !synced {
        all.push(format!(
            "{name} has one copy: acks=all then means that one broker has the record in memory, so \
             a power cut or a lost disk loses records that were answered 200; use three brokers, or \
             set flush.messages=1 on the topic, or use log.kind = \"embedded\""
        ));
    }
    let copies = found.number("min.insync.replicas");
    if found.replicas > 1 && copies == found.replicas as i64 {
        all.push(format!(
            "{name}: min.insync.replicas is {copies}, all copies: appends fail while any one of \
             them is away"
        ));
    }
    if found.replicas == 2 && copies < 2 {
        all.push(format!(
            "{name}: min.insync.replicas is {copies} of 2 copies: a record that was confirmed by \
             the leader alone is lost with it; three copies, of which two must confirm, are safe"
        ));
    }
    all
}

impl Found {
    fn text(&self, setting: &str) -> &str {
        self.settings.get(setting).map_or("", String::as_str)
    }

    fn number(&self, setting: &str) -> i64 {
        self.text(setting).parse().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(replicas: usize, changes: &[(&str, &str)]) -> Found {
        let mut settings: BTreeMap<String, String> =
            of_new(Topic::Webhooks, &KafkaConfig::default())
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
        for (name, value) in changes {
            settings.insert((*name).to_owned(), (*value).to_owned());
        }
        Found {
            partitions: 12,
            replicas,
            settings,
        }
    }

    #[test]
    fn what_init_makes_is_safe() {
        assert_eq!(complaints("t", &found(3, &[])), []);
        assert!(warnings("t", &found(3, &[])).is_empty());
    }

    #[test]
    fn each_unsafe_setting_is_named_with_its_value_and_the_wanted_one() {
        for (replicas, setting, value, wanted) in [
            (
                3,
                "cleanup.policy",
                "delete",
                "--add-config cleanup.policy=compact",
            ),
            (3, "cleanup.policy", "compact,delete", "must be compact"),
            (3, "max.message.bytes", "1048588", "at least 46137344"),
            (
                3,
                "message.timestamp.type",
                "LogAppendTime",
                "must be CreateTime",
            ),
            (3, "unclean.leader.election.enable", "true", "must be false"),
            (3, "min.insync.replicas", "1", "must be at least 2"),
            (1, "min.insync.replicas", "2", "must be at most 1"),
        ] {
            let told = complaints("it.webhooks", &found(replicas, &[(setting, value)]));
            assert_eq!(told.len(), 1, "{told:?}");
            let told = told[0].to_string();
            for part in ["it.webhooks", setting, value, wanted, "kafka-configs.sh"] {
                assert!(told.contains(part), "{told} lacks {part}");
            }
        }
    }

    #[test]
    fn one_copy_is_taken_with_a_warning_that_says_what_can_be_lost() {
        let single = found(1, &[("min.insync.replicas", "1")]);
        assert_eq!(complaints("t", &single), []);
        assert!(warnings("t", &single)[0].contains("power cut"));
        let synced = found(1, &[("min.insync.replicas", "1"), ("flush.messages", "1")]);
        assert!(warnings("t", &synced).is_empty());
        assert!(warnings("t", &found(2, &[]))[0].contains("any one of them is away"));
        let two = found(2, &[("min.insync.replicas", "1")]);
        assert!(warnings("t", &two)[0].contains("leader alone"));
    }
}
