//! A small TCP proxy between a phone and the server: the radio network of the demo, which can be cut in the middle of a message.
//!
//! It copies bytes and knows nothing of what they mean. A cut drops every open connection and refuses new ones until the network
//! is restored, as when a tester walks into a basement.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the phone to the server.
    Up,
    /// From the server to the phone.
    Down,
}

/// Stands for "no cut is planned".
const NEVER: u64 = u64::MAX;

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    /// The total of bytes at which the network breaks.
    cut_up_at: AtomicU64,
    cut_down_at: AtomicU64,
    is_cut: AtomicBool,
    cuts: AtomicU64,
    is_stopped: AtomicBool,
    /// Both ends of every connection, to be shut at a cut.
    connections: Mutex<Vec<TcpStream>>,
}

/// A running proxy; it stops when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// Starts a proxy to `upstream` on a free loopback port.
    ///
    /// # Errors
    /// What the operating system says of the socket.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            upstream,
            bytes_up: AtomicU64::new(0),
            bytes_down: AtomicU64::new(0),
            cut_up_at: AtomicU64::new(NEVER),
            cut_down_at: AtomicU64::new(NEVER),
            is_cut: AtomicBool::new(false),
            cuts: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
            connections: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for phone in listener.incoming() {
                if accepting.is_stopped.load(Ordering::SeqCst) {
                    return;
                }
                if let Ok(phone) = phone
                    && !accepting.is_cut.load(Ordering::SeqCst)
                {
                    // A server that cannot be reached looks to the phone like a network that is down; so be it.
                    let _ = connect(&accepting, phone);
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// The base URL of the server as seen through the proxy.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Plans a cut: the network breaks once so many more bytes have passed in that direction.
    pub fn cut_after(&self, direction: Direction, bytes: u64) {
        let (total, cut_at) = self.shared.counters(direction);
        cut_at.store(total.load(Ordering::SeqCst) + bytes, Ordering::SeqCst);
    }

    /// Breaks the network now.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Mends the network.
    pub fn restore(&self) {
        self.shared.cut_up_at.store(NEVER, Ordering::SeqCst);
        self.shared.cut_down_at.store(NEVER, Ordering::SeqCst);
        self.shared.is_cut.store(false, Ordering::SeqCst);
    }

    /// How often the network broke.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Bytes that passed so far, HTTP's own included.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.shared.counters(direction).0.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.is_stopped.store(true, Ordering::SeqCst);
        self.shared.cut();
        // Wakes the accepting thread, so that it sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn counters(&self, direction: Direction) -> (&AtomicU64, &AtomicU64) {
        match direction {
            Direction::Up => (&self.bytes_up, &self.cut_up_at),
            Direction::Down => (&self.bytes_down, &self.cut_down_at),
        }
    }

    fn cut(&self) {
        if !self.is_cut.swap(true, Ordering::SeqCst) {
            self.cuts.fetch_add(1, Ordering::SeqCst);
        }
        let mut connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in connections.drain(..) {
            // Already closed by its end; fine.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

fn connect(shared: &Arc<Shared>, phone: TcpStream) -> io::Result<()> {
    let server = TcpStream::connect(shared.upstream)?;
    // Small messages wait for nobody.
    phone.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ends = [phone.try_clone()?, server.try_clone()?];
    shared.connections.lock().unwrap_or_else(PoisonError::into_inner).extend(ends);
    let (phone_in, server_out) = (phone.try_clone()?, server.try_clone()?);
    let (up, down) = (Arc::clone(shared), Arc::clone(shared));
    thread::spawn(move || copy(&up, Direction::Up, phone_in, server_out));
    thread::spawn(move || copy(&down, Direction::Down, server, phone));
    Ok(())
}

fn copy(shared: &Shared, direction: Direction, mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    let (total, cut_at) = shared.counters(direction);
    while let Ok(read) = from.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let passed = total.load(Ordering::SeqCst);
        let allowed = cut_at.load(Ordering::SeqCst).saturating_sub(passed);
        // A count beyond the address space cannot be smaller than what was read.
        let passing = usize::try_from(allowed).unwrap_or(usize::MAX).min(read);
        if to.write_all(&buffer[..passing]).is_err() {
            break;
        }
        total.fetch_add(passing as u64, Ordering::SeqCst);
        if passing < read {
            shared.cut();
            break;
        }
    }
    // The other direction may have more to say; a half-closed connection ends when both are done.
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers every connection with what it was sent, once the sender is done.
    fn echo_server() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    let mut all = Vec::new();
                    if stream.read_to_end(&mut all).is_ok() {
                        let _ = stream.write_all(&all);
                    }
                });
            }
        });
        address
    }

    fn exchange(proxy: &Proxy, bytes: usize) -> Vec<u8> {
        let mut answer = Vec::new();
        let Ok(mut stream) = TcpStream::connect(proxy.address) else { return answer };
        if stream.write_all(&vec![7; bytes]).is_ok() && stream.shutdown(Shutdown::Write).is_ok() {
            let _ = stream.read_to_end(&mut answer);
        }
        answer
    }

    #[test]
    fn bytes_pass_until_the_cut_and_again_after_it() {
        let proxy = Proxy::start(echo_server()).unwrap();
        assert_eq!(exchange(&proxy, 100_000).len(), 100_000);
        proxy.cut_after(Direction::Up, 5_000);
        assert!(exchange(&proxy, 100_000).is_empty(), "the request was cut, so there is no answer");
        assert_eq!(proxy.cuts(), 1);
        assert_eq!(proxy.bytes(Direction::Up), 105_000);
        assert!(exchange(&proxy, 10).is_empty(), "the network stays down");
        proxy.restore();
        assert_eq!(exchange(&proxy, 10).len(), 10);
        proxy.cut_after(Direction::Down, 3);
        assert_eq!(exchange(&proxy, 10).len(), 3, "the request arrived, its answer did not");
    }
}
