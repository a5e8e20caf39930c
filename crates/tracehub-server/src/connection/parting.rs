//! The last word of a connection, said so that it arrives: a connection that is closed on bytes nobody read is reset by
//! the system, and takes the answer with it. So after the answer what still comes is read for a moment.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::Sleep;

use super::LINGER;
use super::stream::Stream;
use crate::error::ApiError;

/// A refusal on its way, and the end of its connection.
#[derive(Debug)]
pub(super) struct Parting {
    words: Vec<u8>,
    said: usize,
    has_ended: bool,
    until: Pin<Box<Sleep>>,
}

impl Parting {
    pub(super) fn new(refusal: &ApiError) -> Self {
        Self { words: refusal.to_http(), said: 0, has_ended: false, until: Box::pin(tokio::time::sleep(LINGER)) }
    }

    /// Says it to the end.
    pub(super) async fn say(mut self, stream: &mut Stream) {
        poll_fn(|context| self.poll(stream, context)).await;
    }

    /// Ready when the other side has closed, broken off, or had its moment.
    pub(super) fn poll(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> Poll<()> {
        if self.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut stream = Pin::new(stream);
        while self.said < self.words.len() {
            match ready!(stream.as_mut().poll_write(context, &self.words[self.said..])) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(said) => self.said += said,
            }
        }
        if !self.has_ended {
            if ready!(stream.as_mut().poll_shutdown(context)).is_err() {
                return Poll::Ready(());
            }
            self.has_ended = true;
        }
        let mut unread = [0; 4096];
        loop {
            let mut unread = ReadBuf::new(&mut unread);
            // A stream that never runs dry is made to pause by tokio, so that others have their turn.
            match ready!(stream.as_mut().poll_read(context, &mut unread)) {
                Ok(()) if !unread.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(()),
            }
        }
    }
}
