//! The way between phones and server, where messages are cut: a request that arrives in part, an answer that never comes or not
//! whole, a connection that nobody takes. What passes is passed on in small pieces. Chance decides by a seed and by who comes when.

use super::{Chance, Result, failed};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

/// Bytes that are read and passed on at once: a request and its answer come in several pieces.
const PIECE: usize = 700;
/// Longer than what most requests and answers of a visit have, photos apart.
const CUT_WITHIN: u64 = 6_000;

/// What becomes of a connection: how many bytes pass each way before it breaks.
#[derive(Clone, Copy)]
struct Passing {
    up: Option<u64>,
    down: Option<u64>,
}

#[derive(Default)]
struct Shared {
    is_calm: AtomicBool,
    is_over: AtomicBool,
    faults: AtomicU64,
}

/// A running link; calm until it is told otherwise.
pub(super) struct FaultyLink {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl FaultyLink {
    /// Listens on a port of its own and passes on to `server`.
    pub fn start(server: SocketAddr, mut chance: Chance) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared { is_calm: AtomicBool::new(true), ..Shared::default() });
        let here = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming() {
                if here.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(client) = client else { continue };
                match here.draw(&mut chance) {
                    // Nobody takes the connection.
                    None => drop(client),
                    Some(passing) => drop(thread::spawn(move || carry(&client, server, passing))),
                }
            }
        });
        Ok(Self { address, shared })
    }

    /// Where phones find the server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether everything passes from now on.
    pub fn calm(&self, is_calm: bool) {
        self.shared.is_calm.store(is_calm, Ordering::SeqCst);
    }

    /// Connections that were not taken, or cut.
    pub fn faults(&self) -> u64 {
        self.shared.faults.load(Ordering::SeqCst)
    }
}

impl Drop for FaultyLink {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the listener; where nobody can connect it has ended already.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    /// `None` for a connection that is not taken.
    fn draw(&self, chance: &mut Chance) -> Option<Passing> {
        let whole = Passing { up: None, down: None };
        if self.is_calm.load(Ordering::SeqCst) {
            return Some(whole);
        }
        let cut = chance.next() % CUT_WITHIN;
        let drawn = match chance.next() % 10 {
            0 => None,
            1 => Some(Passing { up: Some(cut), ..whole }),
            // The request arrives, its answer does not.
            2 => Some(Passing { down: Some(0), ..whole }),
            3 => Some(Passing { down: Some(cut), ..whole }),
            _ => return Some(whole),
        };
        self.faults.fetch_add(1, Ordering::SeqCst);
        drawn
    }
}

fn carry(client: &TcpStream, server: SocketAddr, passing: Passing) {
    let Ok(server) = TcpStream::connect(server) else { return };
    thread::scope(|scope| {
        scope.spawn(|| pass(client, &server, passing.up));
        pass(&server, client, passing.down);
    });
}

/// Passes on until the end, a failure, or the limit, at which the whole connection breaks.
fn pass(mut from: &TcpStream, mut to: &TcpStream, limit: Option<u64>) {
    let mut left = limit.unwrap_or(u64::MAX);
    let mut piece = [0; PIECE];
    loop {
        let length = from.read(&mut piece).unwrap_or(0);
        // Fits: a piece is short.
        let passed = left.min(length as u64) as usize;
        left -= passed as u64;
        let is_broken = passed < length || to.write_all(&piece[..passed]).is_err();
        if is_broken {
            // As good as broken where that fails.
            let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
            return;
        }
        if length == 0 {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}
