//! What is a request, and what is not.

use super::{GET, answer, given, limits};
use tokio::io::AsyncWriteExt as _;

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let given = given(limits()).await;
    let mut client = given.connect().await;
    for _ in 0..3 {
        client.write_all(GET).await.unwrap();
        assert!(
            answer(&mut client, "127.0.0.1")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }
    client.write_all(&[GET, GET].concat()).await.unwrap();
    let both = answer(&mut client, "127.0.0.1").await;
    if both.matches("HTTP/1.1 200").count() == 1 {
        answer(&mut client, "127.0.0.1").await;
    }
}

#[tokio::test]
async fn ambiguous_framing_gets_400_and_the_connection_ends() {
    let given = given(limits()).await;
    for request in [
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "GET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\0b\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
    ] {
        // A smuggled request would get an answer of its own.
        let smuggled = [request.as_bytes(), GET].concat();
        let text = given.exchange(&smuggled).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{request:?}: {text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{request:?}: {text}");
    }
}

#[tokio::test]
async fn the_second_request_of_a_connection_is_looked_at_as_closely() {
    let given = given(limits()).await;
    let text = given
        .exchange(b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\nHost: a\n\n")
        .await;
    assert!(text.ends_with("bad request\n"), "{text}");
}

#[tokio::test]
async fn there_is_no_http_2() {
    let given = given(limits()).await;
    let text = given.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert_eq!(text, "", "it is closed without a word");
}

#[tokio::test]
async fn a_flood_of_headers_is_refused() {
    let given = given(limits()).await;
    let many = "X: y\r\n".repeat(65);
    let large = format!("X: {}\r\n", "y".repeat(33 << 10));
    for headers in [many, large, format!("X: {}", "y".repeat(400_000))] {
        let text = given
            .exchange(format!("GET / HTTP/1.1\r\n{headers}\r\n").as_bytes())
            .await;
        assert!(text.starts_with("HTTP/1.1 431"), "{text}");
    }
    let most = "X: y\r\n".repeat(63);
    let text = given
        .exchange(format!("GET / HTTP/1.1\r\nConnection: close\r\n{most}\r\n").as_bytes())
        .await;
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
}
