//! What differs between two attempts of a delivery.

use super::blame::FieldChange;
use crate::query::AttemptRow;
use serde_json::{Value, json};

/// What two attempts have in common, and what not: every recorded fact, in the order in which an
/// attempt comes to it.
#[must_use]
pub fn compared(first: &AttemptRow, second: &AttemptRow) -> (Vec<FieldChange>, Vec<&'static str>) {
    let (mut differences, mut same) = (Vec::new(), Vec::new());
    for ((field, was), (_, now)) in facts(first).into_iter().zip(facts(second)) {
        if was == now {
            same.push(field);
        } else {
            let field = field.to_owned();
            differences.push(FieldChange { field, was, now });
        }
    }
    (differences, same)
}

fn facts(attempt: &AttemptRow) -> [(&'static str, Value); 14] {
    [
        ("number", json!(attempt.number)),
        ("started_at", json!(attempt.started_at)),
        ("configuration_offset", json!(attempt.configuration_offset)),
        ("target", json!(attempt.target)),
        ("address", json!(attempt.address)),
        ("headers_sha256", json!(attempt.headers_sha256)),
        ("resolve_us", json!(attempt.resolve_us)),
        ("connect_us", json!(attempt.connect_us)),
        ("headers_us", json!(attempt.headers_us)),
        ("duration_us", json!(attempt.duration_us)),
        ("status", json!(attempt.status)),
        ("error", error(attempt)),
        ("excerpt", json!(attempt.excerpt)),
        ("verdict", json!(attempt.verdict)),
    ]
}

fn error(attempt: &AttemptRow) -> Value {
    match (&attempt.error, &attempt.detail) {
        (Some(class), Some(detail)) => json!(format!("{class}: {detail}")),
        (class, _) => json!(class),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_named_and_what_differs_is_shown_in_order() {
        let first = AttemptRow {
            number: 1,
            started_at: 5,
            duration_us: 100,
            resolve_us: Some(10),
            connect_us: Some(20),
            headers_us: None,
            headers_sha256: Some("a".to_owned()),
            status: None,
            error: Some("tls".to_owned()),
            detail: Some("expired".to_owned()),
            target: "https://a/".to_owned(),
            address: None,
            verdict: "retry".to_owned(),
            configuration_offset: 3,
            position: "deliveries/0@1".to_owned(),
            answer_position: None,
            excerpt: None,
        };
        let second = AttemptRow {
            number: 2,
            started_at: 9,
            headers_us: Some(60),
            status: Some(204),
            error: None,
            detail: None,
            address: Some("192.0.2.1:443".to_owned()),
            verdict: "delivered".to_owned(),
            ..first.clone()
        };
        let (differences, same) = compared(&first, &second);
        let told: Vec<_> = differences.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(
            told,
            [
                "number",
                "started_at",
                "address",
                "headers_us",
                "status",
                "error",
                "verdict"
            ]
        );
        assert_eq!(differences[5].was, "tls: expired");
        assert!(same.contains(&"headers_sha256") && same.contains(&"target"));
    }
}
