//! A real broker, and queues that one test has for itself.

use crate::config::AmqpConfig;
use crate::intake::amqp::AmqpIntake;
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, ConnectionProperties};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use uuid::Uuid;

/// The value of a variable that `tools/services` sets.
pub(super) fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: this test needs RabbitMQ; start it, and run the tests with it, by \
             `tools/services run rabbitmq -- cargo nextest run --all-features …`"
        )
    })
}

/// A queue, and one for what is set aside, with names of their own.
#[derive(Clone)]
pub(super) struct Queues {
    pub(super) config: AmqpConfig,
    _folder: Arc<tempfile::TempDir>,
}

/// Queues that nobody made yet.
pub(super) fn nobodys() -> Queues {
    at(&variable("HOOKLOG_TEST_RABBITMQ_ADDRESS"))
}

/// The same on another broker.
pub(super) fn at(address: &str) -> Queues {
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "secret of a test\n").unwrap();
    let queue = format!("it.{}", Uuid::now_v7().simple());
    Queues {
        config: AmqpConfig {
            nodes: vec![address.to_owned()],
            username: Some("hooklog".to_owned()),
            password_file: Some(password_file),
            aside_queue: format!("{queue}.aside"),
            queue,
            message_bytes_max: crate::intake::conformance::LIMIT,
            ..AmqpConfig::default()
        },
        _folder: Arc::new(folder),
    }
}

impl Queues {
    /// Has them made by a first start.
    pub(super) async fn make() -> Self {
        nobodys().made().await
    }

    /// The same of these.
    pub(super) async fn made(mut self) -> Self {
        self.config.create = true;
        self.open().await;
        self.config.create = false;
        self
    }

    pub(super) async fn open(&self) -> AmqpIntake {
        AmqpIntake::open(&self.config).await.unwrap()
    }

    /// Declares one as somebody else might.
    pub(super) async fn declare(
        &self,
        queue: &str,
        durable: bool,
        arguments: &[(&str, AMQPValue)],
    ) {
        let connection = self.connect().await;
        let channel = connection.create_channel().await.unwrap();
        let options = QueueDeclareOptions {
            durable,
            ..QueueDeclareOptions::default()
        };
        let mut table = FieldTable::default();
        for (name, value) in arguments {
            table.insert((*name).into(), value.clone());
        }
        let declared = channel.queue_declare(queue.into(), options, table).await;
        declared.unwrap();
    }

    pub(super) async fn connect(&self) -> Connection {
        let address = &self.config.nodes[0];
        let url = format!("amqp://hooklog:secret%20of%20a%20test@{address}");
        let properties = ConnectionProperties::default();
        Connection::connect(&url, properties).await.unwrap()
    }
}

/// Asks `rabbitmqctl` of the tests' broker for something.
pub(super) fn control(arguments: &[&str]) {
    control_by(&variable("HOOKLOG_TEST_RABBITMQ_CTL"), arguments);
}

/// The same with the `rabbitmqctl` of another broker.
pub(super) fn control_by(program: &str, arguments: &[&str]) {
    let told = Command::new(program).args(arguments).output().unwrap();
    let problem = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{arguments:?}: {problem}");
}

/// A file of the folder of certificates.
pub(super) fn certificate(name: &str) -> Option<PathBuf> {
    let folder = variable("HOOKLOG_TEST_RABBITMQ_CERTIFICATES");
    Some(PathBuf::from(folder).join(name))
}
