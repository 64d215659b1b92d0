//! Publishing, with confirmations.

use super::dial::{Dial, plain};
use super::link::{Link, Live, away};
use crate::intake::IntakeError;
use bytes::Bytes;
use futures_util::StreamExt as _;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, Error, ErrorKind, Event, PublisherConfirm,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Publishes over a connection of its own: a broker that is short of memory stops reading from it.
pub(super) struct Writing {
    dial: Arc<Dial>,
    link: Link<Publisher>,
    patience: Duration,
}

impl Writing {
    pub(super) fn new(dial: Arc<Dial>, patience: Duration) -> Self {
        Self {
            dial,
            link: Link::new(),
            patience,
        }
    }

    /// Returns once the broker has confirmed all of `messages`.
    pub(super) async fn publish(
        &self,
        queue: &str,
        messages: Vec<Bytes>,
    ) -> Result<(), IntakeError> {
        let deadline = tokio::time::Instant::now() + self.patience;
        let making = self.link.get(Publisher::make(&self.dial));
        let late = |_| IntakeError::Unavailable(self.late("no connection"));
        let publisher = tokio::time::timeout_at(deadline, making)
            .await
            .map_err(late)??;
        publisher.not_blocked()?;
        let publishing = publisher.publish(queue, messages);
        match tokio::time::timeout_at(deadline, publishing).await {
            Ok(outcome) => outcome,
            Err(_) => {
                // It may be dead without knowing; what waits in it must not wait for ever.
                self.link.abandon(&publisher).await;
                let why = self.late("no confirmation; the messages may be there or not");
                Err(IntakeError::Unavailable(why))
            }
        }
    }

    fn late(&self, what: &str) -> String {
        format!("{what} (within {:?})", self.patience)
    }
}

struct Publisher {
    connection: Connection,
    channel: Channel,
    /// Why the broker takes nothing, while it does.
    blocked: watch::Receiver<Option<String>>,
}

impl Live for Publisher {
    fn is_live(&self) -> bool {
        self.connection.status().connected() && self.channel.status().connected()
    }
}

impl Publisher {
    async fn make(dial: &Dial) -> Result<Self, IntakeError> {
        let connection = dial.connect().await?;
        let blocked = follow(&connection);
        let channel = connection
            .create_channel()
            .await
            .map_err(|error| away(&error))?;
        let confirms = channel.confirm_select(ConfirmSelectOptions::default());
        confirms.await.map_err(|error| away(&error))?;
        Ok(Self {
            connection,
            channel,
            blocked,
        })
    }

    /// Nothing was sent yet, so that nothing can be there.
    fn not_blocked(&self) -> Result<(), IntakeError> {
        match &*self.blocked.borrow() {
            Some(reason) => Err(IntakeError::Full(blocking(reason))),
            None => Ok(()),
        }
    }

    async fn publish(&self, queue: &str, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        let mut blocked = self.blocked.clone();
        tokio::select! {
            outcome = self.send_and_hear(queue, messages) => outcome,
            Ok(reason) = blocked.wait_for(Option::is_some) => {
                let reason = blocking(reason.as_deref().unwrap_or_default());
                Err(IntakeError::Unavailable(reason))
            }
        }
    }

    async fn send_and_hear(&self, queue: &str, messages: Vec<Bytes>) -> Result<(), IntakeError> {
        let mut confirms = Vec::with_capacity(messages.len());
        for message in &messages {
            confirms.push(self.send(queue, message).await.map_err(rejected)?);
        }
        let (mut nacks, many) = (0, confirms.len());
        for confirm in confirms {
            match confirm.await.map_err(rejected)? {
                Confirmation::Ack(None) => {}
                Confirmation::Nack(_) => nacks += 1,
                Confirmation::Ack(Some(_)) | Confirmation::NotRequested => {
                    return Err(IntakeError::Refused(gone(queue)));
                }
            }
        }
        match nacks {
            0 => Ok(()),
            // A limit of the queue's length does that to all alike.
            _ if nacks == many => Err(IntakeError::Full(full(queue))),
            _ => Err(IntakeError::Unavailable(full(queue))),
        }
    }

    async fn send(&self, queue: &str, message: &Bytes) -> lapin::Result<PublisherConfirm> {
        let options = BasicPublishOptions {
            mandatory: true,
            ..BasicPublishOptions::default()
        };
        // 2: persistent.
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/octet-stream".into());
        let exchange = "".into();
        self.channel
            .basic_publish(exchange, queue.into(), options, message, properties)
            .await
    }
}

/// Follows what the broker says of the connection, for as long as there is one.
fn follow(connection: &Connection) -> watch::Receiver<Option<String>> {
    let (tell, blocked) = watch::channel(None);
    let mut events = Box::pin(connection.events_listener());
    tokio::spawn(async move {
        loop {
            let event = tokio::select! {
                event = events.next() => event,
                () = tell.closed() => return,
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => {
                    tracing::warn!(reason, "the broker takes no messages");
                    tell.send_replace(Some(reason));
                }
                Some(Event::ConnectionUnblocked) => {
                    tracing::info!("the broker takes messages again");
                    tell.send_replace(None);
                }
                Some(_) => {}
                None => return,
            }
        }
    });
    blocked
}

fn blocking(reason: &str) -> String {
    format!(
        "the broker takes no messages because it is {reason}; give it memory or disk, or let \
         `append` empty the queue"
    )
}

fn gone(queue: &str) -> String {
    format!("there is no queue {queue} any more; make it anew, and start the receivers again")
}

fn full(queue: &str) -> String {
    format!("the broker rejected messages for {queue}; is it at its maximum length?")
}

/// A message that the broker does not take closes the channel; waiting does not make it smaller.
fn rejected(error: Error) -> IntakeError {
    match error.kind() {
        ErrorKind::ProtocolError(told)
            if *told.kind() == AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) =>
        {
            let told = plain(&error);
            let hint = "is the broker's max_message_size below intake.amqp.message_bytes_max?";
            IntakeError::Refused(format!("{told}; {hint}"))
        }
        _ => away(&error),
    }
}
