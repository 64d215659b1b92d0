//! Opens the queue that the configuration puts in front of the log.

use crate::config::{Config, IntakeKind};
use crate::intake::{Bodies, Intake};
use std::sync::Arc;

/// A queue, and where bodies lie that are too large for it.
#[derive(Clone)]
pub struct Queue {
    /// The queue.
    pub intake: Arc<dyn Intake>,
    /// The object store, if there is one.
    pub bodies: Option<Arc<dyn Bodies>>,
}

/// The queue of `config`, if there is to be one.
///
/// # Errors
/// Each back end's own, which say what to change; and when a webhook may be too large for the queue
/// and there is no object store.
pub async fn open(config: &Config) -> anyhow::Result<Option<Queue>> {
    let Some(intake) = queue(config).await? else {
        return Ok(None);
    };
    let bodies = bodies(config)?;
    let (limit, largest) = (intake.message_bytes_max(), config.receive.form_bytes_max);
    anyhow::ensure!(
        bodies.is_some() || limit > largest,
        "the intake queue takes messages of up to {limit} bytes, and a webhook may have \
         receive.form_bytes_max = {largest}: set intake.claim_check.url, so that larger bodies go by \
         an object store, or lower receive.form_bytes_max"
    );
    Ok(Some(Queue { intake, bodies }))
}

async fn queue(config: &Config) -> anyhow::Result<Option<Arc<dyn Intake>>> {
    let intake = &config.intake;
    match intake.kind {
        IntakeKind::None => Ok(None),
        #[cfg(feature = "intake-amqp")]
        IntakeKind::Amqp => {
            let queue = crate::intake::amqp::AmqpIntake::open(&intake.amqp).await?;
            Ok(Some(Arc::new(queue)))
        }
        #[cfg(feature = "intake-eventhubs")]
        IntakeKind::EventHubs => {
            let queue = crate::intake::eventhubs::EventHubsIntake::open(&intake.eventhubs).await?;
            Ok(Some(Arc::new(queue)))
        }
        #[cfg(feature = "intake-redis")]
        IntakeKind::Redis => {
            let queue = crate::intake::redis::RedisIntake::open(&intake.redis).await?;
            Ok(Some(Arc::new(queue)))
        }
        #[cfg(feature = "intake-sqs")]
        IntakeKind::Sqs => {
            let queue = crate::intake::sqs::SqsIntake::open(&intake.sqs).await?;
            Ok(Some(Arc::new(queue)))
        }
        // The configuration says the same before it comes to this.
        #[cfg(not(all(
            feature = "intake-amqp",
            feature = "intake-eventhubs",
            feature = "intake-redis",
            feature = "intake-sqs"
        )))]
        _ => anyhow::bail!("this hooklog was built without the queue of intake.kind"),
    }
}

#[cfg(feature = "claim-check")]
fn bodies(config: &Config) -> anyhow::Result<Option<Arc<dyn Bodies>>> {
    let store = &config.intake.claim_check;
    let objects = crate::intake::objects::Objects::open(store)?;
    Ok(objects.map(|objects| Arc::new(objects) as Arc<dyn Bodies>))
}

#[cfg(not(feature = "claim-check"))]
fn bodies(_: &Config) -> anyhow::Result<Option<Arc<dyn Bodies>>> {
    Ok(None)
}
