//! HTTP/1.1 over a plain socket, so that every byte of a sync is counted and thousands of phones fit into one process.

use callout_sync_protocol::version::MEDIA_TYPE;
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A phone's connection; kept open until the server closes it.
#[derive(Debug)]
pub struct Wire {
    address: SocketAddr,
    token: String,
    socket: Option<TcpStream>,
}

/// What came back, and what it cost.
#[derive(Debug)]
pub struct Answered {
    /// The status.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// The body.
    pub body: Vec<u8>,
    /// All bytes sent, head and body.
    pub bytes_up: usize,
    /// All bytes received.
    pub bytes_down: usize,
}

fn broken(what: &str) -> Error {
    Error::new(ErrorKind::UnexpectedEof, what)
}

impl Wire {
    /// To a server, not yet connected.
    pub fn new(address: SocketAddr, token: &str) -> Self {
        Self { address, token: token.to_owned(), socket: None }
    }

    /// Another connection of the same phone.
    pub fn again(&self) -> Self {
        Self::new(self.address, &self.token)
    }

    /// A request of the sync endpoint with such a body, as the SDK sends it.
    pub fn request(&self, frame: &[u8]) -> Vec<u8> {
        let head = format!(
            "POST /v1/sync HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: {MEDIA_TYPE}\r\ncontent-length: {}\r\n\r\n",
            self.address,
            self.token,
            frame.len(),
        );
        [head.as_bytes(), frame].concat()
    }

    /// Sends a frame and waits for the answer. A connection that the server has closed meanwhile is opened anew.
    pub fn sync(&mut self, frame: &[u8]) -> Result<Answered> {
        let request = self.request(frame);
        if self.socket.is_some()
            && let Ok(answered) = self.exchange(&request)
        {
            return Ok(answered);
        }
        let socket = TcpStream::connect(self.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(60)))?;
        self.socket = Some(socket);
        self.exchange(&request)
    }

    fn exchange(&mut self, request: &[u8]) -> Result<Answered> {
        let mut socket = self.socket.take().ok_or_else(|| broken("no connection"))?;
        socket.write_all(request)?;
        let (mut received, mut piece) = (Vec::new(), [0; 16 * 1_024]);
        let head_end = loop {
            if let Some(at) = received.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            match socket.read(&mut piece)? {
                0 => return Err(broken("the connection ended within the head")),
                count => received.extend_from_slice(&piece[..count]),
            }
        };
        let head = String::from_utf8_lossy(&received[..head_end]).to_ascii_lowercase();
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.trim())
        };
        let status = head.split(' ').nth(1).and_then(|text| text.parse().ok()).ok_or_else(|| broken("no status"))?;
        let length: usize =
            header("content-length").and_then(|text| text.parse().ok()).ok_or_else(|| broken("no length"))?;
        while received.len() < head_end + length {
            match socket.read(&mut piece)? {
                0 => return Err(broken("the connection ended within the body")),
                count => received.extend_from_slice(&piece[..count]),
            }
        }
        if header("connection") != Some("close") {
            self.socket = Some(socket);
        }
        Ok(Answered {
            status,
            retry_after: header("retry-after").and_then(|text| text.parse().ok()),
            body: received[head_end..].to_vec(),
            bytes_up: request.len(),
            bytes_down: received.len(),
        })
    }
}
