//! Form-encoded bodies: `payload=` and the percent-encoded JSON.

/// The bytes of `payload` in a form-encoded body, as GitHub signed and sent them; none if there is
/// no such field, or more than one.
#[must_use]
pub fn form_payload(form: &[u8]) -> Option<Vec<u8>> {
    let pairs = form.split(|&byte| byte == b'&');
    let mut payloads = pairs.filter_map(|pair| pair.strip_prefix(b"payload="));
    let payload = payloads.next()?;
    payloads.next().is_none().then(|| unescape(payload))
}

/// Percent-decodes; `+` is a space. An incomplete escape stands for itself, as browsers do it.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        let escape = match (byte, after) {
            (b'%', [high, low, after @ ..]) => digit(*high)
                .zip(digit(*low))
                .map(|(h, l)| (h << 4 | l, after)),
            (b'+', after) => Some((b' ', after)),
            _ => None,
        };
        let (byte, after) = escape.unwrap_or((*byte, after));
        bytes.push(byte);
        rest = after;
    }
    bytes
}

fn digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_of_a_form_is_its_bytes() {
        let form = b"payload=%7B%22a%22%3A+%22%c3%bc%FF%22%7d";
        assert_eq!(form_payload(form).unwrap(), b"{\"a\": \"\xc3\xbc\xff\"}");
        assert_eq!(form_payload(b"a=1&payload=%7B%7D&b=2").unwrap(), b"{}");
        assert_eq!(form_payload(b"payload=%").unwrap(), b"%");
        assert_eq!(form_payload(b"payload=%4").unwrap(), b"%4");
    }

    #[test]
    fn a_form_without_payload_or_with_two_has_none() {
        assert_eq!(form_payload(b""), None);
        assert_eq!(form_payload(b"load=1"), None);
        assert_eq!(form_payload(b"payload=1&payload=2"), None);
    }
}
