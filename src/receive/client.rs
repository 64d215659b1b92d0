//! Who the client is, when a proxy stands before us.

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// The client behind `peer`: the rightmost address that is no trusted proxy's.
///
/// Only a trusted proxy is believed, and only what it wrote itself: of several addresses those to
/// the left may be invented. A proxy writes one of `Forwarded` and `X-Forwarded-For` and passes the
/// other through, so when both are there and differ, neither counts and the proxy is the client.
pub(crate) fn behind(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    if !is_trusted(peer, trusted) {
        return peer;
    }
    let standard = last_untrusted(peer, forwarded(headers), trusted);
    let common = last_untrusted(peer, forwarded_for(headers), trusted);
    match (standard, common) {
        (Some(one), Some(other)) if one == other => one,
        (Some(one), None) | (None, Some(one)) => one,
        _ => peer,
    }
}

/// The client's address as events and lines show it.
pub(super) fn text(client: Option<IpAddr>) -> String {
    client.map_or_else(|| "unknown".to_owned(), |client| client.to_string())
}

/// None when there is no such header. What cannot be read ends the search at the hop that said it.
fn last_untrusted(
    peer: IpAddr,
    hops: Option<Vec<Option<IpAddr>>>,
    trusted: &[IpNet],
) -> Option<IpAddr> {
    let mut client = peer;
    for hop in hops?.into_iter().rev() {
        let Some(hop) = hop else { break };
        client = hop;
        if !is_trusted(hop, trusted) {
            break;
        }
    }
    Some(client)
}

fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address))
}

/// The addresses of `X-Forwarded-For`, in order.
fn forwarded_for(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    joined(headers, "x-forwarded-for")
        .map(|text| text.split(',').map(|hop| address(hop.trim())).collect())
}

/// The `for=` of each element of `Forwarded` (RFC 7239), in order.
fn forwarded(headers: &HeaderMap) -> Option<Vec<Option<IpAddr>>> {
    let text = joined(headers, FORWARDED.as_str())?;
    let hop = |element: &str| {
        let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
        let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
        named.next().and_then(|(_, value)| address(value.trim()))
    };
    Some(text.split(',').map(hop).collect())
}

fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let values = headers.get_all(name).iter();
    // A value that is no text becomes a hop that cannot be read.
    let texts: Vec<&str> = values.map(|value| value.to_str().unwrap_or("?")).collect();
    (!texts.is_empty()).then(|| texts.join(","))
}

/// An address, with or without port, quotes and brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let parsed: Option<IpAddr> = text.parse().ok();
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let found = parsed.or_else(with_port).or_else(bracketed);
    found.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn client(peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let headers = headers.collect();
        behind(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn the_word_of_a_stranger_does_not_count() {
        let told = [("x-forwarded-for", "192.0.2.1")];
        assert_eq!(client("198.51.100.9", &told), "198.51.100.9");
    }

    #[test]
    fn the_rightmost_address_that_is_no_proxys_is_the_client() {
        let told = [("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.0.0.2")];
        assert_eq!(client("10.0.0.1", &told), "192.0.2.1");
        let told = [
            ("x-forwarded-for", "1.1.1.1"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(
            behind_of(&told),
            "192.0.2.1",
            "several headers are one list"
        );
        let told = [(
            "forwarded",
            "for=1.1.1.1, for=\"[2001:db8::7]:4711\";proto=https",
        )];
        assert_eq!(client("10.0.0.1", &told), "2001:db8::7");
    }

    fn behind_of(told: &[(&'static str, &'static str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in told {
            headers.append(*name, HeaderValue::from_static(value));
        }
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        behind("10.0.0.1".parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_header_that_the_proxy_passed_through_does_not_count() {
        let told = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=203.0.113.5"),
        ];
        assert_eq!(client("10.0.0.1", &told), "10.0.0.1");
        let told = [
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
        ];
        assert_eq!(client("10.0.0.1", &told), "192.0.2.1");
    }

    #[test]
    fn what_cannot_be_read_ends_the_search() {
        for told in [
            "1.1.1.1, unknown",
            "1.1.1.1, ",
            "1.1.1.1, 999.0.0.1",
            "_hidden",
        ] {
            let mut headers = HeaderMap::new();
            headers.append("x-forwarded-for", HeaderValue::from_str(told).unwrap());
            let trusted = ["10.0.0.0/8".parse().unwrap()];
            let client = behind("10.0.0.1".parse().unwrap(), &headers, &trusted);
            assert_eq!(client.to_string(), "10.0.0.1", "{told}");
        }
    }
}
