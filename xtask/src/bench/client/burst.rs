//! As many events as the threads can send, without a pause: how many of them get through.

use std::sync::Barrier;
use std::thread;

use anyhow::Result;

use super::event::{Fate, Sender, ids};

/// Who sends a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub(super) threads: usize,
    /// Events of all threads together.
    pub(super) events: usize,
    /// Whether the threads end before the sender is asked to bring everything away, as short-lived threads do.
    pub(super) short_lived: bool,
}

/// Sends the burst and waits until the sender has settled.
pub(super) fn send(burst: Burst, sender: &impl Sender) -> Result<Fate> {
    let settled = Barrier::new(burst.threads + 1);
    let sent = Barrier::new(burst.threads + 1);
    let fate = thread::scope(|scope| {
        for number in 0..burst.threads {
            let (settled, sent) = (&settled, &sent);
            scope.spawn(move || {
                for id in ids(number).iter().cycle().take(burst.events / burst.threads) {
                    sender.send_bare(id);
                }
                sent.wait();
                if !burst.short_lived {
                    settled.wait();
                }
            });
        }
        sent.wait();
        if burst.short_lived {
            return None;
        }
        let fate = sender.settle();
        settled.wait();
        Some(fate)
    });
    fate.unwrap_or_else(|| sender.settle())
}
