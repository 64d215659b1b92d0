//! How OpenAPI describes values whose types belong to the events: one description each, and a test
//! that it has the fields of the type itself.

use utoipa::ToSchema;

macro_rules! described {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[expect(dead_code, reason = "its fields are only described, by the derived schema")]
        pub(super) struct $name { $($(#[$field_doc])* $field: $type,)* }
    )*};
}

described! {
    /// What a subscription wants. Every clause that is given must hold; one of its values suffices.
    Filter {
        /// `push`, or `pull_request.opened`.
        events: Option<Vec<String>>,
        /// Names of sources.
        sources: Option<Vec<String>>,
        /// Hosts.
        hosts: Option<Vec<String>>,
        /// Globs over the organisation's login.
        organizations: Option<Vec<String>>,
        /// Globs over the repository's full name: `acme/*`.
        repositories: Option<Vec<String>>,
        /// Globs over the branch: `main`, `release/*`.
        branches: Option<Vec<String>>,
        /// Globs over the sender's login.
        senders: Option<Vec<String>>,
    }

    /// A cut through the log: of every partition the first offset that lies outside.
    Point {
        /// The log that it cuts.
        log: String,
        /// The ends of the partitions of `webhooks`, in their order.
        webhooks: Vec<u64>,
        /// The ends of the partitions of `deliveries`, in their order.
        deliveries: Vec<u64>,
        /// The end of `control`.
        control: u64,
    }

    /// How deliveries are tried. What is not given has its default.
    Policy {
        /// Tries before the dead letter, 1 to 100; 16 by default.
        attempts_max: Option<u32>,
        /// The first delay, in milliseconds; each later one doubles, with jitter.
        delay_first_ms: Option<u64>,
        /// The longest delay, in milliseconds, 7 days at the most.
        delay_max_ms: Option<u64>,
        /// One deadline over connect, headers and body, in milliseconds, up to 300,000.
        deadline_ms: Option<u64>,
        /// Attempts under way at once, 1 to 10,000.
        concurrency_max: Option<u32>,
        /// Attempts a second; none means no limit.
        rate_per_second: Option<u32>,
        /// GitHub mode: also send the old `X-Hub-Signature`.
        sha1: Option<bool>,
        /// GitHub mode: send the body as a form.
        form: Option<bool>,
        /// Deliver an event again when GitHub redelivers it, or another hook sees it.
        duplicates: Option<bool>,
    }
}

macro_rules! chosen {
    ($($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* })*) => {$(
        $(#[$doc])*
        #[derive(ToSchema)]
        #[schema(rename_all = "snake_case")]
        #[expect(dead_code, reason = "its variants are only described, by the derived schema")]
        pub(super) enum $name { $($(#[$variant_doc])* $variant,)* }
    )*};
}

chosen! {
    /// How a delivery is signed.
    Signing {
        /// Standard Webhooks.
        Standard,
        /// As GitHub does.
        Github,
        /// Not at all.
        None,
    }

    /// What a token may do. Each role may do what those before it may.
    Role {
        /// Looks.
        Read,
        /// Also changes subscriptions, gives commands, reads bodies.
        Operate,
        /// Also changes sources and tokens, and erases.
        Admin,
    }

    /// Whether a token names a person or a service.
    Holder {
        /// A person.
        Person,
        /// A program.
        Service,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hooklog_schemas::control;
    use serde_json::{Value, json};
    use utoipa::PartialSchema as _;

    fn keys(value: &Value) -> Vec<&String> {
        let mut keys: Vec<_> = value.as_object().unwrap().keys().collect();
        keys.sort();
        keys
    }

    #[test]
    fn each_description_has_the_fields_of_its_type() {
        let one = || vec!["x".to_owned()];
        let filter = control::Filter {
            events: one(),
            sources: one(),
            hosts: one(),
            organizations: one(),
            repositories: one(),
            branches: one(),
            senders: one(),
        };
        for (described, real) in [
            (json!(Filter::schema()), json!(filter)),
            (json!(Policy::schema()), json!(control::Policy::default())),
        ] {
            assert_eq!(keys(&described["properties"]), keys(&real));
            assert!(
                described.get("required").is_none(),
                "nothing of it is required"
            );
        }
    }

    #[test]
    fn each_choice_is_one_that_the_type_has() {
        let reads = |schema: Value, read: fn(Value) -> bool| {
            schema["enum"].as_array().unwrap().iter().cloned().all(read)
        };
        fn is<T: serde::de::DeserializeOwned>(value: Value) -> bool {
            serde_json::from_value::<T>(value).is_ok()
        }
        assert!(reads(json!(Signing::schema()), is::<control::Signing>));
        assert!(reads(json!(Role::schema()), is::<control::Role>));
        assert!(reads(json!(Holder::schema()), is::<control::Holder>));
    }
}
