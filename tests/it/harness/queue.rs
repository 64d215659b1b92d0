//! Queues in front of the log, on the services that `tools/services` started.

use super::variable;
use std::path::Path;
use uuid::Uuid;

/// Which queue.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Queue {
    /// One of RabbitMQ.
    #[cfg(feature = "intake-amqp")]
    Amqp,
    /// An event hub, on a broker that listens as Event Hubs does.
    #[cfg(feature = "intake-eventhubs")]
    EventHubs,
    /// One of SQS.
    #[cfg(feature = "intake-sqs")]
    Sqs,
}

impl Queue {
    /// A queue of its own, in the words of the configuration. It is made by the start.
    pub(crate) fn section(self, folder: &Path) -> String {
        // Every service of the tests has the same password.
        let secret = folder.join("secret");
        std::fs::write(&secret, "secret of a test\n").unwrap();
        let own = self.own(&secret, &Uuid::now_v7().simple().to_string());
        // No webhook is over the smallest of their limits, so that there is no claim check.
        format!(
            "[receive]\nbody_bytes_max = 100000\nform_bytes_max = 150000\n\
             [intake]\nkind = {own}create = true\n"
        )
    }

    fn own(self, secret: &Path, name: &str) -> String {
        match self {
            #[cfg(feature = "intake-amqp")]
            Self::Amqp => format!(
                "\"amqp\"\n[intake.amqp]\nnodes = [\"{}\"]\nusername = \"hooklog\"\n\
                 password_file = {secret:?}\nqueue = \"it.{name}\"\n\
                 aside_queue = \"it.{name}.aside\"\n",
                variable("HOOKLOG_TEST_RABBITMQ_ADDRESS")
            ),
            #[cfg(feature = "intake-eventhubs")]
            Self::EventHubs => format!(
                "\"eventhubs\"\n[intake.eventhubs]\naddress = \"{}\"\n\
                 security = \"sasl_plaintext\"\nconnection_string_file = {secret:?}\n\
                 group = \"it.{name}\"\nhub = \"it.{name}\"\naside_hub = \"it.{name}.aside\"\n",
                variable("HOOKLOG_TEST_KAFKA_SASL")
            ),
            #[cfg(feature = "intake-sqs")]
            Self::Sqs => format!(
                "\"sqs\"\n[intake.sqs]\nendpoint = \"{}\"\nregion = \"elasticmq\"\n\
                 access_key_id = \"test\"\naccess_key_file = {secret:?}\n\
                 payload_bytes_max = 262144\nqueue = \"it-{name}\"\n\
                 aside_queue = \"it-{name}-aside\"\n",
                variable("HOOKLOG_TEST_SQS")
            ),
        }
    }
}
