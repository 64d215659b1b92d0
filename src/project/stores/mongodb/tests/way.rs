//! A way to the server on which connections end, after any number of messages.

use super::*;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::sync::Mutex;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The way, and who writes over it.
pub(crate) struct Way {
    config: ProjectConfig,
    course: Arc<Mutex<Course>>,
}

/// What happens on the way.
struct Course {
    random: StdRng,
    /// What still passes before a connection ends.
    left: u32,
    ended: u64,
    /// How many ends there were in all.
    ends: u32,
}

/// How a piece of what a client sends is treated.
enum Passage {
    Passes,
    /// The server gets it, and nobody hears the answer.
    IsTheLast,
    /// Nobody gets it.
    IsLost,
}

impl Course {
    fn next(&mut self) -> Passage {
        if self.left > 0 {
            self.left -= 1;
            return Passage::Passes;
        }
        // More and more, so that it comes to its end on a slow machine, too.
        self.left = self.random.random_range(5..60) * (1 + self.ends / 6);
        self.ended += 1;
        self.ends += 1;
        if self.random.random_bool(0.5) {
            Passage::IsTheLast
        } else {
            Passage::IsLost
        }
    }
}

/// Tables on the server, and a way to them.
pub(crate) async fn place_with_way(seed: u64) -> (Arc<dyn conformance::Place>, Way) {
    let direct = config();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let course = Arc::new(Mutex::new(Course {
        random: StdRng::seed_from_u64(seed),
        left: 20,
        ended: 0,
        ends: 0,
    }));
    tokio::spawn(accept(listener, Arc::clone(&course)));
    let mut config = direct.clone();
    config.mongodb.uri = Some(format!("mongodb://localhost:{port}"));
    (Arc::new(InDatabase(direct)), Way { config, course })
}

impl Way {
    /// A writer of the tables that goes this way.
    pub(crate) fn writer(&self) -> Box<dyn ProjectionStore> {
        Box::new(MongodbStore::new(&self.config))
    }

    /// How many connections ended since it was asked last.
    pub(crate) fn ended(&self) -> u64 {
        std::mem::take(&mut self.course.lock().unwrap().ended)
    }
}

async fn accept(listener: TcpListener, course: Arc<Mutex<Course>>) {
    let to = uri().replace("mongodb://localhost", "127.0.0.1");
    while let Ok((from, _)) = listener.accept().await {
        let to = TcpStream::connect(&to).await.unwrap();
        tokio::spawn(pass(from, to, Arc::clone(&course)));
    }
}

/// Passes on what both say, until the course says otherwise.
async fn pass(from: TcpStream, to: TcpStream, course: Arc<Mutex<Course>>) {
    let (mut asks, mut hears) = from.into_split();
    let (mut answers, mut asked) = to.into_split();
    let back = async {
        let _ = tokio::io::copy(&mut answers, &mut hears).await;
    };
    let forth = async {
        let mut piece = vec![0; 1 << 20];
        while let Ok(length @ 1..) = asks.read(&mut piece).await {
            let passage = course.lock().unwrap().next();
            if matches!(passage, Passage::IsLost)
                || asked.write_all(&piece[..length]).await.is_err()
            {
                return;
            }
            if matches!(passage, Passage::IsTheLast) {
                return;
            }
        }
    };
    tokio::select! {
        () = back => {}
        () = forth => {}
    }
}
