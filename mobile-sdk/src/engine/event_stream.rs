//! Reads server-sent events (WHATWG HTML, section 9.2) out of bytes that come in any pieces. Bounded: what is too long ends the stream.

/// One line of a stream.
const LINE_BYTES_MAX: usize = 4 * 1024;
/// What one event carries, all its lines.
const DATA_BYTES_MAX: usize = 16 * 1024;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEvent {
    /// What kind it is; `message` where the stream does not say.
    pub name: String,
    /// What it carries.
    pub data: String,
}

/// A line or an event longer than this end takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// The state between two pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventStream {
    line: Vec<u8>,
    /// The last byte was a carriage return, which ends a line alone or with the line feed behind it.
    is_after_return: bool,
    is_begun: bool,
    name: String,
    data: Option<String>,
    retry_ms: Option<u64>,
}

impl EventStream {
    /// Takes the next piece; gives the events that are whole with it.
    ///
    /// # Errors
    /// [`TooLong`]; the stream is of no use any more.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<StreamEvent>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let ends_line = match byte {
                b'\n' if std::mem::take(&mut self.is_after_return) => continue,
                b'\n' => true,
                b'\r' => true,
                _ => false,
            };
            self.is_after_return = byte == b'\r';
            if ends_line {
                let line = std::mem::take(&mut self.line);
                events.extend(self.line_end(&line)?);
            } else if self.line.len() < LINE_BYTES_MAX {
                self.line.push(byte);
            } else {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    /// How long the server wants whoever lost the stream to wait, milliseconds; the last that it said.
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn line_end(&mut self, line: &[u8]) -> Result<Option<StreamEvent>, TooLong> {
        // Bytes that are no UTF-8 are in nothing that this phone understands.
        let line = String::from_utf8_lossy(line);
        let line = match std::mem::replace(&mut self.is_begun, true) {
            true => &line,
            false => line.strip_prefix('\u{feff}').unwrap_or(&line),
        };
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let Some(data) = self.data.take() else { return Ok(None) };
            return Ok(Some(StreamEvent { name: if name.is_empty() { "message".to_owned() } else { name }, data }));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "data" => {
                let data = match self.data.take() {
                    Some(data) => data + "\n" + value,
                    None => value.to_owned(),
                };
                if data.len() > DATA_BYTES_MAX {
                    return Err(TooLong);
                }
                self.data = Some(data);
            }
            "retry" => self.retry_ms = value.parse().ok().or(self.retry_ms),
            // Comments, which keep the connection alive, ids, which the events here carry in their data, and what is yet to come.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Vec<(String, String)> {
        let events = EventStream::default().push(text).unwrap();
        events.into_iter().map(|event| (event.name, event.data)).collect()
    }

    fn event(name: &str, data: &str) -> (String, String) {
        (name.to_owned(), data.to_owned())
    }

    #[test]
    fn events_are_read_as_the_standard_has_them() {
        assert_eq!(read(b"event: feed\nid: 1.2\ndata: {}\n\n"), [event("feed", "{}")]);
        assert_eq!(read(b"data:  two\r\ndata:lines\r\n\r\n"), [event("message", " two\nlines")]);
        assert_eq!(read(b"\xef\xbb\xbfdata: a\r\rdata: b\r\r"), [event("message", "a"), event("message", "b")]);
        assert_eq!(read(b":\n\n: alive\n\nevent: no-data\n\ndata\n\n"), [event("message", "")]);
        assert_eq!(read(b"event: feed\ndata: not whole\n"), []);
        assert_eq!(read(b"event: \xff\ndata: x\n\n"), [event("\u{fffd}", "x")]);
        let mut stream = EventStream::default();
        stream.push(b"retry: 7000\n\nretry: soon\n\n").unwrap();
        assert_eq!(stream.retry_ms(), Some(7_000));
    }

    #[test]
    fn what_is_too_long_ends_it() {
        assert_eq!(EventStream::default().push(&[b'x'; LINE_BYTES_MAX + 1]), Err(TooLong));
        let line = [b"data: ".as_slice(), &[b'x'; 4_000], b"\n"].concat();
        let mut stream = EventStream::default();
        assert_eq!((0..4).map(|_| stream.push(&line)).collect::<Result<Vec<_>, _>>().map(|_| ()), Ok(()));
        assert_eq!(stream.push(&line), Err(TooLong));
    }

    proptest! {
        /// However the network cuts it, the same comes out; and nothing that it brings panics.
        #[test]
        fn pieces_do_not_matter(lines in proptest::collection::vec("(data: |event: |:|retry: |id: )?[a-z0-9 ]{0,6}(\r|\n|\r\n){1,2}", 0..20), cut in 0usize..200, noise in proptest::collection::vec(any::<u8>(), 0..40)) {
            let bytes = [lines.concat().into_bytes(), noise].concat();
            let (first, second) = bytes.split_at(cut.min(bytes.len()));
            let whole = EventStream::default().push(&bytes).unwrap();
            let mut stream = EventStream::default();
            let mut pieces = stream.push(first).unwrap();
            pieces.extend(stream.push(second).unwrap());
            prop_assert_eq!(pieces, whole);
        }
    }
}
