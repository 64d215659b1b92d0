//! Where requests end, seen on the raw bytes: what hyper forgives, and a smuggler needs.
//!
//! hyper takes a bare line feed for a line's end, and drops `Content-Length` beside
//! `Transfer-Encoding`. Both are refused here, and so is a second `Content-Length`.

/// Follows the requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Framing(State);

#[derive(Debug)]
enum State {
    Head(Head),
    /// So many bytes of a body are still to come.
    Body(u64),
    /// A chunked body, or what nobody should read on: the connection ends after this request.
    Opaque,
}

impl Default for State {
    fn default() -> Self {
        Self::Head(Head::default())
    }
}

/// The head that is being read.
#[derive(Debug, Default)]
struct Head {
    /// The beginning of a line that is not complete yet, as far as it matters.
    line: Vec<u8>,
    /// The last byte of that line, which may be beyond what is kept.
    last: u8,
    /// The request line was seen.
    begun: bool,
    lengths: u32,
    length: Option<u64>,
    encoded: bool,
}

/// Longer lines are not among those that matter.
const LINE_KEPT: usize = 64;

/// What the bytes were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// They end in the middle of a head.
    pub(super) in_head: bool,
    /// A head is ambiguous.
    pub(super) ambiguous: bool,
}

impl Framing {
    /// Follows `bytes`, which come after all bytes before.
    pub(super) fn follow(&mut self, mut bytes: &[u8]) -> Seen {
        let mut ambiguous = false;
        while !bytes.is_empty() {
            match &mut self.0 {
                State::Opaque => break,
                State::Body(left) => {
                    let taken = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                    *left -= taken as u64;
                    bytes = bytes.get(taken..).unwrap_or_default();
                    if *left == 0 {
                        self.0 = State::default();
                    }
                }
                State::Head(head) => {
                    let (next, rest) = head.follow(bytes);
                    bytes = rest;
                    if let Some(end) = next {
                        ambiguous |= end == End::Ambiguous;
                        self.0 = end.into();
                    }
                }
            }
        }
        let in_head = matches!(&self.0, State::Head(head) if head.begun || !head.line.is_empty());
        Seen { in_head, ambiguous }
    }
}

/// How a head ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Length(u64),
    Chunked,
    Ambiguous,
}

impl From<End> for State {
    fn from(end: End) -> Self {
        match end {
            End::Length(0) => Self::default(),
            End::Length(length) => Self::Body(length),
            End::Chunked | End::Ambiguous => Self::Opaque,
        }
    }
}

impl Head {
    /// Follows one line, or a part of it.
    fn follow<'a>(&mut self, bytes: &'a [u8]) -> (Option<End>, &'a [u8]) {
        let Some(at) = bytes.iter().position(|&byte| byte == b'\n') else {
            self.keep(bytes);
            return (None, &[]);
        };
        let (line, rest) = bytes.split_at(at);
        let rest = rest.get(1..).unwrap_or_default();
        self.keep(line);
        if self.last != b'\r' {
            return (Some(End::Ambiguous), rest);
        }
        let line = std::mem::take(&mut self.line);
        self.last = 0;
        (self.line(line.trim_ascii_end()), rest)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_KEPT.saturating_sub(self.line.len()).min(bytes.len());
        self.line.extend(bytes.iter().take(room));
        self.last = bytes.last().copied().unwrap_or(self.last);
    }

    fn line(&mut self, line: &[u8]) -> Option<End> {
        if line.is_empty() {
            // An empty line before a request is tolerated.
            return self.begun.then(|| self.end());
        }
        let begun = std::mem::replace(&mut self.begun, true);
        let colon = line.iter().position(|&byte| byte == b':');
        let (name, value) = line.split_at(colon.filter(|_| begun)?);
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            let digits = value.get(1..).unwrap_or_default().trim_ascii();
            self.length = std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok());
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encoded = true;
        }
        None
    }

    fn end(&self) -> End {
        match (self.lengths, self.encoded, self.length) {
            (0, false, _) => End::Length(0),
            (0, true, _) => End::Chunked,
            (1, false, Some(length)) => End::Length(length),
            _ => End::Ambiguous,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ambiguous(text: &str) -> bool {
        Framing::default().follow(text.as_bytes()).ambiguous
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_ambiguous() {
        assert!(ambiguous("POST / HTTP/1.1\nHost: a\r\n\r\n"));
        assert!(ambiguous("POST / HTTP/1.1\r\nHost: a\n\r\n"));
        assert!(ambiguous(
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
        ));
        assert!(ambiguous(
            "POST / HTTP/1.1\r\ncontent-length: 1\r\nCONTENT-LENGTH: 1\r\n\r\n"
        ));
        assert!(ambiguous("POST / HTTP/1.1\r\nContent-Length: +1\n\r\n"));
        assert!(!ambiguous("POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\n\n"));
        assert!(!ambiguous(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\n\n"
        ));
    }

    #[test]
    fn the_second_request_is_followed_too_however_the_bytes_are_cut() {
        let text = "POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na\nbPOST / HTTP/1.1\r\nX: y\n\r\n";
        for at in 0..text.len() {
            let mut framing = Framing::default();
            let (first, second) = text.as_bytes().split_at(at);
            let seen = [framing.follow(first), framing.follow(second)];
            assert!(seen.iter().any(|seen| seen.ambiguous), "cut at {at}");
        }
    }

    #[test]
    fn it_knows_when_it_is_in_a_head() {
        let mut framing = Framing::default();
        assert!(framing.follow(b"POST / HTTP/1.1\r\nContent-Le").in_head);
        assert!(!framing.follow(b"ngth: 2\r\n\r\na").in_head);
        assert!(!framing.follow(b"b").in_head);
        assert!(framing.follow(b"P").in_head);
    }
}
