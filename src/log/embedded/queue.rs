//! The appends that wait for the writer, and the thread that takes them in groups.

use super::writer::{Request, Writer};
use crate::log::AppendError;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// A group is closed when it has so many records, or so many bytes.
const MOST_RECORDS: usize = 512;
const MOST_BYTES: u64 = 8 << 20;

/// What the writer is asked.
enum Message {
    Append(Request),
    Roll(oneshot::Sender<Result<(), AppendError>>),
}

/// The queue in front of a journal's writer thread.
pub(crate) struct Queue {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Default)]
struct Waiting {
    messages: VecDeque<Message>,
    closed: bool,
}

impl Queue {
    /// Starts the thread of `writer`.
    pub(crate) fn start(name: String, writer: Writer) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            ready: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || run(&theirs, writer))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hands an append to the writer.
    pub(crate) fn append(&self, request: Request) {
        self.push(Message::Append(request));
    }

    /// Asks the writer for a new segment.
    pub(crate) async fn roll(&self) -> Result<(), AppendError> {
        let (reply, rolled) = oneshot::channel();
        self.push(Message::Roll(reply));
        rolled.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn push(&self, message: Message) {
        let mut waiting = self.shared.lock();
        // A message to a writer that is gone is dropped, and so its sender hears of it.
        if !waiting.closed {
            waiting.messages.push_back(message);
            self.shared.ready.notify_one();
        }
    }
}

impl Drop for Queue {
    /// Waits until all that was handed over is durable.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.ready.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has been told to everyone who waited.
            let _ = thread.join();
        }
    }
}

/// What is said when the writer's thread is gone.
pub(crate) fn stopped() -> AppendError {
    AppendError::Poisoned("its writer ended".to_owned())
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to do next; `None` when all is done and nobody asks any more.
    fn next(&self) -> Option<Work> {
        let mut waiting = self.lock();
        while waiting.messages.is_empty() && !waiting.closed {
            waiting = self
                .ready
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        waiting.take()
    }
}

enum Work {
    Commit(Vec<Request>),
    Roll(oneshot::Sender<Result<(), AppendError>>),
}

impl Waiting {
    /// All appends that fit into one group.
    fn take(&mut self) -> Option<Work> {
        let (mut group, mut records, mut bytes) = (Vec::new(), 0, 0);
        loop {
            match self.messages.pop_front() {
                Some(Message::Append(request)) => {
                    records += request.drafts.len();
                    bytes += request.bytes();
                    if !group.is_empty() && (records > MOST_RECORDS || bytes > MOST_BYTES) {
                        self.messages.push_front(Message::Append(request));
                        return Some(Work::Commit(group));
                    }
                    group.push(request);
                }
                Some(roll) if !group.is_empty() => {
                    self.messages.push_front(roll);
                    return Some(Work::Commit(group));
                }
                Some(Message::Roll(reply)) => return Some(Work::Roll(reply)),
                None if group.is_empty() => return None,
                None => return Some(Work::Commit(group)),
            }
        }
    }
}

fn run(shared: &Shared, mut writer: Writer) {
    // When the writer panics, those who wait must hear of it.
    let _last = Last(shared, writer.journal());
    while let Some(work) = shared.next() {
        match work {
            Work::Commit(requests) => writer.commit(requests),
            Work::Roll(reply) => {
                let _ = reply.send(writer.roll());
            }
        }
    }
}

struct Last<'a>(&'a Shared, Arc<super::journal::Journal>);

impl Drop for Last<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.1.stop("its writer panicked");
        }
        let mut waiting = self.0.lock();
        waiting.closed = true;
        waiting.messages.clear();
    }
}
