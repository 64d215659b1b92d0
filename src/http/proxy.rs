//! The PROXY protocol, versions 1 and 2: who the client of a proxy is.

use bytes::{Bytes, BytesMut};
use ppp::{HeaderResult, PartialResult as _, v1, v2};
use std::net::IpAddr;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// A header with more options than this is refused.
const HEADER_BYTES_MAX: usize = 4096;

/// What a PROXY header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preamble {
    /// The client; none when the proxy speaks for itself, as health checks do.
    pub(super) client: Option<IpAddr>,
    /// What was read beyond the header.
    pub(super) ahead: Bytes,
}

/// Why there is no PROXY header.
#[derive(Debug, thiserror::Error)]
pub(super) enum PreambleError {
    /// The connection failed or ended first.
    #[error("the connection ended within the PROXY header: {0}")]
    Io(#[from] std::io::Error),
    /// It begins otherwise, or is too long.
    #[error("a trusted proxy sent something else than a PROXY header")]
    Malformed,
}

/// Reads the header that every connection of a trusted proxy starts with.
pub(super) async fn read(socket: &mut (impl AsyncRead + Unpin)) -> Result<Preamble, PreambleError> {
    let mut buffer = BytesMut::with_capacity(HEADER_BYTES_MAX);
    loop {
        if socket.read_buf(&mut buffer).await? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        let parsed = HeaderResult::parse(&buffer);
        if parsed.is_complete() {
            let (length, client) = client(&parsed).ok_or(PreambleError::Malformed)?;
            let ahead = buffer.split_off(length).freeze();
            return Ok(Preamble { client, ahead });
        }
        if buffer.len() >= HEADER_BYTES_MAX {
            return Err(PreambleError::Malformed);
        }
    }
}

/// The header's length, and its client.
fn client(parsed: &HeaderResult<'_>) -> Option<(usize, Option<IpAddr>)> {
    match parsed {
        HeaderResult::V1(Ok(header)) => {
            let client = match &header.addresses {
                v1::Addresses::Tcp4(tcp) => Some(IpAddr::V4(tcp.source_address)),
                v1::Addresses::Tcp6(tcp) => Some(IpAddr::V6(tcp.source_address)),
                v1::Addresses::Unknown => None,
            };
            Some((header.header.len(), client))
        }
        HeaderResult::V2(Ok(header)) => {
            let client = match &header.addresses {
                _ if header.command == v2::Command::Local => None,
                v2::Addresses::IPv4(ip) => Some(IpAddr::V4(ip.source_address)),
                v2::Addresses::IPv6(ip) => Some(IpAddr::V6(ip.source_address)),
                v2::Addresses::Unspecified | v2::Addresses::Unix(_) => None,
            };
            Some((header.header.len(), client))
        }
        HeaderResult::V1(Err(_)) | HeaderResult::V2(Err(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_the_request() {
        let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        v2.extend([192, 0, 2, 7, 10, 0, 0, 1, 0, 80, 1, 187]);
        let v1 = b"PROXY TCP4 192.0.2.7 10.0.0.1 56324 443\r\n".to_vec();
        for header in [v1, v2] {
            let bytes = [header.as_slice(), b"POST"].concat();
            let read = read(&mut bytes.as_slice()).await.unwrap();
            assert_eq!(read.client, Some("192.0.2.7".parse().unwrap()));
            assert_eq!(&read.ahead[..], b"POST");
        }
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_names_nobody() {
        let read = read(&mut &b"PROXY UNKNOWN\r\n"[..]).await.unwrap();
        assert_eq!(read.client, None);
    }

    #[tokio::test]
    async fn a_header_that_comes_in_pieces_is_put_together() {
        let text = b"PROXY TCP6 2001:db8::1 ::1 1 2\r\nGET";
        let (client, mut server) = tokio::io::duplex(3);
        let writer = tokio::spawn(async move {
            let mut client = client;
            tokio::io::AsyncWriteExt::write_all(&mut client, text)
                .await
                .unwrap();
            client
        });
        let read = read(&mut server).await.unwrap();
        assert_eq!(read.client, Some("2001:db8::1".parse().unwrap()));
        drop(writer);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let request = b"POST /webhooks/a HTTP/1.1\r\n\r\n";
        assert!(matches!(
            read(&mut &request[..]).await,
            Err(PreambleError::Malformed)
        ));
    }
}
