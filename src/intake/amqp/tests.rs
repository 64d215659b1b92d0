//! The queue on a real RabbitMQ.

mod broker;
mod opening;
mod outage;

use crate::intake::conformance;
use broker::Queues;
use std::time::Duration;

async fn make() -> conformance::Given<()> {
    let queues = Queues::make().await;
    let open = move || {
        let queues = queues.clone();
        async move { queues.open().await }
    };
    conformance::Given::new(open, ()).comes_again_within(Duration::from_secs(2))
}

conformance::suite!(make);
