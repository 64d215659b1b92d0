use super::*;
use hooklog_schemas::webhook::{RECEIVED, VERSION};
use hooklog_schemas::{EventId, Header, Key as RecordKey, Offset, Partition, Position, Topic};
use uuid::Uuid;

fn record(content_type: &str, value: Option<&[u8]>) -> Record {
    Record {
        position: Position::new(Topic::Webhooks, Partition(0), Offset(0)),
        event_id: EventId(Uuid::nil()),
        key: RecordKey(Uuid::nil()),
        event_type: RECEIVED,
        version: VERSION,
        epoch: None,
        appended_at: Timestamp(0),
        headers: vec![Header::new("content-type", content_type.to_owned())],
        value: value.map(Bytes::copy_from_slice),
    }
}

#[test]
fn a_body_that_came_as_a_form_is_unwrapped_to_the_same_bytes() {
    let json = "{\"a\":\"+ %&=ü\\u0000\",\"b\":[1]}".as_bytes();
    let form = wrap(json);
    let types = [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLencoded; charset=utf-8",
    ];
    for content_type in types {
        let unwrapped = json_body(&record(content_type, Some(&form))).unwrap();
        assert_eq!(&unwrapped[..], json, "{content_type}");
    }
    let other = [&b"x=1&"[..], &form].concat();
    assert_eq!(
        &json_body(&record(types[0], Some(&other))).unwrap()[..],
        json
    );
}

#[test]
fn json_stays_as_it_is_and_an_erased_body_is_none() {
    let json = br#"{"payload=": "%41"}"#;
    assert_eq!(
        &json_body(&record("application/json", Some(json))).unwrap()[..],
        json
    );
    assert_eq!(json_body(&record("application/json", None)), None);
}

#[test]
fn bytes_that_are_no_utf8_and_broken_escapes_come_through() {
    let form = b"payload=%ff%zz%4&more=1";
    let unwrapped = json_body(&record("application/x-www-form-urlencoded", Some(form))).unwrap();
    assert_eq!(&unwrapped[..], b"\xff%zz%4");
}

#[test]
fn a_destination_is_shown_without_what_may_be_a_credential() {
    assert_eq!(
        shown("https://example.com/a?token=x#y"),
        "https://example.com/a"
    );
    assert_eq!(shown("http://u:p@10.0.0.1:81/"), "http://10.0.0.1:81/");
    assert_eq!(shown("nonsense"), "(not a URL)");
}
