//! A way to a server of tables that can be cut.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to the server that can be cut, and mended.
pub(crate) struct Way {
    url: String,
    whole: watch::Sender<bool>,
}

impl Way {
    /// A way to `server`, a URL whose host is localhost, that is cut.
    pub(crate) async fn cut(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let whole = watch::Sender::new(false);
        let port_of_server = server.rsplit_once("localhost:").unwrap().1;
        let to = port_of_server.split('/').next().unwrap();
        tokio::spawn(pass(listener, format!("127.0.0.1:{to}"), whole.subscribe()));
        let url = server.replace(&format!("localhost:{to}"), &format!("localhost:{port}"));
        Self { url, whole }
    }

    /// The server's address over this way.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Mends it, or cuts it and every connection over it.
    pub(crate) fn mend(&self, whole: bool) {
        self.whole.send_replace(whole);
    }
}

async fn pass(listener: TcpListener, to: String, whole: watch::Receiver<bool>) {
    while let Ok((mut from, _)) = listener.accept().await {
        let (to, mut whole) = (to.clone(), whole.clone());
        tokio::spawn(async move {
            if !*whole.borrow_and_update() {
                return;
            }
            let mut to = TcpStream::connect(to).await.unwrap();
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                _ = whole.wait_for(|whole| !whole) => {}
            }
        });
    }
}
