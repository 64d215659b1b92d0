//! `roles`: which parts of the way of an event this process does.

use super::{Config, IntakeKind, LogKind, StoreKind};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What a process can do. In the order in which an event meets them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Every role that applies; [`Roles`] holds those instead of it.
    All,
    /// Takes webhooks in.
    Receive,
    /// Moves webhooks from an intake queue into the log.
    Append,
    /// Routes and delivers.
    Work,
    /// Folds the log into tables.
    Project,
    /// Answers questions and takes commands.
    Api,
}

impl Role {
    /// Every role but `all`.
    pub const EACH: [Self; 5] = [
        Self::Receive,
        Self::Append,
        Self::Work,
        Self::Project,
        Self::Api,
    ];

    /// The word for it in configuration, events and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Receive => "receive",
            Self::Append => "append",
            Self::Work => "work",
            Self::Project => "project",
            Self::Api => "api",
        }
    }

    /// Whether there is anything to do for it under `config`.
    fn applies(self, config: &Config) -> bool {
        // Where nothing stands in front of the log there is nothing to move.
        self != Self::Append || config.intake.kind != IntakeKind::None
    }
}

/// The roles of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles {
    has: BTreeSet<Role>,
    all: bool,
}

impl Roles {
    /// The roles that `config` names, with all that apply in place of `all`.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let applying: BTreeSet<_> = Role::EACH
            .into_iter()
            .filter(|role| role.applies(config))
            .collect();
        let named: BTreeSet<_> = config.roles.iter().copied().collect();
        let has = match named.contains(&Role::All) {
            true => applying.clone(),
            false => named,
        };
        let all = has == applying;
        Self { has, all }
    }

    /// Whether this process does it.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.has.contains(&role)
    }

    /// Whether nothing is left for another process.
    #[must_use]
    pub const fn are_all(&self) -> bool {
        self.all
    }
}

/// `all`, or `receive,work`.
impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.all {
            return f.write_str(Role::All.as_str());
        }
        let words: Vec<_> = self.has.iter().map(|role| role.as_str()).collect();
        f.write_str(&words.join(","))
    }
}

/// Why a process cannot have the roles that `config` names; none if it can.
pub(super) fn objection(config: &Config) -> Option<&'static str> {
    let roles = Roles::of(config);
    if config.roles.is_empty() {
        return Some("name at least one role, or `all`");
    }
    if roles.has(Role::Append) && !Role::Append.applies(config) {
        return Some(
            "`append` moves webhooks from an intake queue into the log, and no intake is configured",
        );
    }
    if config.log.kind == LogKind::Embedded && !roles.are_all() {
        return Some(
            "the embedded log is one process's, so that process does everything: leave `roles` at \
             `all`, or keep the log on Kafka (`log.kind = \"kafka\"`), where processes can share it",
        );
    }
    let apart = roles.has(Role::Project) != roles.has(Role::Api);
    if apart && config.project.store == StoreKind::Sqlite {
        return Some(
            "`api` answers from the tables that `project` writes, and SQLite tables are files of \
             one process: name both roles or neither, or keep the tables on a server \
             (`project.store = \"postgres\"` or `\"mongodb\"`)",
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(roles: &[Role], kind: LogKind) -> Config {
        let mut config = Config {
            roles: roles.to_vec(),
            ..Config::default()
        };
        config.log.kind = kind;
        config
    }

    fn refused(roles: &[Role], kind: LogKind) -> &'static str {
        objection(&with(roles, kind)).unwrap_or("")
    }

    #[test]
    fn all_stands_for_every_role_that_applies() {
        let roles = Roles::of(&Config::default());
        assert!(roles.are_all() && roles.has(Role::Receive) && !roles.has(Role::Append));
        assert_eq!(roles.to_string(), "all");
        let each = [Role::Api, Role::Receive, Role::Project, Role::Work];
        assert_eq!(Roles::of(&with(&each, LogKind::Kafka)), roles);
    }

    #[test]
    fn a_queue_in_front_of_the_log_has_somebody_who_moves() {
        let mut config = Config::default();
        config.intake.kind = IntakeKind::Redis;
        assert!(Roles::of(&config).has(Role::Append));
        assert_eq!(objection(&config), None);
    }

    #[test]
    fn some_roles_are_told_in_the_order_of_the_way() {
        let config = with(&[Role::Work, Role::Receive], LogKind::Kafka);
        assert_eq!(Roles::of(&config).to_string(), "receive,work");
        assert_eq!(objection(&config), None);
    }

    #[test]
    fn the_embedded_log_takes_only_a_process_that_does_everything() {
        assert_eq!(refused(&[Role::All], LogKind::Embedded), "");
        let said = refused(&[Role::Receive], LogKind::Embedded);
        assert!(
            said.contains("one process's") && said.contains("kafka"),
            "{said}"
        );
    }

    #[test]
    fn tables_in_files_keep_project_and_api_together() {
        for alone in [Role::Project, Role::Api] {
            assert!(refused(&[alone], LogKind::Kafka).contains("both roles or neither"));
        }
        assert_eq!(refused(&[Role::Project, Role::Api], LogKind::Kafka), "");
    }

    #[test]
    fn append_without_an_intake_and_no_role_at_all_are_refused() {
        assert!(refused(&[Role::Append], LogKind::Kafka).contains("no intake is configured"));
        assert!(refused(&[], LogKind::Kafka).contains("at least one role"));
    }
}
