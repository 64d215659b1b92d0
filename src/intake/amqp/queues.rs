//! The settings of queues. AMQP has no question for them: who declares a queue that exists is told
//! the first setting in which the declaration differs, and so one learns them one by one.

use super::dial::plain;
use super::open::{Complaint, OpenError};
use super::server::Server;
use lapin::options::QueueDeclareOptions;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Connection, Error, ErrorKind};
use std::collections::BTreeMap;

mod difference;

use difference::Difference;

/// What is known of a queue.
pub(super) enum Look {
    /// There is none.
    Missing,
    /// The user may not ask; the reason.
    Forbidden(String),
    /// It has these settings.
    Found(Found),
}

/// The settings of a queue.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found {
    durable: bool,
    arguments: BTreeMap<String, AMQPValue>,
}

const KIND: &str = "x-queue-type";
const DELIVERY_LIMIT: &str = "x-delivery-limit";
const OVERFLOW: &str = "x-overflow";
/// A queue has fewer settings than this.
const SETTINGS_MAX: usize = 30;

impl Found {
    /// The settings of a queue that loses nothing.
    pub(super) fn safe(server: &Server) -> Self {
        let mut arguments = BTreeMap::from([(KIND.to_owned(), text("quorum"))]);
        if server.limits_deliveries() {
            arguments.insert(DELIVERY_LIMIT.to_owned(), AMQPValue::LongLongInt(-1));
        }
        Self {
            durable: true,
            arguments,
        }
    }

    /// What is wrong with them.
    pub(super) fn complaints(&self, queue: &str, server: &Server) -> Vec<Complaint> {
        let mut all = Vec::new();
        let mut complain = |setting, wanted, because, acceptable| {
            all.push(Complaint {
                queue: queue.to_owned(),
                setting,
                wanted,
                because,
                acceptable,
            });
        };
        if !self.durable {
            let because = "otherwise it is gone after a restart of the broker";
            complain("durable=false".to_owned(), "durable=true", because, false);
        }
        let kind = self.text(KIND).unwrap_or("classic");
        if kind != "quorum" {
            let because = "otherwise one node alone has each message, or nothing is forgotten";
            let acceptable = kind == "classic";
            complain(
                format!("{KIND}={kind}"),
                "x-queue-type=quorum",
                because,
                acceptable,
            );
        }
        for (name, because) in ENDS {
            if let Some(value) = self.arguments.get(name).filter(|_| !self.rejects(name)) {
                complain(format!("{name}={}", shown(value)), "none", because, true);
            }
        }
        if let Some((value, wanted)) = self.delivery_limit(kind, server) {
            let because = "webhooks are dropped that come again too often, as they do while the log \
                           is away";
            complain(format!("{DELIVERY_LIMIT}={value}"), wanted, because, true);
        }
        all
    }

    /// Whether a limit of the queue's length refuses what is new, instead of dropping what is old.
    fn rejects(&self, name: &str) -> bool {
        let rejects = |it: &str| it.starts_with("reject-publish");
        name.starts_with("x-max-length") && self.text(OVERFLOW).is_some_and(rejects)
    }

    /// The limit of deliveries, if it is not the one that is wanted, and the latter.
    fn delivery_limit(&self, kind: &str, server: &Server) -> Option<(String, &'static str)> {
        let limit = self.arguments.get(DELIVERY_LIMIT);
        let unlimited = matches!(limit, Some(AMQPValue::LongLongInt(limit)) if *limit < 0);
        match (server.limits_deliveries() && kind == "quorum", limit) {
            (false, None) => None,
            (true, Some(_)) if unlimited => None,
            (true, None) => Some(("20".to_owned(), "x-delivery-limit=-1 (20 is the default)")),
            (true, Some(limit)) => Some((shown(limit), "x-delivery-limit=-1")),
            // Before 4.0 a negative limit is one that is passed at once.
            (false, Some(limit)) => Some((shown(limit), "none")),
        }
    }

    fn text(&self, argument: &str) -> Option<&str> {
        match self.arguments.get(argument) {
            Some(AMQPValue::LongString(text)) => std::str::from_utf8(text.as_bytes()).ok(),
            _ => None,
        }
    }

    fn table(&self) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in &self.arguments {
            table.insert(name.as_str().into(), value.clone());
        }
        table
    }

    /// Takes over what the broker has instead.
    fn learn(&mut self, difference: Difference) {
        match difference {
            Difference::Durable(durable) => self.durable = durable,
            Difference::Argument(name, Some(value)) => {
                self.arguments.insert(name, value);
            }
            Difference::Argument(name, None) => {
                self.arguments.remove(&name);
            }
        }
    }
}

/// Settings that end messages before anybody acknowledged them.
const ENDS: [(&str, &str); 4] = [
    (
        "x-message-ttl",
        "webhooks are dropped when the log is away for longer",
    ),
    (
        "x-expires",
        "the queue is deleted, with its webhooks, when it has no consumer for so long",
    ),
    ("x-max-length", DROPS),
    ("x-max-length-bytes", DROPS),
];

const DROPS: &str = "the oldest webhooks are dropped beyond it (with x-overflow=reject-publish, the \
                     newest are refused instead, and the limit is fine)";

/// Finds out whether there is such a queue, and how it is set.
pub(super) async fn look(connection: &Connection, queue: &str) -> Result<Look, OpenError> {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    match declare(connection, queue, passive, FieldTable::default()).await {
        Err(error) if is(&error, AMQPSoftError::NOTFOUND) => return Ok(Look::Missing),
        Err(error) if is(&error, AMQPSoftError::ACCESSREFUSED) => {
            return Ok(Look::Forbidden(plain(&error)));
        }
        Err(error) => return Err(problem(queue, &error)),
        Ok(()) => {}
    }
    let mut guess = Found {
        durable: true,
        arguments: BTreeMap::from([(KIND.to_owned(), text("quorum"))]),
    };
    for _ in 0..SETTINGS_MAX {
        let options = QueueDeclareOptions {
            durable: guess.durable,
            ..QueueDeclareOptions::default()
        };
        let error = match declare(connection, queue, options, guess.table()).await {
            Ok(()) => return Ok(Look::Found(guess)),
            Err(error) if is(&error, AMQPSoftError::ACCESSREFUSED) => {
                return Ok(Look::Forbidden(plain(&error)));
            }
            Err(error) => error,
        };
        match Difference::read(&plain(&error)) {
            Some(difference) => guess.learn(difference),
            None => return Err(problem(queue, &error)),
        }
    }
    Err(OpenError::Queue {
        queue: queue.to_owned(),
        reason: "its settings cannot be found out".to_owned(),
    })
}

/// Makes a queue.
pub(super) async fn make(
    connection: &Connection,
    queue: &str,
    settings: &Found,
) -> Result<(), OpenError> {
    let options = QueueDeclareOptions {
        durable: settings.durable,
        ..QueueDeclareOptions::default()
    };
    let made = declare(connection, queue, options, settings.table()).await;
    made.map_err(|error| problem(queue, &error))
}

/// On a channel of its own, since an error closes it.
async fn declare(
    connection: &Connection,
    queue: &str,
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> lapin::Result<()> {
    let channel = connection.create_channel().await?;
    channel
        .queue_declare(queue.into(), options, arguments)
        .await?;
    Ok(())
}

fn is(error: &Error, what: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(told) if *told.kind() == AMQPErrorKind::Soft(what))
}

fn problem(queue: &str, error: &Error) -> OpenError {
    OpenError::Queue {
        queue: queue.to_owned(),
        reason: plain(error),
    }
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

fn shown(value: &AMQPValue) -> String {
    match value {
        AMQPValue::LongString(text) => text.to_string(),
        AMQPValue::LongLongInt(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}
