//! What a server says of itself before anybody logs in: its client library keeps that to itself.

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::AMQPClass;
use amq_protocol::protocol::connection::{AMQPMethod, Start};
use amq_protocol::types::AMQPValue;
use futures_util::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use std::io::{self, ErrorKind};

/// The product and its version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Server {
    product: String,
    version: String,
}

/// What a client says first.
const HELLO: &[u8; 8] = b"AMQP\0\0\x09\x01";
/// A frame's type, channel and size.
const HEADER: usize = 7;
/// A greeting is a few hundred bytes.
const GREETING_BYTES_MAX: u32 = 64 << 10;

impl Server {
    /// Says hello over `stream`, and listens to the answer; the stream is of no use afterwards.
    pub(super) async fn ask<S>(mut stream: S) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        stream.write_all(HELLO).await?;
        stream.flush().await?;
        let mut frame = vec![0; HEADER];
        stream.read_exact(&mut frame).await?;
        let size = u32::from_be_bytes([frame[3], frame[4], frame[5], frame[6]]);
        if size > GREETING_BYTES_MAX {
            return Err(not_amqp("it sends something else"));
        }
        // One more byte ends the frame.
        frame.resize(HEADER + size as usize + 1, 0);
        stream.read_exact(&mut frame[HEADER..]).await?;
        match parse_frame(frame.as_slice()) {
            Ok((_, AMQPFrame::Method(0, AMQPClass::Connection(AMQPMethod::Start(start))))) => {
                Ok(Self::of(&start))
            }
            Ok((_, other)) => Err(not_amqp(&format!("it sends {other}"))),
            Err(error) => Err(not_amqp(&error.to_string())),
        }
    }

    fn of(start: &Start) -> Self {
        let said = |key: &str| match start.server_properties.inner().get(key) {
            Some(AMQPValue::LongString(text)) => text.to_string(),
            _ => String::new(),
        };
        Self {
            product: said("product"),
            version: said("version"),
        }
    }

    /// Whether quorum queues drop what came again twenty times unless they are told otherwise, as
    /// those of RabbitMQ do from 4.0 on.
    pub(super) fn limits_deliveries(&self) -> bool {
        let major = self
            .version
            .split('.')
            .next()
            .and_then(|it| it.parse().ok());
        self.product == "RabbitMQ" && major.is_none_or(|major: u32| major >= 4)
    }
}

fn not_amqp(reason: &str) -> io::Error {
    let text = format!("what answers is no server of AMQP 0.9.1: {reason}");
    io::Error::new(ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_are_limited_from_version_4_on_and_where_the_version_is_unknown() {
        let server = |product: &str, version: &str| Server {
            product: product.into(),
            version: version.into(),
        };
        for (product, version, limits) in [
            ("RabbitMQ", "3.10.8", false),
            ("RabbitMQ", "3.13.7", false),
            ("RabbitMQ", "4.0.1", true),
            ("RabbitMQ", "4.1.0-rc.1", true),
            ("RabbitMQ", "", true),
            ("LavinMQ", "2.4.0", false),
        ] {
            assert_eq!(
                server(product, version).limits_deliveries(),
                limits,
                "{product} {version}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_amqp_is_told() {
        let http = futures_util::io::Cursor::new(b"HTTP/1.1 400 Bad Request\r\n\r\n".repeat(4));
        let problem = Server::ask(Deaf(http)).await.unwrap_err().to_string();
        assert!(problem.contains("no server of AMQP"), "{problem}");
    }

    /// Answers whatever it is told.
    struct Deaf<R>(R);

    impl<R: AsyncRead + Unpin> AsyncRead for Deaf<R> {
        fn poll_read(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
            buffer: &mut [u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::pin::Pin::new(&mut self.0).poll_read(context, buffer)
        }
    }

    impl<R: Unpin> AsyncWrite for Deaf<R> {
        fn poll_write(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            buffer: &[u8],
        ) -> std::task::Poll<io::Result<usize>> {
            std::task::Poll::Ready(Ok(buffer.len()))
        }

        fn poll_flush(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn poll_close(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<io::Result<()>> {
            std::task::Poll::Ready(Ok(()))
        }
    }
}
