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

/// Bytes that wait at the most, beside the group that is being written: two seconds of a slow disk
/// at 32 MB/s, or the largest record and some. A sync that hangs must not fill the memory: who
/// asked gives up at a deadline, while what was handed over stays.
const WAITING_BYTES: u64 = 64 << 20;

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
    /// Of all appends among them.
    bytes: u64,
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
    ///
    /// # Errors
    /// [`AppendError::Busy`] when too much waits already.
    pub(crate) fn append(&self, request: Request) -> Result<(), AppendError> {
        self.push(Message::Append(request))
    }

    /// Asks the writer for a new segment.
    pub(crate) async fn roll(&self) -> Result<(), AppendError> {
        let (reply, rolled) = oneshot::channel();
        self.push(Message::Roll(reply))?;
        rolled.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn push(&self, message: Message) -> Result<(), AppendError> {
        let mut waiting = self.shared.lock();
        // A message to a writer that is gone is dropped, and so its sender hears of it.
        if !waiting.closed {
            waiting.add(message)?;
            self.shared.ready.notify_one();
        }
        Ok(())
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
    fn add(&mut self, message: Message) -> Result<(), AppendError> {
        if let Message::Append(request) = &message {
            let bytes = request.bytes();
            // One that is larger than the limit is taken when nothing else waits.
            if self.bytes > 0 && self.bytes + bytes > WAITING_BYTES {
                let waiting = self.bytes;
                return Err(AppendError::Busy { waiting });
            }
            self.bytes += bytes;
        }
        self.messages.push_back(message);
        Ok(())
    }

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
                    self.bytes -= request.bytes();
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
        waiting.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::conformance::append;
    use crate::log::embedded::frame::{Draft, SALT};

    fn message(mebibytes: usize) -> Message {
        let append = append(0, vec![0; mebibytes << 20]);
        let drafts = vec![Draft::new(append, [0; SALT], 0).unwrap()];
        let reply = oneshot::channel().0;
        Message::Append(Request { drafts, reply })
    }

    #[test]
    fn a_queue_that_is_full_refuses_at_once_and_takes_more_when_the_writer_goes_on() {
        let mut waiting = Waiting::default();
        while waiting.add(message(5)).is_ok() {
            assert!(waiting.messages.len() < 13, "12 times 5 MiB fit");
        }
        assert_eq!(waiting.messages.len(), 12);
        let refused = waiting.add(message(5));
        assert!(
            matches!(refused, Err(AppendError::Busy { waiting }) if waiting > 60 << 20),
            "{refused:?}"
        );
        assert!(waiting.add(message(1)).is_ok(), "a smaller one still fits");
        assert!(waiting.take().is_some());
        assert!(waiting.add(message(5)).is_ok());
        while waiting.take().is_some() {}
        assert_eq!(waiting.bytes, 0);
    }
}
