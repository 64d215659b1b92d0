use super::*;

const BODY: &[u8] = br#"{"test": 2432232314}"#;
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const GOOD: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret(text: &str) -> Secret {
    Secret::new(text.as_bytes().to_vec())
}

fn ours() -> Secret {
    secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
}

fn verify(timestamp: &str, signature: &str, now: i64) -> Result<(), VerifyError> {
    let headers = StandardHeaders {
        id: ID,
        timestamp,
        signature,
    };
    verify_standard(&ours(), headers, BODY, Timestamp::from_secs(now))
}

#[test]
fn the_vector_of_standard_webhooks_is_reproduced() {
    let key = standard_key(&ours()).unwrap();
    assert_eq!(standard(&[&key], ID, AT, BODY), GOOD);
    assert_eq!(verify(&AT.to_string(), GOOD, AT), Ok(()));
}

#[test]
fn during_an_overlap_every_secret_signs_and_any_right_one_suffices() {
    let other = standard_key(&generate_secret().unwrap()).unwrap();
    let key = standard_key(&ours()).unwrap();
    let both = standard(&[&other, &key], ID, AT, BODY);
    assert_eq!(both.split(' ').count(), 2);
    assert!(both.ends_with(GOOD));
    assert_eq!(verify(&AT.to_string(), &both, AT), Ok(()));
    let mixed = format!("v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= {GOOD} v1a,abc");
    assert_eq!(verify(&AT.to_string(), &mixed, AT), Ok(()));
}

#[test]
fn a_wrong_signature_or_timestamp_is_refused() {
    assert_eq!(verify(&AT.to_string(), "v1,", AT), Err(VerifyError::Wrong));
    assert!(matches!(
        verify(&AT.to_string(), "", AT),
        Err(VerifyError::Form(_))
    ));
    assert_eq!(verify("hello", GOOD, AT), Err(VerifyError::Timestamp));
    for now in [AT + 300, AT - 300] {
        assert_eq!(verify(&AT.to_string(), GOOD, now), Ok(()));
    }
    for now in [AT + 301, AT - 301] {
        assert_eq!(verify(&AT.to_string(), GOOD, now), Err(VerifyError::Stale));
    }
}

#[test]
fn a_secret_that_cannot_sign_is_refused_with_the_reason() {
    let check = |text: &str| check_secret(Signing::Standard, &secret(text));
    assert_eq!(check(""), Err(SecretError::Empty));
    assert_eq!(check("whsec_"), Err(SecretError::Length(0)));
    assert_eq!(check("whsec_AAAA"), Err(SecretError::Length(3)));
    assert_eq!(check("plain"), Err(SecretError::Form));
    assert_eq!(
        check_secret(Signing::Standard, &generate_secret().unwrap()),
        Ok(())
    );
    assert_eq!(
        check_secret(Signing::Github, &secret("")),
        Err(SecretError::Empty)
    );
    assert_eq!(check_secret(Signing::None, &secret("")), Ok(()));
}

#[test]
fn the_vector_of_github_is_reproduced() {
    let github_secret = secret("It's a Secret to Everybody");
    let header = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(github(&github_secret, b"Hello, World!"), header);
    assert_eq!(
        verify_github(&github_secret, header, b"Hello, World!"),
        Ok(())
    );
    assert_eq!(
        github_sha1(&github_secret, b"Hello, World!").len(),
        "sha1=".len() + 40
    );
}

#[test]
fn every_other_form_of_githubs_signature_is_refused() {
    let github_secret = secret("It's a Secret to Everybody");
    let header = github(&github_secret, b"Hello, World!");
    let refused = |text: &str| verify_github(&github_secret, text, b"Hello, World!").is_err();
    for end in 0..header.len() {
        assert!(refused(&header[..end]), "{}", &header[..end]);
    }
    assert!(refused(&header.to_uppercase()));
    assert!(refused(&format!("sha256={}", header[7..].to_uppercase())));
    assert!(refused(&format!("{header} ")));
    assert!(refused(&format!("{header}0")));
    assert!(refused(&header.replace("sha256", "sha1")));
    assert!(refused(&format!("sha256={}", "z".repeat(64))));
    assert!(verify_github(&secret(""), &header, b"Hello, World!").is_err());
}
