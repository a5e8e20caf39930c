//! What waits for one listener. The hub shares it with the listener, so it can take back what nobody fetches.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::frame::{Frame, Piece};

/// The bytes that may wait for one listener. They are shared with others, so all together keep far less.
const MAX_WAITING_BYTES: usize = 8 << 20;
/// The frames that may wait for one listener.
const MAX_WAITING_FRAMES: usize = 256;

/// Frames on their way to one listener.
#[derive(Debug, Default)]
pub(super) struct Queue(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Arc<Frame>>,
    /// The pieces of the first frame that were fetched.
    fetched: usize,
    bytes: usize,
    /// Nothing comes after what waits.
    ended: bool,
    listener: Option<Waker>,
}

impl Queue {
    /// Adds a frame, unless too much waits already: then nothing comes after what waits.
    pub(super) fn offer(&self, frame: &Arc<Frame>) -> bool {
        let mut waiting = self.lock();
        let bytes = waiting.bytes + frame.bytes();
        // One frame always fits, however large: otherwise its listener could never go on.
        let fits =
            waiting.frames.is_empty() || (bytes <= MAX_WAITING_BYTES && waiting.frames.len() < MAX_WAITING_FRAMES);
        if fits {
            waiting.bytes = bytes;
            waiting.frames.push_back(Arc::clone(frame));
        } else {
            waiting.ended = true;
        }
        waiting.wake();
        fits
    }

    /// Ends it after what waits.
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        waiting.wake();
    }

    /// Ends it at once and gives back what waits, if something does.
    pub(super) fn cut_off_if_behind(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.frames.is_empty() {
            return false;
        }
        waiting.ended = true;
        // Frames that nobody else keeps are freed after the lock.
        let frames = std::mem::take(&mut waiting.frames);
        waiting.wake();
        drop(waiting);
        drop(frames);
        true
    }

    /// The next piece; none when nothing comes any more.
    pub(super) async fn next(&self) -> Option<Piece> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Option<Piece>> {
        let mut waiting = self.lock();
        while let Some(frame) = waiting.frames.front() {
            if let Some(piece) = frame.pieces().get(waiting.fetched) {
                let piece = piece.clone();
                let is_last = waiting.fetched + 1 == frame.pieces().len();
                waiting.fetched += 1;
                if is_last {
                    waiting.next_frame();
                }
                return Poll::Ready(Some(piece));
            }
            waiting.next_frame();
        }
        if waiting.ended {
            return Poll::Ready(None);
        }
        waiting.listener = Some(context.waker().clone());
        Poll::Pending
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Each change under the lock leaves it whole, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn next_frame(&mut self) {
        self.fetched = 0;
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.bytes();
        }
    }

    fn wake(&mut self) {
        if let Some(listener) = self.listener.take() {
            listener.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use tracehub_core::store::EntryId;

    use super::*;
    use crate::live::frame::{FrameBuilder, KeptBytes};

    fn frame(id: i64, bytes: usize) -> Arc<Frame> {
        let mut builder = FrameBuilder::default();
        builder.push_json(EntryId(id), &vec![b' '; bytes]);
        builder.push_json(EntryId(id + 1), &vec![b' '; bytes]);
        Arc::new(builder.finish(&KeptBytes::default()))
    }

    #[tokio::test]
    async fn pieces_come_one_by_one_and_what_was_cut_off_not_at_all() {
        let queue = Queue::default();
        assert!(queue.offer(&frame(1, 20_000)) && queue.offer(&frame(3, 1)));
        assert_eq!(queue.next().await.unwrap().last(), EntryId(1));
        assert_eq!(queue.next().await.unwrap().last(), EntryId(2));
        assert_eq!(queue.next().await.unwrap().last(), EntryId(4), "small events share a piece");
        assert!(!queue.cut_off_if_behind());
        let kept = frame(5, 20_000);
        assert!(queue.offer(&kept));
        assert_eq!(queue.next().await.unwrap().last(), EntryId(5));
        assert!(queue.cut_off_if_behind());
        assert_eq!(Arc::strong_count(&kept), 1);
        assert!(queue.next().await.is_none());
    }

    #[tokio::test]
    async fn it_ends_after_what_it_holds_when_too_much_waits() {
        let queue = Queue::default();
        let half = frame(1, MAX_WAITING_BYTES / 4);
        assert!(queue.offer(&half));
        assert!(!queue.offer(&half));
        assert!(queue.next().await.is_some() && queue.next().await.is_some() && queue.next().await.is_none());

        let queue = Queue::default();
        assert!(queue.offer(&frame(1, MAX_WAITING_BYTES)), "one always fits");
        let queue = Queue::default();
        let small = frame(1, 1);
        assert!((0..MAX_WAITING_FRAMES).all(|_| queue.offer(&small)));
        assert!(!queue.offer(&small));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let queue = Arc::new(Queue::default());
        let waits = tokio::spawn({
            let queue = Arc::clone(&queue);
            async move { (queue.next().await.map(|piece| piece.last()), queue.next().await.is_none()) }
        });
        tokio::task::yield_now().await;
        queue.offer(&frame(7, 1));
        tokio::task::yield_now().await;
        queue.end();
        assert_eq!(waits.await.unwrap(), (Some(EntryId(8)), true));
    }
}
