//! What the layer keeps of a span: its fields, its chain, and when its code ran.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing_subscriber::registry::ExtensionsMut;

use super::fields::Fields;

/// One layer's knowledge of one span.
#[derive(Debug)]
pub(super) struct SpanState {
    /// Shared with whoever writes them, so that no lock is held meanwhile.
    pub(super) fields: Arc<Fields>,
    /// The chain that the span is in, or that spans in it have settled on.
    pub(super) chain: Option<Arc<str>>,
    /// None: never entered.
    pub(super) begun: Option<Begun>,
}

/// A span that was entered.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    /// What its enter and its leave have in common: they are paired by it.
    pub(super) number: u64,
    /// The operation that the span names; none is the layer's.
    pub(super) operation: Option<Arc<str>>,
    /// When it was first entered, Unix ms.
    pub(super) enter: f64,
    /// When it was last exited, Unix ms.
    pub(super) leave: f64,
    first: Instant,
    last: Instant,
    /// Since when its code runs, and how many times over: on several threads, or because it was entered again.
    running: Option<Instant>,
    depth: usize,
    busy: Duration,
    /// How many of those who are in it entered while a panic unwound, so that their exit tells nothing of one.
    entered_unwinding: usize,
    pub(super) panicked: bool,
}

/// A reading of both clocks: one tells when, the other how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub(super) unix_ms: f64,
    pub(super) instant: Instant,
}

impl SpanState {
    pub(super) fn new(fields: Fields) -> Self {
        Self { fields: Arc::new(fields), chain: None, begun: None }
    }
}

impl Begun {
    pub(super) fn new(number: u64, operation: Option<Arc<str>>, now: Now) -> Self {
        Self {
            number,
            operation,
            enter: now.unix_ms,
            leave: now.unix_ms,
            first: now.instant,
            last: now.instant,
            running: None,
            depth: 0,
            busy: Duration::ZERO,
            entered_unwinding: 0,
            panicked: false,
        }
    }

    pub(super) fn enter(&mut self, now: Instant, is_unwinding: bool) {
        self.depth += 1;
        self.running.get_or_insert(now);
        self.entered_unwinding += usize::from(is_unwinding);
    }

    pub(super) fn exit(&mut self, now: Now, is_unwinding: bool) {
        self.depth = self.depth.saturating_sub(1);
        self.leave = now.unix_ms;
        self.last = now.instant;
        if self.depth == 0
            && let Some(since) = self.running.take()
        {
            self.busy += now.instant.saturating_duration_since(since);
        }
        match self.entered_unwinding.checked_sub(usize::from(is_unwinding)) {
            Some(rest) => self.entered_unwinding = rest,
            None => self.panicked = true,
        }
    }

    /// For how long its code ran.
    pub(super) fn busy(&self) -> Duration {
        self.busy
    }

    /// For how long it waited, from the first enter to the last exit.
    pub(super) fn idle(&self) -> Duration {
        self.last.saturating_duration_since(self.first).saturating_sub(self.busy)
    }
}

/// What all layers of this kind keep of one span. Few programs have two.
#[derive(Debug, Default)]
pub(super) struct States(Vec<(u64, SpanState)>);

impl States {
    pub(super) fn of(&self, layer: u64) -> Option<&SpanState> {
        self.0.iter().find(|(number, _)| *number == layer).map(|(_, state)| state)
    }

    pub(super) fn of_mut(&mut self, layer: u64) -> Option<&mut SpanState> {
        self.0.iter_mut().find(|(number, _)| *number == layer).map(|(_, state)| state)
    }

    pub(super) fn insert(extensions: &mut ExtensionsMut<'_>, layer: u64, state: SpanState) {
        if let Some(states) = extensions.get_mut::<Self>() {
            states.0.push((layer, state));
        } else {
            // Unlike `insert`, this cannot panic.
            extensions.replace(Self(vec![(layer, state)]));
        }
    }

    pub(super) fn remove(extensions: &mut ExtensionsMut<'_>, layer: u64) -> Option<SpanState> {
        let states = extensions.get_mut::<Self>()?;
        let place = states.0.iter().position(|(number, _)| *number == layer)?;
        Some(states.0.swap_remove(place).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_the_code_and_time_between_add_up() {
        let start = Instant::now();
        let at = |ms: u64| Now { unix_ms: ms as f64, instant: start + Duration::from_millis(ms) };
        let mut begun = Begun::new(1, None, at(0));
        // Polled twice; the second time two threads are in it.
        begun.enter(at(0).instant, false);
        begun.exit(at(10), false);
        begun.enter(at(30).instant, false);
        begun.enter(at(32).instant, false);
        begun.exit(at(35), false);
        begun.exit(at(40), false);
        assert_eq!((begun.busy(), begun.idle()), (Duration::from_millis(20), Duration::from_millis(20)));
        assert_eq!((begun.enter, begun.leave, begun.panicked), (0.0, 40.0, false));
    }

    #[test]
    fn a_panic_is_told_from_work_that_is_done_while_one_unwinds() {
        let now = Now { unix_ms: 0.0, instant: Instant::now() };
        let mut cleanup = Begun::new(1, None, now);
        cleanup.enter(now.instant, true);
        cleanup.exit(now, true);
        assert!(!cleanup.panicked);
        let mut work = Begun::new(2, None, now);
        work.enter(now.instant, false);
        work.enter(now.instant, true);
        work.exit(now, true);
        assert!(!work.panicked);
        work.exit(now, true);
        assert!(work.panicked);
    }
}
