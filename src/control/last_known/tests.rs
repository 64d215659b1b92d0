//! The log goes away, and the process comes back without it.

use super::*;
use crate::clock::Manual;
use crate::log::EventLog;
use crate::log::late::LateLog;
use crate::log::memory::MemoryLog;
use crate::secret::Secret;
use hooklog_schemas::control::{By, LogCreated, SealedSecret, SourceCreated, SourceSpec};
use hooklog_schemas::{EventId, SecretId, SourceId, Topic};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use uuid::Uuid;

const LOG: EventId = EventId(Uuid::from_u128(9));
const NOW: Timestamp = Timestamp::from_secs(1_793_534_400);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Given {
    data: TempDir,
    log: Arc<MemoryLog>,
    control: Arc<Control>,
    keyring: Arc<Keyring>,
    clock: Arc<Manual>,
}

async fn given() -> Given {
    let data = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new(4));
    let clock = Arc::new(Manual::at(NOW));
    let control = Control::open(log.clone(), clock.clone()).await.unwrap();
    let created = LogCreated {
        log_id: LOG,
        partitions: 4,
        key: None,
        at: NOW,
    };
    control.record(created).await.unwrap();
    let keyring = Keyring::create(&data.path().join("key")).unwrap();
    let given = Given {
        data,
        log,
        control,
        keyring: Arc::new(keyring),
        clock,
    };
    given.create("acme", 1).await;
    given
}

impl Given {
    async fn create(&self, name: &str, id: u128) {
        let secret = SecretId(Uuid::from_u128(100 + id));
        let sealed = self.keyring.seal(secret, &Secret::new(b"canary".to_vec()));
        let created = SourceCreated {
            id: SourceId(Uuid::from_u128(id)),
            spec: SourceSpec {
                name: name.into(),
                host: "github.com".into(),
                allow: Vec::new(),
                rate_per_second: None,
            },
            secret: SealedSecret {
                id: secret,
                sealed: sealed.unwrap(),
                organization_ids: Vec::new(),
            },
            by: By {
                actor: "ann".into(),
                from: "local".into(),
                at: NOW,
                why: None,
            },
        };
        self.control.record(created).await.unwrap();
    }

    fn last_known(&self, control: &Arc<Control>, as_of: Option<Timestamp>) -> Arc<LastKnown> {
        LastKnown::new(LastKnownParts {
            control: control.clone(),
            keyring: self.keyring.clone(),
            clock: self.clock.clone(),
            data: self.data.path().to_owned(),
            age_max: DAY,
            as_of,
        })
    }

    fn known(&self) -> Result<Known, LastKnownError> {
        Known::read(self.data.path(), &self.keyring)
    }

    fn file(&self) -> PathBuf {
        self.data.path().join("configuration.sealed")
    }
}

#[tokio::test]
async fn what_a_receiver_needs_is_known_after_a_restart_and_nobody_else_can_read_it() {
    let given = given().await;
    given.last_known(&given.control, None).look().await;
    let known = given.known().unwrap();
    let configuration = known.configuration();
    assert_eq!(configuration.log, Some((LOG, 4)));
    assert_eq!(configuration.version, given.control.current().version);
    assert_eq!(known.as_of, NOW);
    let source = configuration.source("acme").unwrap();
    let secret = &source.secrets[0];
    let opened = given.keyring.open(secret.id, &secret.sealed).unwrap();
    assert_eq!(opened.expose(), b"canary");
    let bytes = std::fs::read(given.file()).unwrap();
    assert!(!bytes.windows(4).any(|four| four == b"acme"));
    let mode = std::fs::metadata(given.file())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_change_is_written_soon_and_the_time_without_one_every_ten_minutes() {
    let given = given().await;
    let last_known = given.last_known(&given.control, None);
    last_known.look().await;
    given.clock.advance(Duration::from_secs(60));
    last_known.look().await;
    assert_eq!(given.known().unwrap().as_of, NOW, "it was not written anew");
    given.create("second", 2).await;
    last_known.look().await;
    assert_eq!(given.known().unwrap().sources.len(), 2);
    given.clock.advance(WRITTEN_ANEW);
    last_known.look().await;
    assert_eq!(given.known().unwrap().as_of, given.clock.now());
}

#[tokio::test]
async fn what_is_not_in_force_any_more_counts_up_to_the_age_that_the_operator_allows() {
    let given = given().await;
    let away: Arc<dyn EventLog> = Arc::new(LateLog::new(LOG, 4));
    let configuration = given.control.current();
    let known = Known::of(&configuration, NOW).unwrap();
    let control = Control::going_by(known.configuration(), away, given.clock.clone());
    let last_known = given.last_known(&control, Some(known.as_of));
    last_known.look().await;
    assert_eq!(last_known.check(), Ok(()));
    given.clock.advance(DAY);
    assert_eq!(last_known.check(), Ok(()));
    given.clock.advance(Duration::from_secs(1));
    let said = last_known.check().unwrap_err();
    assert!(
        said.contains("spool.configuration_age_max_hours = 24"),
        "{said}"
    );
    assert!(!given.file().exists(), "nothing new is known");
    let never = given.last_known(&control, None);
    assert!(never.check().unwrap_err().contains("never"));
}

#[tokio::test]
async fn a_configuration_behind_the_log_is_not_taken_for_the_one_in_force() {
    let given = given().await;
    let behind = Control::open(given.log.clone(), given.clock.clone())
        .await
        .unwrap();
    given.create("second", 2).await;
    let last_known = given.last_known(&behind, None);
    last_known.look().await;
    assert!(last_known.check().is_err());
    behind.catch_up().await.unwrap();
    last_known.look().await;
    assert_eq!(last_known.check(), Ok(()));
}

#[tokio::test]
async fn a_file_that_was_changed_or_is_another_s_is_refused() {
    let given = given().await;
    assert!(matches!(given.known(), Err(LastKnownError::Missing(_))));
    given.last_known(&given.control, None).look().await;
    let other = Keyring::create(&given.data.path().join("other")).unwrap();
    let opened = Known::read(given.data.path(), &other);
    assert!(matches!(opened, Err(LastKnownError::Sealed { .. })));
    let text = std::fs::read_to_string(given.file()).unwrap();
    std::fs::write(given.file(), text.replacen('A', "B", 1)).unwrap();
    assert!(given.known().is_err());
}

#[tokio::test]
async fn a_log_that_comes_late_is_read_to_its_end_before_anybody_goes_by_it() {
    let given = given().await;
    let late = Arc::new(LateLog::new(LOG, 4));
    let known = Known::of(&given.control.current(), NOW).unwrap();
    let control = Control::going_by(known.configuration(), late.clone(), given.clock.clone());
    assert_eq!(late.partitions(Topic::Webhooks), 4);
    assert!(control.catch_up().await.unwrap_err().is_for_a_while());
    assert!(control.current().source("acme").is_some(), "still known");
    assert!(late.takes_webhooks().await.is_err());
    given.create("second", 2).await;
    late.came(given.log.clone());
    control.catch_up().await.unwrap();
    assert!(control.is_current().await.unwrap());
    assert!(control.current().source("second").is_some());
    assert!(late.takes_webhooks().await.is_ok());
}
