use super::*;
use std::collections::HashMap;

struct Scripted(HashMap<&'static str, Vec<&'static str>>);

#[async_trait]
impl Lookup for Scripted {
    async fn addresses(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = self.0.get(host).cloned().unwrap_or_default();
        Ok(found.iter().map(|text| text.parse().unwrap()).collect())
    }
}

fn rules(allow: &[&str]) -> Egress {
    let config = DeliverConfig {
        allow: allow.iter().map(|net| net.parse().unwrap()).collect(),
        ..DeliverConfig::default()
    };
    let names = HashMap::from([
        ("public.example", vec!["93.184.216.34"]),
        ("127.0.0.1.nip.io", vec!["127.0.0.1"]),
        ("mixed.example", vec!["93.184.216.34", "::1"]),
        ("internal.example", vec!["10.1.2.3"]),
    ]);
    Egress::with_lookup(&config, Arc::new(Scripted(names)))
}

/// Vectors of the catalogue. They are refused with `http` and, where it parses, with `https`.
const HOSTS: [&str; 25] = [
    "127.0.0.1",
    "0/",
    "127.1",
    "2130706433",
    "2852039166",
    "0x7f000001",
    "0177.0.0.1",
    "0o177.0.0.1",
    "[::]",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fe80::1%25eth0]",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "localhost",
    "localhost.",
    "a@127.0.0.1",
    "127.1.1.1:80\\@127.2.2.2:80/",
    "example.com#@127.0.0.1",
    "[example.com]",
    "example.com:22",
];

#[test]
fn every_vector_is_refused_when_a_subscription_is_made() {
    let rules = rules(&[]);
    for host in HOSTS {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}");
            assert!(rules.check_url(&url).is_err(), "{url}");
        }
    }
    for url in [
        "file:///etc/passwd",
        "gopher://a",
        "dict://a",
        "unix:/run/a",
        "",
        "https://",
    ] {
        assert!(rules.check_url(url).is_err(), "{url}");
    }
    let long = format!("https://example.com/{}", "a".repeat(2_048));
    assert_eq!(rules.check_url(&long), Err(EgressError::TooLong));
}

#[test]
fn https_to_a_name_on_a_usual_port_is_fine() {
    for url in [
        "https://example.com",
        "https://example.com:8443/a?b=c",
        "https://93.184.216.34/",
    ] {
        assert!(rules(&[]).check_url(url).is_ok(), "{url}");
    }
}

#[test]
fn http_and_other_ports_are_for_allowed_networks() {
    let rules = rules(&["127.0.0.0/8"]);
    for url in [
        "http://127.0.0.1:9999/x",
        "http://localhost:80",
        "https://127.1:1",
    ] {
        assert_eq!(
            rules.reach(&rules.check_url(url).unwrap()),
            Ok(Reach::Allowed),
            "{url}"
        );
    }
    assert!(rules.check_url("http://10.0.0.1").is_err());
    assert!(rules.check_url("http://93.184.216.34").is_err());
}

#[test]
fn the_clouds_credentials_are_allowed_by_their_own_name_alone() {
    let address: IpAddr = "169.254.169.254".parse().unwrap();
    assert!(
        rules(&["169.254.0.0/16"])
            .admit(address, Reach::Allowed)
            .is_err()
    );
    assert!(
        rules(&["169.254.169.254/32"])
            .admit(address, Reach::Allowed)
            .is_ok()
    );
    let address: IpAddr = "fd00:ec2::254".parse().unwrap();
    assert!(rules(&["fd00::/8"]).admit(address, Reach::Allowed).is_err());
    assert!(
        rules(&["fd00:ec2::254/128"])
            .admit(address, Reach::Allowed)
            .is_ok()
    );
}

#[tokio::test]
async fn a_name_is_refused_when_any_of_its_addresses_is() {
    let rules = rules(&[]);
    let resolve = |host| rules.resolve_and_check(host, 443, Reach::Public);
    assert!(resolve("public.example").await.is_ok());
    for host in ["127.0.0.1.nip.io", "mixed.example", "internal.example"] {
        assert!(
            matches!(resolve(host).await, Err(EgressError::Address(_))),
            "{host}"
        );
    }
    assert!(matches!(
        resolve("nowhere.example").await,
        Err(EgressError::Unresolved { .. })
    ));
}

#[tokio::test]
async fn a_public_name_is_no_target_for_http_even_if_some_network_is_allowed() {
    let rules = rules(&["10.0.0.0/8"]);
    let refused = rules
        .resolve_and_check("public.example", 80, Reach::Allowed)
        .await;
    assert!(matches!(refused, Err(EgressError::Address(_))));
    assert!(
        rules
            .resolve_and_check("internal.example", 80, Reach::Allowed)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn our_own_listeners_are_no_targets_whatever_is_allowed() {
    let names = HashMap::from([("here.example", vec!["127.0.0.1"])]);
    let config = DeliverConfig {
        allow: vec![
            "127.0.0.0/8".parse().unwrap(),
            "0.0.0.0/32".parse().unwrap(),
        ],
        ..DeliverConfig::default()
    };
    let listening = ["127.0.0.1:8080", "0.0.0.0:8081", "[::]:8082"];
    let listening = listening.map(|at| at.parse().unwrap()).to_vec();
    let rules = Egress::with_lookup(&config, Arc::new(Scripted(names))).listening(listening);
    for url in [
        "http://127.0.0.1:8080/webhooks/main",
        "http://localhost:8080/",
        "http://0.0.0.0:8080/",
        "http://127.1.2.3:8081/",
        "http://127.0.0.1:8082/",
        "http://here.example:8080/",
        "https://here.example:8081/",
    ] {
        let refused = rules.check_target(url).await;
        assert!(
            matches!(refused, Err(EgressError::Own(_))),
            "{url} {refused:?}"
        );
    }
    for url in ["http://127.0.0.2:8080/", "http://here.example:8083/"] {
        assert_eq!(rules.check_target(url).await, Ok(()), "{url}");
    }
}

#[tokio::test]
async fn a_name_with_a_private_address_is_refused_at_registration() {
    let rules = rules(&[]);
    for url in ["https://internal.example/", "https://mixed.example/"] {
        let refused = rules.check_target(url).await;
        assert!(matches!(refused, Err(EgressError::Address(_))), "{url}");
    }
    assert_eq!(rules.check_target("https://public.example/").await, Ok(()));
    let unknown = rules.check_target("https://nowhere.example/").await;
    assert!(matches!(unknown, Err(EgressError::Unresolved { .. })));
}

#[tokio::test]
async fn what_the_machine_s_own_resolver_says_is_checked() {
    let rules = Egress::new(&DeliverConfig::default());
    let refused = rules
        .resolve_and_check("localhost", 443, Reach::Public)
        .await;
    assert!(matches!(refused, Err(EgressError::Address(a)) if a.is_loopback()));
}

#[test]
fn answers_of_targets_that_only_an_operator_lets_through_are_not_kept() {
    let public: IpAddr = "93.184.216.34".parse().unwrap();
    let private: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
    let rules = rules(&["10.0.0.0/8"]);
    assert!(rules.may_quote(public, Reach::Public));
    assert!(!rules.may_quote(private, Reach::Public));
    assert!(!rules.may_quote(public, Reach::Allowed));
}
