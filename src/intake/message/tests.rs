use super::*;
use uuid::Uuid;

fn message(body: Body) -> Message {
    Message {
        event_id: EventId(Uuid::from_u128(7)),
        event_type: EventType::known("webhook.received"),
        event_version: 1,
        partition: Partition(3),
        enqueued_at: Timestamp(1_700_000_000_000_000),
        headers: vec![
            Header::new("x-github-event", "push"),
            Header::new("x-github-event", "twice, and \"quoted\" – ü"),
            Header::new("user-agent", vec![0xff, 0, 0x80]),
            Header::new("empty", ""),
        ],
        body,
    }
}

fn claim() -> Claim {
    Claim {
        object: "bodies/0a/1".to_owned(),
        bytes: 30_000_000,
        sha256: [0xab; 32],
    }
}

#[test]
fn what_is_encoded_decodes_to_the_same() {
    let all_bytes: Bytes = (0..=255_u8).cycle().take(10_000).collect();
    for body in [
        Body::Inline(all_bytes),
        Body::Inline(Bytes::new()),
        Body::Claim(claim()),
    ] {
        let message = message(body);
        assert_eq!(Message::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn an_append_comes_out_as_it_went_in_but_for_its_key_and_time() {
    let body = Bytes::from_static(b"{}");
    let append = message(Body::Inline(Bytes::new())).into_append(
        body.clone(),
        Key(Uuid::from_u128(1)),
        Timestamp(5),
    );
    let message = Message::decode(&Message::of(append.clone()).encode()).unwrap();
    assert_eq!(message.body, Body::Inline(body.clone()));
    assert_eq!(message.enqueued_at, Timestamp(5));
    let again = message.into_append(body, Key(Uuid::from_u128(2)), Timestamp(6));
    assert_ne!(again.key, append.key);
    let expected = Append {
        key: again.key,
        at: again.at,
        ..append
    };
    assert_eq!(format!("{again:?}"), format!("{expected:?}"));
}

#[test]
fn version_1_is_read_for_ever() {
    let inline = message(Body::Inline(Bytes::from_static(b"{\"a\":1}")));
    for (hex, expected) in [
        (include_str!("v1.hex"), inline),
        (include_str!("v1_claim.hex"), message(Body::Claim(claim()))),
    ] {
        let bytes = Bytes::from(hex::decode(hex.trim()).unwrap());
        assert_eq!(Message::decode(&bytes), Ok(expected));
    }
}

#[test]
fn a_newer_version_is_told_from_damage_and_from_what_is_not_ours() {
    let good = message(Body::Inline(Bytes::from_static(b"{}"))).encode();
    let mut newer = good.to_vec();
    newer[4] = 2;
    let error = Message::decode(&newer.into()).unwrap_err();
    assert_eq!(error, DecodeError::Newer(2));
    assert!(error.to_string().contains("version 2"), "{error}");
    let foreign = Bytes::from_static(b"{\"task\":\"send mail\"}");
    assert_eq!(Message::decode(&foreign), Err(DecodeError::Foreign));
    assert_eq!(Message::decode(&Bytes::new()), Err(DecodeError::Foreign));
}

#[test]
fn any_flipped_bit_and_any_cut_is_noticed() {
    let good = message(Body::Inline(Bytes::from_static(b"{\"a\":1}"))).encode();
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.to_vec();
            bad[at] ^= 1 << bit;
            assert!(Message::decode(&bad.into()).is_err(), "byte {at} bit {bit}");
        }
        let cut = good.slice(..at);
        assert!(Message::decode(&cut).is_err(), "cut to {at} bytes");
    }
}
