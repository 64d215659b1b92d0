use super::*;
use crate::sign::Signer;

const SECRET: &[u8] = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

async fn start(behaviour: Behaviour) -> (Arc<Subscriber>, String) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let subscriber = Subscriber::new(Mode::Standard, Some(SECRET), behaviour).unwrap();
    let subscriber = Arc::new(subscriber);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    tokio::spawn(subscriber.clone().serve(listener));
    (subscriber, url)
}

async fn post(url: &str, signature: &str) -> u16 {
    let request = reqwest::Client::new().post(url).body("{}");
    let request = request
        .header("webhook-id", "d1")
        .header("webhook-timestamp", "7")
        .header("webhook-signature", signature);
    request.send().await.unwrap().status().as_u16()
}

fn right() -> String {
    Signer::standard(SECRET).unwrap().webhook("d1", "7", b"{}")
}

#[tokio::test]
async fn a_wrong_signature_is_refused_and_counted() {
    let (subscriber, url) = start(Behaviour::default()).await;
    assert_eq!(post(&url, "v1,AAAA").await, 401);
    assert_eq!(post(&url, &right()).await, 200);
    let counts = subscriber.counts();
    assert_eq!((counts.taken, counts.forged), (1, 1));
}

#[tokio::test]
async fn the_first_attempts_of_a_delivery_fail_when_told_so() {
    let behaviour = Behaviour {
        fail_first: 2,
        ..Behaviour::default()
    };
    let (subscriber, url) = start(behaviour).await;
    for expected in [500, 500, 200] {
        assert_eq!(post(&url, &right()).await, expected);
    }
    assert!(subscriber.wait_for(1, Duration::from_secs(1)).await);
    assert!(!subscriber.wait_for(2, Duration::from_millis(1)).await);
}
