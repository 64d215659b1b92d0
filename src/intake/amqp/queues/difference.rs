//! What a broker says when a queue exists with other settings than were declared.

use lapin::types::AMQPValue;

/// One setting, and what the queue has.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Difference {
    /// Whether it is durable.
    Durable(bool),
    /// An argument, and its value, if it has one.
    Argument(String, Option<AMQPValue>),
}

impl Difference {
    /// Reads `PRECONDITION_FAILED - inequivalent arg 'NAME' for queue …: received … but current is …`.
    pub(super) fn read(message: &str) -> Option<Self> {
        let (_, named) = message.split_once("inequivalent arg '")?;
        let (name, _) = named.split_once('\'')?;
        let (_, current) = message.rsplit_once(" but current is ")?;
        match name {
            "durable" => Some(Self::Durable(current.contains("true"))),
            _ if current.starts_with("none") => Some(Self::Argument(name.to_owned(), None)),
            _ => Some(Self::Argument(name.to_owned(), Some(value(current)?))),
        }
    }
}

/// Reads `the value 'VALUE' of type 'TYPE'`.
fn value(current: &str) -> Option<AMQPValue> {
    let value = current.strip_prefix("the value '")?;
    let (value, kind) = value.rsplit_once("' of type '")?;
    match kind.split('\'').next()? {
        "longstr" => Some(AMQPValue::LongString(value.into())),
        "bool" => Some(AMQPValue::Boolean(value == "true")),
        // Every kind of integer is the same to the broker.
        _ => value.parse().ok().map(AMQPValue::LongLongInt),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn argument(name: &str, value: Option<AMQPValue>) -> Option<Difference> {
        Some(Difference::Argument(name.to_owned(), value))
    }

    #[test]
    fn what_a_broker_says_is_understood() {
        let about = "for queue 'it's' in vhost '/'";
        for (said, meant) in [
            (
                "'x-queue-type' Q: received the value 'quorum' of type 'longstr' but current is none",
                argument("x-queue-type", None),
            ),
            (
                "'x-message-ttl' Q: received none but current is the value '1000' of type 'signedint'",
                argument("x-message-ttl", Some(AMQPValue::LongLongInt(1_000))),
            ),
            (
                "'x-dead-letter-exchange' Q: received none but current is the value 'it's' of type \
                 'longstr'",
                argument(
                    "x-dead-letter-exchange",
                    Some(AMQPValue::LongString("it's".into())),
                ),
            ),
            (
                "'x-single-active-consumer' Q: received none but current is the value 'true' of type \
                 'bool'",
                argument("x-single-active-consumer", Some(AMQPValue::Boolean(true))),
            ),
            (
                "'durable' Q: received 'true' but current is 'false'",
                Some(Difference::Durable(false)),
            ),
        ] {
            let said = format!("PRECONDITION_FAILED - inequivalent arg {said}").replace('Q', about);
            assert_eq!(Difference::read(&said), meant, "{said}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for said in [
            "NOT_FOUND - no queue 'q' in vhost '/'",
            "PRECONDITION_FAILED - inequivalent arg 'x' for queue 'q'",
            "",
        ] {
            assert_eq!(Difference::read(said), None, "{said}");
        }
    }
}
