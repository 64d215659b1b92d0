//! One connection of HTTP/1.1, as little of it as a load generator needs.

use crate::traffic::Webhook;
use anyhow::{Context as _, Result, bail};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than any server may take; GitHub Enterprise Server waits for 30 s.
const ANSWER_WITHIN: Duration = Duration::from_secs(35);
/// A server that restarts refuses connections for a while.
const CONNECT_WITHIN: Duration = Duration::from_secs(120);
const CONNECT_AGAIN: Duration = Duration::from_millis(20);

/// Where requests go.
pub(crate) struct Target {
    address: String,
    head: Vec<u8>,
}

impl Target {
    /// Reads an `http://` URL.
    pub(crate) fn parse(url: &str) -> Result<Self> {
        let url: reqwest::Url = url.parse().with_context(|| format!("{url} is no URL"))?;
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            bail!("{url} names no host");
        };
        if url.scheme() != "http" {
            bail!("{url} is not http://, and the load generator speaks nothing else");
        }
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: {host}:{port}\r\naccept: */*\r\n\
             user-agent: GitHub-Hookshot/0123456\r\ncontent-type: application/json\r\n\
             x-github-hook-id: 292430182\r\nx-github-hook-installation-target-type: organization\r\n\
             x-github-hook-installation-target-id: 79929171\r\n",
            url.path()
        );
        Ok(Self {
            address: format!("{host}:{port}"),
            head: head.into_bytes(),
        })
    }

    /// Writes the whole request to `out`.
    pub(crate) fn write(&self, webhook: &Webhook, signature: &str, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&self.head);
        // Writing into a vector cannot fail.
        let _ = write!(
            out,
            "x-github-event: {}\r\nx-github-delivery: {}\r\nx-hub-signature-256: {signature}\r\n\
             content-length: {}\r\n\r\n",
            webhook.event,
            webhook.guid,
            webhook.body.len()
        );
        out.extend_from_slice(&webhook.body);
    }
}

/// An open connection.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects, and tries again while nobody listens; none if `stop` was set meanwhile.
    pub(crate) async fn open(target: &Target, stop: &AtomicBool) -> Result<Option<Self>> {
        let start = tokio::time::Instant::now();
        loop {
            let error = match TcpStream::connect(&target.address).await {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let answer = Vec::with_capacity(1_024);
                    return Ok(Some(Self { stream, answer }));
                }
                Err(error) => error,
            };
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if start.elapsed() > CONNECT_WITHIN {
                bail!("nobody listens at {}: {error}", target.address);
            }
            tokio::time::sleep(CONNECT_AGAIN).await;
        }
    }

    /// Whether the server has not closed it meanwhile, as one that was killed has.
    pub(crate) fn is_open(&self) -> bool {
        let read = self.stream.try_read(&mut [0]);
        matches!(read, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Sends one request; tells the answer's status, and gives the connection back if it lives on.
    pub(crate) async fn exchange(mut self, request: &[u8]) -> (Option<u16>, Option<Self>) {
        match tokio::time::timeout(ANSWER_WITHIN, self.try_exchange(request)).await {
            Ok(Ok((status, true))) => (Some(status), Some(self)),
            Ok(Ok((status, false))) => (Some(status), None),
            Ok(Err(_)) | Err(_) => (None, None),
        }
    }

    async fn try_exchange(&mut self, request: &[u8]) -> io::Result<(u16, bool)> {
        // A server may refuse before it has read everything: its answer still counts.
        let sent = self.stream.write_all(request).await;
        self.answer.clear();
        let head = loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            if let Some(head) = Head::parse(&self.answer) {
                break head?;
            }
            if read == 0 {
                return Err(sent.err().unwrap_or_else(early_end));
            }
        };
        while self.answer.len() < head.bytes + head.body_bytes {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Ok((head.status, false));
            }
        }
        Ok((head.status, sent.is_ok() && !head.close))
    }
}

fn early_end() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// What must be known of an answer's head.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    bytes: usize,
    body_bytes: usize,
    close: bool,
}

impl Head {
    /// Reads the head, once it is there in full.
    fn parse(answer: &[u8]) -> Option<io::Result<Self>> {
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
        let text = String::from_utf8_lossy(&answer[..end]);
        let status = text.get(9..12).and_then(|code| code.parse().ok());
        let (mut body_bytes, mut close) = (None, false);
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body_bytes = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                close = value.trim().eq_ignore_ascii_case("close");
            }
        }
        let Some(status) = status else {
            return Some(Err(io::ErrorKind::InvalidData.into()));
        };
        // Without a length the body ends with the connection, which is then of no more use.
        Some(Ok(Self {
            status,
            bytes: end + 4,
            body_bytes: body_bytes.unwrap_or(0),
            close: close || (body_bytes.is_none() && status != 204),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 5\r\n\r\nwrong";
        assert!(Head::parse(&answer[..40]).is_none());
        let head = Head::parse(answer).unwrap().unwrap();
        assert_eq!((head.status, head.body_bytes, head.close), (401, 5, false));
        assert_eq!(head.bytes, answer.len() - 5);
    }

    #[test]
    fn an_answer_without_a_length_ends_the_connection() {
        let head = Head::parse(b"HTTP/1.1 200 OK\r\n\r\n").unwrap().unwrap();
        assert!(head.close);
        let head = Head::parse(b"HTTP/1.1 204 No Content\r\n\r\n");
        assert!(!head.unwrap().unwrap().close);
    }
}
