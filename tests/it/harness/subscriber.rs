//! A subscriber that remembers what it got, and answers what it was told.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// One delivery as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

/// A subscriber on a port of its own.
#[derive(Clone)]
pub(crate) struct Subscriber {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Got>>>,
    answers: Arc<Mutex<Vec<u16>>>,
}

impl Subscriber {
    /// Answers with these statuses, one after the other, the last one for ever.
    pub(crate) async fn answering(statuses: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(statuses.to_vec()));
        let subscriber = Self {
            url,
            seen: Arc::default(),
            answers,
        };
        let app = Router::new()
            .fallback(receive)
            .with_state(subscriber.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        subscriber
    }

    /// Everything that arrived so far.
    pub(crate) fn seen(&self) -> Vec<Got> {
        self.seen.lock().unwrap().clone()
    }
}

async fn receive(
    State(subscriber): State<Subscriber>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    subscriber.seen.lock().unwrap().push(Got { headers, body });
    let mut answers = subscriber.answers.lock().unwrap();
    let next = if answers.len() > 1 {
        answers.remove(0)
    } else {
        answers[0]
    };
    StatusCode::from_u16(next).unwrap()
}
