//! What comes after an attempt.

use super::{Answer, backoff, retry_after};
use hooklog_schemas::Timestamp;
use hooklog_schemas::control::Policy;
use hooklog_schemas::deliveries::{DeadReason, ErrorClass, Outcome, Verdict};

/// Decides what comes after the `number`-th attempt, counted from 1, that ended at `now`.
///
/// 2xx is success. 410 pauses the subscription. Everything else, redirects too, is tried again
/// until the policy's attempts are used up; `random` in 0..1 spreads the retries.
#[must_use]
pub fn verdict(
    answer: &Answer,
    policy: &Policy,
    number: u32,
    now: Timestamp,
    random: f64,
) -> Verdict {
    match &answer.outcome {
        Outcome::Status(200..=299) => return Verdict::Delivered,
        Outcome::Status(410) => return Verdict::Paused,
        Outcome::Error {
            class: ErrorClass::Erased,
            ..
        } => {
            let reason = DeadReason::BodyErased;
            return Verdict::DeadLettered { reason };
        }
        Outcome::Status(_) | Outcome::Error { .. } => {}
    }
    if number >= policy.attempts_max {
        let reason = DeadReason::AttemptsExhausted;
        return Verdict::DeadLettered { reason };
    }
    let shortest = backoff::delay(policy, number, random);
    let delay = retry_after::delay(&answer.retry_after, now, shortest);
    Verdict::Retry {
        at: now.plus(delay),
    }
}

/// Whether an outcome says that the subscriber itself is in trouble, not this one request.
#[must_use]
pub fn is_trouble(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Status(status) => matches!(status, 408 | 429 | 500..=599),
        Outcome::Error { class, .. } => !matches!(class, ErrorClass::Erased | ErrorClass::Internal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn status(status: u16) -> Answer {
        Answer {
            outcome: Outcome::Status(status),
            ..Answer::failed(ErrorClass::Internal, "", Duration::ZERO)
        }
    }

    fn judge(answer: &Answer, number: u32) -> Verdict {
        verdict(answer, &Policy::default(), number, Timestamp(0), 0.5)
    }

    #[test]
    fn success_is_2xx_and_nothing_else() {
        for code in [200, 201, 202, 204, 299] {
            assert_eq!(judge(&status(code), 1), Verdict::Delivered, "{code}");
        }
        for code in [
            100, 101, 301, 302, 307, 308, 400, 401, 404, 429, 500, 503, 999,
        ] {
            assert!(
                matches!(judge(&status(code), 1), Verdict::Retry { .. }),
                "{code}"
            );
        }
        assert_eq!(judge(&status(410), 1), Verdict::Paused);
    }

    #[test]
    fn the_last_attempt_of_the_policy_is_a_dead_letter() {
        let reason = DeadReason::AttemptsExhausted;
        let last = Policy::default().attempts_max;
        assert_eq!(judge(&status(500), last), Verdict::DeadLettered { reason });
        assert!(matches!(
            judge(&status(500), last - 1),
            Verdict::Retry { .. }
        ));
    }

    #[test]
    fn an_erased_body_is_a_dead_letter_at_once() {
        let erased = Answer::failed(ErrorClass::Erased, "", Duration::ZERO);
        let reason = DeadReason::BodyErased;
        assert_eq!(judge(&erased, 1), Verdict::DeadLettered { reason });
    }

    #[test]
    fn retry_after_only_ever_makes_it_later() {
        let mut answer = status(503);
        answer.retry_after = vec!["60".into()];
        assert_eq!(
            judge(&answer, 1),
            Verdict::Retry {
                at: Timestamp::from_secs(60)
            }
        );
        answer.retry_after = vec!["0".into()];
        assert_eq!(
            judge(&answer, 1),
            Verdict::Retry {
                at: Timestamp::from_secs(5)
            }
        );
    }
}
