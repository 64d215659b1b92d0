//! The bytes of one connection, watched.

use super::framing::Framing;
use super::watch::Watch;
use bytes::{Buf as _, Bytes};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// A socket that tells its [`Watch`] what happens on it.
pub(super) struct Stream {
    socket: TcpStream,
    /// What was read beyond the PROXY header.
    ahead: Bytes,
    framing: Framing,
    watch: Arc<Watch>,
    stalled: bool,
    closing: bool,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, ahead: Bytes, watch: Arc<Watch>) -> Self {
        Self {
            socket,
            ahead,
            framing: Framing::default(),
            watch,
            stalled: false,
            closing: false,
        }
    }

    fn follow(&mut self, bytes: &[u8]) {
        let seen = self.framing.follow(bytes);
        if seen.ambiguous {
            self.watch.refuse();
        }
        self.watch.read(seen.in_head);
    }

    fn wrote<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if polled.is_pending() && !self.stalled {
            self.stalled = true;
            self.watch.stalled();
        } else if polled.is_ready() && self.stalled {
            self.stalled = false;
            self.watch.progressed();
        }
        polled
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.ahead.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        } else {
            let count = self.ahead.len().min(buf.remaining());
            buf.put_slice(&self.ahead[..count]);
            self.ahead.advance(count);
        }
        let fresh = buf.filled().get(before..).unwrap_or_default();
        if !fresh.is_empty() {
            self.follow(fresh);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.wrote(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.wrote(polled)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Closes our side, and then reads what the client still sends until it closes its own: bytes
    /// that nobody reads would reset the connection, and the client would lose its answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closing {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
            self.closing = true;
            self.watch.closing();
        }
        let mut rest = [0; 8192];
        loop {
            let mut buf = ReadBuf::new(&mut rest);
            let read = ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buf));
            if read.is_err() || buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
