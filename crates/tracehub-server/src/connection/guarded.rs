//! A connection with deadlines: for the head of each request, not of the first alone, and for the time between two.
//!
//! The head of a request has arrived when the app is called with it (`Handle::begin`). Bytes that come while no request
//! is being answered are therefore a head, and the clock runs from the first of them. How long a body may take is
//! `extract/body.rs`; how long an answer may wait for its reader, the system's business (`super::STUCK`).

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::parting::Parting;
use super::places::Place;
use super::refusal;
use super::stream::Stream;
use crate::error::ApiError;

/// How long the head of a request may take, from its first byte; of the first, from connecting.
pub(super) const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept. Clients reuse it: a new one costs more than a request.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// A connection's bytes.
#[derive(Debug)]
pub(super) struct Guarded {
    stream: Stream,
    handle: Rc<Handle>,
    /// Rings at the deadline or before it, and is set again when it rang too early: that is cheaper than to set it anew
    /// with each request.
    alarm: Pin<Box<Sleep>>,
    /// The head took too long: to be said once what was answered before is out.
    is_late: bool,
    parting: Option<Parting>,
    _place: Place,
}

/// What the app knows of a connection, and tells it.
#[derive(Debug)]
pub(crate) struct Handle {
    /// Requests that are being answered.
    requests: Cell<u32>,
    /// When the connection is over, unless one is.
    deadline: Cell<Instant>,
    /// Whether the rest of a head is waited for, not the next request.
    in_head: Cell<bool>,
    /// Whether the other side sends no more.
    has_ended: Cell<bool>,
    is_reserve: bool,
}

/// A request that is being answered, until dropped.
#[derive(Debug)]
pub(crate) struct Answering(Rc<Handle>);

impl Handle {
    /// A request's head has arrived.
    pub(crate) fn begin(self: &Rc<Self>) -> Answering {
        self.requests.set(self.requests.get() + 1);
        self.in_head.set(false);
        Answering(Rc::clone(self))
    }

    fn is_answering(&self) -> bool {
        self.requests.get() > 0
    }

    /// Gives the other side time to read, and to ask again.
    fn rest(&self) {
        self.in_head.set(false);
        self.deadline.set(Instant::now() + KEEP_ALIVE);
    }

    /// Whether the other side sends no more, because it has ended or the network has.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    /// Whether the connection is one beyond the limit, on which only the server's health is answered.
    pub(crate) fn is_reserve(&self) -> bool {
        self.is_reserve
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        self.0.rest();
    }
}

impl Guarded {
    pub(super) fn new(stream: Stream, place: Place) -> Self {
        let deadline = Instant::now() + HEAD_TIMEOUT;
        Self {
            stream,
            handle: Rc::new(Handle {
                requests: Cell::new(0),
                deadline: Cell::new(deadline),
                in_head: Cell::new(true),
                has_ended: Cell::new(false),
                is_reserve: place.is_reserve,
            }),
            alarm: Box::pin(tokio::time::sleep_until(deadline)),
            is_late: false,
            parting: None,
            _place: place,
        }
    }

    pub(super) fn handle(&self) -> Rc<Handle> {
        Rc::clone(&self.handle)
    }

    /// Bytes came.
    fn heard(&mut self) {
        if self.handle.in_head.get() || self.handle.is_answering() {
            return;
        }
        let deadline = Instant::now() + HEAD_TIMEOUT;
        self.handle.in_head.set(true);
        self.handle.deadline.set(deadline);
        if self.alarm.deadline() > deadline {
            self.alarm.as_mut().reset(deadline);
        }
    }

    /// Whether the time is up. Otherwise the task is woken when it may be.
    fn is_overdue(&mut self, context: &mut Context<'_>) -> bool {
        while self.alarm.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let next = if self.handle.is_answering() { now + HEAD_TIMEOUT } else { self.handle.deadline.get() };
            if next <= now {
                return true;
            }
            self.alarm.as_mut().reset(next);
        }
        false
    }
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_late || this.parting.is_some() {
            return Poll::Ready(Ok(()));
        }
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, into);
        if read.is_ready() {
            if into.filled().len() > before {
                this.heard();
            } else if into.remaining() > 0 {
                this.handle.has_ended.set(true);
            }
            return read;
        }
        if !this.is_overdue(context) {
            return Poll::Pending;
        }
        // To the HTTP layer this is the other side's end, whereupon it finishes what it is at and shuts down.
        this.is_late = this.handle.in_head.get();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.parting.is_none()
            && let Some((place, means)) = refusal::find(bytes)
        {
            if place > 0 {
                return Pin::new(&mut this.stream).poll_write(context, &bytes[..place]);
            }
            this.parting = Some(Parting::new(&means));
        }
        if let Some(parting) = &mut this.parting {
            ready!(parting.poll(&mut this.stream, context));
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(context, bytes));
        this.handle.rest();
        Poll::Ready(written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_late && this.parting.is_none() {
            this.parting = Some(Parting::new(&ApiError::RequestTimeout));
        }
        let Some(parting) = &mut this.parting else {
            return Pin::new(&mut this.stream).poll_shutdown(context);
        };
        ready!(parting.poll(&mut this.stream, context));
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::places::Places;
    use super::*;

    /// A connection, and the other side of it. The clock stands still unless everybody waits for it.
    async fn connection() -> (Guarded, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let other_side = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Guarded::new(Stream::Plain(stream), Places::new(1).take().unwrap()), other_side)
    }

    /// Seconds until the HTTP layer is told that the other side has ended, and whether that one is to hear why.
    async fn end_of(connection: &mut Guarded) -> (u64, bool) {
        let began = Instant::now();
        assert_eq!(connection.read(&mut [0; 64]).await.unwrap(), 0);
        (began.elapsed().as_secs(), connection.is_late)
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_ends_without_a_word_and_one_in_a_head_is_told_why() {
        let (mut silent, _other_side) = connection().await;
        assert_eq!(end_of(&mut silent).await, (HEAD_TIMEOUT.as_secs(), true), "it never asked for anything");

        let (mut idle, _other_side) = connection().await;
        drop(idle.handle().begin());
        assert_eq!(end_of(&mut idle).await, (KEEP_ALIVE.as_secs(), false));

        let (mut slow, mut other_side) = connection().await;
        drop(slow.handle().begin());
        other_side.write_all(b"GET /he").await.unwrap();
        assert_eq!(slow.read(&mut [0; 64]).await.unwrap(), 7);
        assert_eq!(end_of(&mut slow).await, (HEAD_TIMEOUT.as_secs(), true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_on_which_a_request_is_answered_does_not_end() {
        let (mut busy, _other_side) = connection().await;
        let answering = busy.handle().begin();
        assert!(tokio::time::timeout(KEEP_ALIVE * 10, busy.read(&mut [0; 64])).await.is_err());
        drop(answering);
        assert_eq!(end_of(&mut busy).await, (KEEP_ALIVE.as_secs(), false));
    }
}
