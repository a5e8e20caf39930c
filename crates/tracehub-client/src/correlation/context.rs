//! The id that is current on a thread: asking for it, setting it for a while, and taking it to another thread.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracehub_core::entry::MAX_NAME_BYTES;

use super::id::new_id;

thread_local! {
    static CURRENT: RefCell<Context> = const { RefCell::new(Context::EMPTY) };
}

/// The current correlation id, if there is one. Costs no more than the clone of an `Arc`.
///
/// ```
/// use tracehub_client::correlation;
///
/// assert_eq!(correlation::current(), None);
/// let _scope = correlation::scope("c1");
/// assert_eq!(correlation::current().as_deref(), Some("c1"));
/// ```
#[must_use]
pub fn current() -> Option<Arc<str>> {
    CURRENT.try_with(|context| context.borrow().id().cloned()).ok().flatten()
}

/// Makes `id` current on this thread until the guard is dropped. Scopes nest.
///
/// For plain code only. In async code, use [`with_correlation`](super::with_correlation): a scope that is open while a
/// runtime blocks this thread would be seen by every task that the runtime polls here.
///
/// An id that is empty or longer than 256 bytes is replaced by a new one; [`Scope::id`] tells it.
///
/// ```
/// use tracehub_client::correlation;
///
/// let outer = correlation::scope("c1");
/// {
///     let _inner = correlation::scope("c2");
///     assert_eq!(correlation::current().as_deref(), Some("c2"));
/// }
/// assert_eq!(correlation::current().as_deref(), Some("c1"));
/// drop(outer);
/// assert_eq!(correlation::current(), None);
/// ```
pub fn scope(id: impl Into<Arc<str>>) -> Scope {
    let opened = Arc::new(Opened { id: usable(id.into()), closed: AtomicBool::new(false) });
    // Fails while the thread ends and its variables are gone; then there is nobody left to ask.
    let _ = CURRENT.try_with(|context| context.borrow_mut().scopes.push(Arc::clone(&opened)));
    Scope { opened, _stays_on_its_thread: PhantomData }
}

/// Wraps a closure so that it runs with the id that is current here, whichever thread runs it.
///
/// What is current on that thread is back when the closure ends, also by a panic. If nothing is current here, nothing
/// is within the closure.
///
/// ```
/// use tracehub_client::correlation;
///
/// let _scope = correlation::scope("c1");
/// let thread = std::thread::spawn(correlation::carry(|| correlation::current()));
/// assert_eq!(thread.join().unwrap().as_deref(), Some("c1"));
/// ```
pub fn carry<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let mut context = Context::of_current();
    move || {
        let _entered = context.enter();
        work()
    }
}

/// Keeps an id current; dropping it brings back what was current before.
///
/// Scopes that are dropped out of order do no harm: the innermost that is still open counts. A scope belongs to the
/// thread, or the future, that opened it; it cannot be sent to another thread:
///
/// ```compile_fail,E0277
/// let scope = tracehub_client::correlation::scope("c1");
/// std::thread::spawn(move || drop(scope));
/// ```
#[derive(Debug)]
#[must_use = "dropped at once, the id is current for no time"]
pub struct Scope {
    opened: Arc<Opened>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Scope {
    /// The id that this scope made current.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.opened.id
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        // The mark counts, not the removal: the scope may stand in the context of a future that does not run now.
        self.opened.closed.store(true, Ordering::Relaxed);
        let _ = CURRENT.try_with(|context| context.borrow_mut().scopes.retain(|opened| !opened.is_closed()));
    }
}

/// An id that a [`Scope`] made current. Shared with it, so that it can be closed wherever the context is by then.
#[derive(Debug)]
struct Opened {
    id: Arc<str>,
    closed: AtomicBool,
}

impl Opened {
    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }
}

/// What is current for one thread or one future. A future owns its context whole, scopes included, so that a scope
/// that is held across `.await` is not seen by other tasks on the thread.
#[derive(Debug)]
pub(super) struct Context {
    base: Option<Arc<str>>,
    scopes: Vec<Arc<Opened>>,
}

impl Context {
    const EMPTY: Self = Self { base: None, scopes: Vec::new() };

    pub(super) fn of(id: Arc<str>) -> Self {
        Self { base: Some(usable(id)), scopes: Vec::new() }
    }

    /// A context of its own, which starts with the id that is current.
    pub(super) fn of_current() -> Self {
        Self { base: current(), scopes: Vec::new() }
    }

    pub(super) fn id(&self) -> Option<&Arc<str>> {
        let innermost = self.scopes.iter().rfind(|opened| !opened.is_closed());
        innermost.map(|opened| &opened.id).or(self.base.as_ref())
    }

    /// Makes this the context of the thread until the guard is dropped.
    pub(super) fn enter(&mut self) -> Entered<'_> {
        self.swap();
        Entered(self)
    }

    fn swap(&mut self) {
        let _ = CURRENT.try_with(|current| mem::swap(&mut *current.borrow_mut(), self));
    }
}

/// While it lives, the thread has the context, and the place behind this reference keeps the thread's own.
pub(super) struct Entered<'a>(&'a mut Context);

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.0.swap();
    }
}

/// The id, or a new one if no entry could carry it.
fn usable(id: Arc<str>) -> Arc<str> {
    if (1..=MAX_NAME_BYTES).contains(&id.len()) { id } else { new_id().into() }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

    use super::*;

    fn here() -> Option<String> {
        current().map(|id| id.to_string())
    }

    #[test]
    fn the_innermost_open_scope_counts_in_whatever_order_they_close() {
        let (first, second, third) = (scope("1"), scope("2"), scope("3"));
        drop(second);
        assert_eq!(here().as_deref(), Some("3"));
        drop(first);
        assert_eq!(here().as_deref(), Some("3"));
        drop(third);
        assert_eq!(here(), None);
        let (outer, inner) = (scope("same"), scope("other"));
        let again = scope("same");
        drop(outer);
        assert_eq!(here().as_deref(), Some("same"));
        drop(again);
        assert_eq!(here().as_deref(), Some("other"));
        drop(inner);
        assert_eq!(here(), None);
    }

    #[test]
    fn nothing_of_closed_scopes_is_kept() {
        let outer = scope("outer");
        for _ in 0..100 {
            drop(scope("inner"));
        }
        let kept = |expected| CURRENT.with(|context| assert_eq!(context.borrow().scopes.len(), expected));
        kept(1);
        drop(outer);
        kept(0);
    }

    #[test]
    fn a_scope_that_is_closed_within_another_context_is_closed() {
        let outer = scope("outer");
        let mut context = Context::of("c1".into());
        {
            let _entered = context.enter();
            drop(outer);
            assert_eq!(here().as_deref(), Some("c1"));
        }
        assert_eq!(here(), None);
    }

    #[test]
    fn a_scope_ends_with_a_panic() {
        let outer = scope("outer");
        let unwound = catch_unwind(|| {
            let _inner = scope("inner");
            resume_unwind(Box::new("a fault of the host"));
        });
        assert!(unwound.is_err());
        assert_eq!(here().as_deref(), Some("outer"));
        drop(outer);
    }

    #[test]
    fn ids_that_no_entry_could_carry_are_replaced() {
        let longest = "é".repeat(MAX_NAME_BYTES / 2);
        assert_eq!(&**scope(longest.as_str()).id(), longest);
        for unusable in [String::new(), "x".repeat(257)] {
            let _outer = scope("outer");
            let scope = scope(unusable.clone());
            assert_eq!(current().as_ref(), Some(scope.id()));
            assert_eq!(scope.id().len(), 32, "a new id, and not the outer one");
            assert_ne!(**scope.id(), *unusable);
            assert_eq!(Context::of(unusable.into()).id().map(|id| id.len()), Some(32));
        }
    }

    #[test]
    fn a_carried_closure_replaces_what_is_current_and_restores_it() {
        let outer = scope("carried");
        let carried = carry(here);
        let carried_panic = carry(|| -> () { resume_unwind(Box::new("a fault of the host")) });
        drop(outer);
        let carried_nothing = carry(here);
        let _other = scope("other");
        assert_eq!(carried().as_deref(), Some("carried"));
        assert_eq!(carried_nothing(), None);
        assert!(catch_unwind(AssertUnwindSafe(carried_panic)).is_err());
        assert_eq!(here().as_deref(), Some("other"));
    }

    #[test]
    fn the_end_of_a_thread_is_survived() {
        struct AsksLate(Option<Scope>);
        impl Drop for AsksLate {
            fn drop(&mut self) {
                assert!(current().is_none_or(|id| &*id == "kept"));
                let _late = scope("late");
                self.0 = None;
            }
        }
        thread_local!(static LATE: RefCell<AsksLate> = const { RefCell::new(AsksLate(None)) });
        let thread = std::thread::spawn(|| {
            // A thread's variables go in no promised order. In one of the two, the other variable is gone before this.
            LATE.with(|late| late.borrow_mut().0 = Some(scope("kept")));
        });
        thread.join().unwrap();
    }
}
