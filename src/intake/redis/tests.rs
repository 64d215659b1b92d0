//! The conformance suite and Redis's own ways to fail, on a real server.

mod opening;
mod outage;
mod server;

use super::*;
use crate::intake::conformance;
use server::Stream;

async fn make() -> conformance::Given<()> {
    let stream = Stream::new();
    let given = conformance::Given::new(move || stream.clone().open(), ());
    given.comes_again_within(Duration::from_secs(3))
}

conformance::suite!(make);

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_room_takes_none_of_a_batch_and_says_so() {
    let server = server::Server::start(&["--maxmemory", "20mb"]);
    let queue = server.stream().open().await;
    let batch = vec![Bytes::from(vec![b'x'; 1 << 19]); 64];
    let full = queue.enqueue(batch).await;
    let depth = queue.depth().await.unwrap().waiting;
    // One batch may go over the limit, since Redis looks before each command; the next does not.
    let (full, before) = match full {
        Ok(()) => (
            queue.enqueue(vec![Bytes::from_static(b"x")]).await,
            Some(64),
        ),
        full => (full, Some(0)),
    };
    assert!(matches!(full, Err(IntakeError::Full(_))), "{full:?}");
    assert_eq!(depth, before);
    assert_eq!(queue.depth().await.unwrap().waiting, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_program_s_entry_can_be_set_aside() {
    let stream = Stream::new();
    let queue = stream.clone().open().await;
    let mut add = cmd("XADD");
    add.arg(&stream.config.stream)
        .arg("*")
        .arg("task")
        .arg("mail");
    queue.asking.ask::<String>(&add).await.unwrap();
    let received = queue.receive(1).await.unwrap().remove(0);
    assert!(crate::intake::Message::decode(&received.bytes).is_err());
    queue.set_aside(received).await.unwrap();
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.waiting, depth.aside), (Some(0), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_holds_for_too_long_is_given_to_another() {
    let stream = Stream::new();
    let (slow, quick) = (stream.clone().open().await, stream.open().await);
    slow.enqueue(vec![Bytes::from_static(b"x")]).await.unwrap();
    let held = slow.receive(1).await.unwrap();
    assert_eq!(held.len(), 1);
    let mut came = Vec::new();
    while came.is_empty() {
        came = quick.receive(1).await.unwrap();
    }
    assert_eq!(came[0].token, held[0].token);
    quick
        .acknowledge(vec![came[0].token.clone()])
        .await
        .unwrap();
    // The slow one comes too late, which is no error.
    slow.acknowledge(vec![held[0].token.clone()]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_flushed_is_made_anew_and_goes_on() {
    let stream = Stream::new();
    let queue = stream.clone().open().await;
    let mut delete = cmd("DEL");
    delete.arg(&stream.config.stream);
    assert_eq!(queue.asking.ask::<u32>(&delete).await.unwrap(), 1);
    let sent = Bytes::from_static(b"after");
    assert!(queue.receive(1).await.unwrap().is_empty());
    queue.enqueue(vec![sent.clone()]).await.unwrap();
    assert_eq!(queue.receive(1).await.unwrap()[0].bytes, sent);
}
