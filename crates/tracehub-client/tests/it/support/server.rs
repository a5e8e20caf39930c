//! A minimal HTTP/1.1 server on the loopback that answers as a test says and remembers what it was asked.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::Duration;

use socket2::SockRef;
use tracehub_core::wire::ingest::IngestBatch;

use super::{LONG, free_address};

/// One request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The suffixes of the entries in a body.
    pub(crate) fn suffixes(&self) -> Vec<String> {
        let batch = IngestBatch::parse(self.body.clone()).expect("the body is a valid batch");
        batch.entries().map(|entry| entry.suffix.to_owned()).collect()
    }
}

/// What to do with a request.
pub(crate) enum Reply {
    /// Store the batch and acknowledge it.
    Store,
    /// The same, after a while.
    StoreAfter(Duration),
    /// This status and body.
    Status(u16, String),
    /// The same, with a further header line.
    StatusWith(u16, &'static str, String),
    /// 200, these pieces of a stream of events, then the end of the connection.
    Events(Vec<String>),
    /// The same, each piece so long after the one before.
    EventsEvery(Duration, Vec<String>),
    /// The same, but nothing after the pieces, not even the end.
    EventsThenSilence(Vec<String>),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// No answer; the connection stays.
    Hang,
    /// No answer; the connection is closed.
    Disconnect,
    /// No answer; the connection is broken off as by a crash.
    Reset,
    /// Store the batch, and close the connection without an answer.
    StoreAndDisconnect,
    /// Store the batch, and acknowledge it with a byte a second.
    StoreAndTrickle,
}

type Answer = Box<dyn Fn(usize, &Request) -> Reply + Send + Sync>;

struct State {
    answer: Answer,
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
    stored: Mutex<Vec<String>>,
    reports: Mutex<Vec<String>>,
    connections: AtomicUsize,
    open: Mutex<Vec<Weak<TcpStream>>>,
    stopping: AtomicBool,
}

/// The server; dropping it ends its listener and all connections, so that its address is free.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
    listening: Option<thread::JoinHandle<()>>,
}

impl Server {
    /// Answers each request as `answer` says, which gets the request's number, counted from 0.
    pub(crate) fn start(answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at(free_address(), answer)
    }

    /// The same at an address, such as that of a server that has ended.
    pub(crate) fn start_at(
        address: SocketAddr,
        answer: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("the port is free");
        let address = listener.local_addr().expect("a bound listener has an address");
        let state = Arc::new(State {
            answer: Box::new(answer),
            requests: Mutex::default(),
            arrived: Condvar::new(),
            stored: Mutex::default(),
            reports: Mutex::default(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let listening = thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.stopping.load(Ordering::SeqCst) {
                    return;
                }
                let state = Arc::clone(&shared);
                let Ok(connection) = connection else { return };
                state.connections.fetch_add(1, Ordering::SeqCst);
                let connection = Arc::new(connection);
                state.open.lock().expect("no handler has panicked").push(Arc::downgrade(&connection));
                // A connection that breaks is a client that went away.
                thread::spawn(move || state.serve(&connection));
            }
        });
        Self { address, state, listening: Some(listening) }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stores and acknowledges everything.
    pub(crate) fn storing() -> Self {
        Self::start(|_, _| Reply::Store)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.requests.lock().expect("no handler has panicked").clone()
    }

    /// Blocks until so many requests have come.
    pub(crate) fn wait_for_requests(&self, count: usize) {
        let requests = self.state.requests.lock().expect("no handler has panicked");
        let waited = self.state.arrived.wait_timeout_while(requests, LONG, |requests| requests.len() < count);
        let (requests, _) = waited.expect("no handler has panicked");
        assert!(requests.len() >= count, "the requests come");
    }

    /// The suffixes of the entries that were stored, in their order.
    pub(crate) fn stored(&self) -> Vec<String> {
        self.state.stored.lock().expect("no handler has panicked").clone()
    }

    /// The client's own reports of losses, which are always acknowledged and are no requests otherwise.
    pub(crate) fn reports(&self) -> Vec<String> {
        self.state.reports.lock().expect("no handler has panicked").clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it shall stop.
        let _ = TcpStream::connect(self.address);
        let _ = self.listening.take().map(thread::JoinHandle::join);
        for connection in self.state.open.lock().expect("no handler has panicked").iter().filter_map(Weak::upgrade) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn serve(&self, connection: &TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(connection);
        while let Some(request) = read_request(&mut reader)? {
            if request.body.starts_with(br#"{"traces":[{"source_id":"tracehub-client""#) {
                let report = String::from_utf8_lossy(&request.body).into_owned();
                self.reports.lock().expect("no handler has panicked").push(report);
                respond(connection, 200, "", r#"{"accepted":1,"inserted":1,"duplicates":0}"#)?;
                continue;
            }
            let number = {
                let mut requests = self.requests.lock().expect("no handler has panicked");
                requests.push(request.clone());
                requests.len() - 1
            };
            self.arrived.notify_all();
            match (self.answer)(number, &request) {
                Reply::Store => self.store(connection, &request)?,
                Reply::StoreAfter(wait) => {
                    thread::sleep(wait);
                    self.store(connection, &request)?;
                }
                Reply::Status(status, body) => respond(connection, status, "", &body)?,
                Reply::StatusWith(status, header, body) => respond(connection, status, header, &body)?,
                Reply::Events(pieces) => return write_events(connection, &pieces),
                Reply::EventsEvery(pause, pieces) => {
                    write_events(connection, &[])?;
                    let mut connection = connection;
                    return pieces.iter().try_for_each(|piece| {
                        std::thread::sleep(pause);
                        connection.write_all(piece.as_bytes())
                    });
                }
                Reply::EventsThenSilence(pieces) => {
                    write_events(connection, &pieces)?;
                    return wait_for_end(connection);
                }
                Reply::Raw(bytes) => {
                    let mut connection = connection;
                    return connection.write_all(&bytes);
                }
                Reply::Hang => return wait_for_end(connection),
                Reply::Disconnect => return Ok(()),
                Reply::Reset => return SockRef::from(connection).set_linger(Some(Duration::ZERO)),
                Reply::StoreAndDisconnect => {
                    self.take(&request);
                    return Ok(());
                }
                Reply::StoreAndTrickle => {
                    let answer = acknowledgement(self.take(&request));
                    for byte in answer.as_bytes() {
                        (&*connection).write_all(&[*byte])?;
                        thread::sleep(Duration::from_secs(1));
                    }
                }
            }
        }
        Ok(())
    }

    fn store(&self, connection: &TcpStream, request: &Request) -> io::Result<()> {
        let count = self.take(request);
        (&*connection).write_all(acknowledgement(count).as_bytes())
    }

    /// Stores the entries and says how many there were.
    fn take(&self, request: &Request) -> usize {
        let suffixes = request.suffixes();
        let count = suffixes.len();
        self.stored.lock().expect("no handler has panicked").extend(suffixes);
        count
    }
}

fn acknowledgement(count: usize) -> String {
    response(200, "", &format!(r#"{{"accepted":{count},"inserted":{count},"duplicates":0}}"#))
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().expect("a length is a number"));
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, target, headers, body }))
}

fn respond(mut connection: &TcpStream, status: u16, header: &str, body: &str) -> io::Result<()> {
    connection.write_all(response(status, header, body).as_bytes())
}

fn response(status: u16, header: &str, body: &str) -> String {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n");
    if !header.is_empty() {
        writeln!(head, "{header}\r").expect("a string takes everything");
    }
    write!(head, "content-length: {}\r\n\r\n{body}", body.len()).expect("a string takes everything");
    head
}

fn write_events(mut connection: &TcpStream, pieces: &[String]) -> io::Result<()> {
    connection.set_nodelay(true)?;
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n")?;
    for piece in pieces {
        connection.write_all(piece.as_bytes())?;
    }
    Ok(())
}

/// Keeps the connection until the client closes it.
fn wait_for_end(mut connection: &TcpStream) -> io::Result<()> {
    io::copy(&mut connection, &mut io::sink())?;
    Ok(())
}
