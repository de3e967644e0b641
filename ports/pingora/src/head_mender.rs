//! What the engine writes into a response's head and should not: its own time over the cell's, and a `100 Continue` of the cell
//! after the router's own. It hands each head over in one piece, so that is where it is mended. Pure.

use std::ops::Range;

use memchr::memmem;

use crate::client_state::ClientState;

/// What goes to the client of a piece that the engine wrote.
#[derive(Debug, PartialEq, Eq)]
pub enum Mended {
    AsItIs,
    Dropped,
    Head(Vec<u8>),
}

/// The heads of one response, interim ones first.
#[derive(Debug, Default)]
pub struct HeadMender {
    /// The head of the final response has passed: what follows is its body.
    is_final: bool,
}

// #region mend
impl HeadMender {
    pub fn mend(&mut self, bytes: &[u8], state: &ClientState) -> Mended {
        if self.is_final {
            return Mended::AsItIs;
        }
        self.is_final = !bytes.starts_with(b"HTTP/1.1 1");
        if !self.is_final {
            // The engine can drop all interim responses or none.
            let is_cells = bytes.starts_with(b"HTTP/1.1 100 ") && !state.says_continue();
            return if is_cells { Mended::Dropped } else { Mended::AsItIs };
        }
        match (state.take_date(), date_in(bytes)) {
            // https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
            (Some(date), Some(at)) => Mended::Head([&bytes[..at.start], date.as_bytes(), &bytes[at.end..]].concat()),
            _ => Mended::AsItIs,
        }
    }
}
// #endregion mend

/// The value of `Date` in a head, as the engine writes it.
fn date_in(head: &[u8]) -> Option<Range<usize>> {
    let name = memmem::find(head, b"\r\nDate: ").or_else(|| memmem::find(head, b"\r\ndate: "))?;
    let begin = name + b"\r\nDate: ".len();
    let length = memmem::find(&head[begin..], b"\r\n")?;
    Some(begin..begin + length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn puts_the_cells_date_back_and_touches_no_body() {
        let state = ClientState::default();
        state.set_date(HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let mut mender = HeadMender::default();
        assert_eq!(mender.mend(b"HTTP/1.1 103 Early Hints\r\n\r\n", &state), Mended::AsItIs);
        assert_eq!(mender.mend(b"HTTP/1.1 100 Continue\r\n\r\n", &state), Mended::Dropped);
        let head = mender.mend(b"HTTP/1.1 200 OK\r\nA: 1\r\nDate: now\r\nB: 2\r\n\r\n", &state);
        let expected = b"HTTP/1.1 200 OK\r\nA: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nB: 2\r\n\r\n";
        assert_eq!(head, Mended::Head(expected.to_vec()));
        assert_eq!(mender.mend(b"HTTP/1.1 100 Continue\r\nDate: x\r\n", &state), Mended::AsItIs);
    }

    #[test]
    fn lets_the_routers_own_continue_pass() {
        let state = ClientState::default();
        state.set_says_continue(true);
        assert_eq!(HeadMender::default().mend(b"HTTP/1.1 100 Continue\r\n\r\n", &state), Mended::AsItIs);
    }
}
