//! A bad network: a proxy before the real server whose connections are each cut, slowed down or swallowed, by chance.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use socket2::SockRef;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Each piece comes so much later; so many bytes reach the server, then both sides are closed.
    Delay(Duration, usize),
    /// So many bytes reach the server, then both sides are closed.
    CutRequest(usize),
    /// The same, as by a crash: with a reset.
    ResetRequest(usize),
    /// So many bytes reach the client, then both sides are closed. With none, the answer is dropped.
    CutAnswer(usize),
    /// So many bytes reach the server, then it is told that no more will come; the client is told nothing.
    HalfClose(usize),
    /// Requests pass a byte a second.
    TrickleRequest,
    /// Answers pass a byte a second.
    TrickleAnswer,
}

/// Runs until it is dropped; its connections end with it.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: Option<thread::JoinHandle<()>>,
}

struct Shared {
    server: SocketAddr,
    stopping: AtomicBool,
    /// Connections that are over. Clients would keep them for ever.
    broken: AtomicU64,
    open: Mutex<Vec<Arc<Pair>>>,
}

/// Both sides of a connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
    fate: Fate,
    closed: AtomicBool,
}

impl Proxy {
    /// Passes connections on to `server`; `fate` says what becomes of each.
    pub(crate) fn start(server: SocketAddr, mut fate: impl FnMut() -> Fate + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of the loopback is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            server,
            stopping: AtomicBool::new(false),
            broken: AtomicU64::new(0),
            open: Mutex::default(),
        });
        let state = Arc::clone(&shared);
        let listening = thread::spawn(move || {
            for client in listener.incoming() {
                if state.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(state.server)) else { continue };
                state.pass(client, server, fate());
            }
        });
        Self { address, shared, listening: Some(listening) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections were broken so far.
    pub(crate) fn broken(&self) -> u64 {
        self.shared.broken.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it shall stop.
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(thread::JoinHandle::join);
        for pair in self.shared.open.lock().expect("no handler has panicked").drain(..) {
            pair.close();
        }
    }
}

impl Shared {
    fn pass(self: &Arc<Self>, client: TcpStream, server: TcpStream, fate: Fate) {
        let pair = Arc::new(Pair { client, server, fate, closed: AtomicBool::new(false) });
        let mut open = self.open.lock().expect("no handler has panicked");
        open.retain(|pair| !pair.closed.load(Ordering::SeqCst));
        open.push(Arc::clone(&pair));
        drop(open);
        type Way = fn(&Pair) -> io::Result<()>;
        for way in [Pair::pass_requests as Way, Pair::pass_answers] {
            let (pair, shared) = (Arc::clone(&pair), Arc::clone(self));
            thread::spawn(move || {
                let is_half_closed = way(&pair).is_ok_and(|()| matches!(pair.fate, Fate::HalfClose(_)));
                if !is_half_closed && pair.close() {
                    shared.broken.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
    }
}

impl Pair {
    /// Closes both sides; whether it was this call that did.
    fn close(&self) -> bool {
        if matches!(self.fate, Fate::ResetRequest(_)) {
            for stream in [&self.client, &self.server] {
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
            }
        }
        let _ = self.client.shutdown(Shutdown::Both);
        let _ = self.server.shutdown(Shutdown::Both);
        !self.closed.swap(true, Ordering::SeqCst)
    }

    fn pass_requests(&self) -> io::Result<()> {
        let most = match self.fate {
            Fate::CutRequest(most) | Fate::ResetRequest(most) | Fate::HalfClose(most) | Fate::Delay(_, most) => most,
            _ => usize::MAX,
        };
        self.copy(&self.client, &self.server, most, self.fate == Fate::TrickleRequest)?;
        if matches!(self.fate, Fate::HalfClose(_)) {
            self.server.shutdown(Shutdown::Write)?;
        }
        Ok(())
    }

    fn pass_answers(&self) -> io::Result<()> {
        let most = if let Fate::CutAnswer(most) = self.fate { most } else { usize::MAX };
        self.copy(&self.server, &self.client, most, self.fate == Fate::TrickleAnswer)?;
        // The server has ended it, or the answer is cut: also a half-closed connection is over then.
        self.close();
        Ok(())
    }

    /// Copies up to so many bytes; when there are more, it ends.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, mut most: usize, trickles: bool) -> io::Result<()> {
        let mut buffer = [0; 4096];
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            if let Fate::Delay(delay, _) = self.fate {
                thread::sleep(delay);
            }
            let passing = &buffer[..length.min(most)];
            if trickles {
                for byte in passing.chunks(1) {
                    to.write_all(byte)?;
                    thread::sleep(Duration::from_secs(1));
                }
            } else {
                to.write_all(passing)?;
            }
            if length > most {
                return Ok(());
            }
            most -= length;
        }
    }
}
