//! As many events as the threads can send, without a pause: how many of them get through.

use std::sync::Barrier;
use std::thread;

use anyhow::Result;

use super::event::{Fate, Sender, ids};

/// How many events each thread that lives on sends after its burst, one at a time. A sender that keeps a rest in the
/// thread, as fastrace does, gets it away with them.
const AFTERWARDS: usize = 100;

/// Who sends a burst.
#[derive(Debug, Clone, Copy)]
pub(super) struct Burst {
    pub(super) threads: usize,
    /// Events of all threads together.
    pub(super) events: usize,
    /// Whether the threads end with their burst. Otherwise they live on until everything has been brought away.
    pub(super) short_lived: bool,
}

impl Burst {
    /// How many events that is in all.
    pub(super) fn sent(self) -> usize {
        self.threads * (self.each() + self.steps() - 1)
    }

    /// The events of one thread's burst.
    fn each(self) -> usize {
        self.events / self.threads
    }

    /// How often the sender is asked to bring away what it has: after the burst, and after each event that follows.
    fn steps(self) -> usize {
        if self.short_lived { 1 } else { 1 + AFTERWARDS }
    }
}

/// Sends the burst and waits until the sender has settled.
pub(super) fn send(burst: Burst, sender: &impl Sender) -> Result<Fate> {
    let (sent, settled) = (Barrier::new(burst.threads + 1), Barrier::new(burst.threads + 1));
    let fates: Result<Vec<Fate>> = thread::scope(|scope| {
        for number in 0..burst.threads {
            let (sent, settled) = (&sent, &settled);
            scope.spawn(move || {
                let ids = ids(number);
                for step in 0..burst.steps() {
                    let events = if step == 0 { burst.each() } else { 1 };
                    ids.iter().cycle().take(events).for_each(|id| sender.send_bare(id));
                    sent.wait();
                    if !burst.short_lived {
                        settled.wait();
                    }
                }
            });
        }
        let settle = |_| {
            sent.wait();
            let fate = (!burst.short_lived).then(|| {
                let fate = sender.settle();
                settled.wait();
                fate
            });
            fate.unwrap_or_else(|| Ok(Fate::default()))
        };
        // All of them, also after an error: the threads wait at the barriers.
        (0..burst.steps()).map(settle).collect::<Vec<_>>().into_iter().collect()
    });
    fates?;
    sender.settle()
}
