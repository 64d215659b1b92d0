//! A server with canned answers, and a client command that asks it.

use crate::cli::api::Api;
use crate::cli::args::Format;
use crate::cli::out::Out;
use crate::cli::session::{Answer, Session};
use crate::cli::{Cli, Command};
use crate::secret::Secret;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use axum::{Router, body};
use clap::Parser as _;
use hooklog_schemas::Timestamp;
use serde_json::Value;
use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex};

/// Method, path, status, body.
pub(super) type Canned = (&'static str, &'static str, u16, String);

/// What the server was asked.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) token: Option<String>,
    pub(super) body: Value,
}

/// What a command did.
pub(super) struct Ran {
    pub(super) out: String,
    pub(super) answer: anyhow::Result<Answer>,
}

/// A server with canned answers; those of one path are given one after the other.
pub(super) struct Fake {
    url: url::Url,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(super) async fn start(canned: Vec<Canned>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (canned, seen) = (Arc::new(Mutex::new(canned)), Arc::clone(&asked));
        let router = Router::new().fallback(move |request: Request| {
            answer(request, Arc::clone(&canned), Arc::clone(&seen))
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, asked }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Runs a client command as a script would: nobody can be asked.
    pub(super) async fn run(&self, line: &str) -> Ran {
        self.run_with(line, false, "").await
    }

    /// Runs it as a person would, who types `input`.
    pub(super) async fn run_typing(&self, line: &str, input: &str) -> Ran {
        self.run_with(line, true, input).await
    }

    async fn run_with(&self, line: &str, interactive: bool, input: &str) -> Ran {
        let mut sink = Vec::new();
        let answer = self.run_into(line, interactive, input, &mut sink).await;
        Ran {
            out: String::from_utf8(sink).unwrap(),
            answer,
        }
    }

    pub(super) async fn run_into(
        &self,
        line: &str,
        interactive: bool,
        input: &str,
        sink: &mut dyn Write,
    ) -> anyhow::Result<Answer> {
        let words = ["hooklog"].into_iter().chain(line.split(' '));
        let command = Cli::try_parse_from(words).unwrap().command;
        let token = Secret::new(b"hl_test".to_vec());
        let mut session = Session {
            api: Api::new(self.url.clone(), Some(&token)).unwrap(),
            out: Out::new(sink, false),
            input: Box::new(Cursor::new(input.to_owned())),
            interactive,
            format: Format::Table,
            now: "2026-11-01T12:00:00Z".parse::<Timestamp>().unwrap(),
        };
        ask(command, &mut session).await
    }
}

async fn ask(command: Command, session: &mut Session<'_>) -> anyhow::Result<Answer> {
    use crate::cli::log::{LogCommand, upgrade};
    use crate::cli::{
        dead_letter, delivery, doctor, erase, source, subscription, tail, timeline, token, webhook,
    };
    session.format = match &command {
        Command::Timeline(one) => one.connect.output,
        Command::Source(group) => group.connect.output,
        Command::Webhook(group) => group.connect.output,
        Command::Tail(one) => one.connect.output,
        Command::Log(LogCommand::Upgrade(one)) => one.connect.output,
        _ => Format::Table,
    };
    match command {
        Command::Source(group) => source::run(group.verb, session).await,
        Command::Subscription(group) => subscription::run(group.verb, session).await,
        Command::Token(group) => token::run(group.verb, session).await,
        Command::Webhook(group) => webhook::run(group.verb, session).await,
        Command::Delivery(group) => delivery::run(group.verb, session).await,
        Command::DeadLetter(group) => dead_letter::run(group.verb, session).await,
        Command::Timeline(one) => timeline::run(one.args, session).await,
        Command::Tail(one) => tail::run(one.args, session).await,
        Command::Erase(one) => erase::run(one.args, session).await,
        Command::Doctor(one) => doctor::run(one.args, session).await,
        Command::Log(LogCommand::Upgrade(one)) => upgrade::run(one.args, session).await,
        other => panic!("no fake for {other:?}"),
    }
}

async fn answer(
    request: Request,
    canned: Arc<Mutex<Vec<Canned>>>,
    seen: Arc<Mutex<Vec<Asked>>>,
) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let bytes: Bytes = body::to_bytes(body, 1 << 20).await.unwrap();
    let (method, path) = (parts.method.to_string(), parts.uri.path().to_owned());
    let token = parts
        .headers
        .get(AUTHORIZATION)
        .map(|value| value.to_str().unwrap().to_owned());
    seen.lock().unwrap().push(Asked {
        method: method.clone(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        token,
        body: serde_json::from_slice(&bytes).unwrap_or_default(),
    });
    let mut canned = canned.lock().unwrap();
    let found = canned
        .iter()
        .position(|(verb, place, ..)| *verb == method && *place == path);
    let Some(index) = found else {
        return (StatusCode::NOT_FOUND, "no canned answer").into_response();
    };
    let again = canned
        .iter()
        .filter(|(verb, place, ..)| *verb == method && *place == path)
        .count()
        > 1;
    let (_, _, status, text) = if again {
        canned.remove(index)
    } else {
        canned[index].clone()
    };
    let kind = if status < 400 {
        "application/json"
    } else {
        "application/problem+json"
    };
    (
        StatusCode::from_u16(status).unwrap(),
        [(CONTENT_TYPE, kind)],
        text,
    )
        .into_response()
}

/// A reader that has gone.
pub(super) struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// The value of a query parameter.
pub(super) fn parameter(asked: &Asked, name: &str) -> Option<String> {
    url::form_urlencoded::parse(asked.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
