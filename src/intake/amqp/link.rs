//! What lives as long as its connection, and is made anew by the first call after that.

use super::dial::{DialError, plain};
use crate::intake::IntakeError;
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::{Error, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Whether something that was made over a connection still serves.
pub(super) trait Live: Send + Sync {
    fn is_live(&self) -> bool;
}

/// Holds one, and makes the next when it is gone.
pub(super) struct Link<T> {
    state: Mutex<State<T>>,
}

enum State<T> {
    None,
    Some(Arc<T>),
    Failed(Instant, IntakeError),
}

/// How long nobody tries again after a failure, so that many who wait do not each wait in turn.
const PAUSE: Duration = Duration::from_millis(250);

impl<T: Live> Link<T> {
    pub(super) const fn new() -> Self {
        Self {
            state: Mutex::const_new(State::None),
        }
    }

    /// The one that lives, or a new one.
    pub(super) async fn get(
        &self,
        make: impl Future<Output = Result<T, IntakeError>>,
    ) -> Result<Arc<T>, IntakeError> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Some(one) if one.is_live() => return Ok(Arc::clone(one)),
            State::Failed(when, error) if when.elapsed() < PAUSE => return Err(error.clone()),
            _ => {}
        }
        // Who drops this future leaves nothing half: the next call begins again.
        *state = State::None;
        match make.await {
            Ok(made) => {
                let made = Arc::new(made);
                *state = State::Some(Arc::clone(&made));
                Ok(made)
            }
            Err(error) => {
                *state = State::Failed(Instant::now(), error.clone());
                Err(error)
            }
        }
    }

    /// The one that lives.
    pub(super) async fn current(&self) -> Option<Arc<T>> {
        match &*self.state.lock().await {
            State::Some(one) if one.is_live() => Some(Arc::clone(one)),
            _ => None,
        }
    }

    /// Lets go of `one`, which does not do what it should.
    pub(super) async fn abandon(&self, one: &Arc<T>) {
        let mut state = self.state.lock().await;
        if matches!(&*state, State::Some(held) if Arc::ptr_eq(held, one)) {
            *state = State::None;
        }
    }
}

impl From<DialError> for IntakeError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Unreachable(reason) => Self::Unavailable(reason),
            DialError::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// What an error of a connection or channel means to who asked.
pub(super) fn away(error: &Error) -> IntakeError {
    let refused = match error.kind() {
        ErrorKind::ProtocolError(told) => matches!(
            told.kind(),
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::NOTFOUND)
        ),
        _ => false,
    };
    match refused {
        true => IntakeError::Refused(plain(error)),
        false => IntakeError::Unavailable(plain(error)),
    }
}
