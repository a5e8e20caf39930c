//! The correlation id stays with its request: between tasks on a thread, from thread to thread, through panics.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::task::{JoinSet, LocalSet, yield_now};
use tracehub_client::correlation::{carry, carry_future, current, scope, spawn, with_correlation};

use crate::support::runtime;

/// The current id as text; empty if there is none.
fn here() -> String {
    current().map_or_else(String::new, |id| id.to_string())
}

/// Polls once, with nobody to wake.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn tasks_that_take_turns_on_one_thread_do_not_see_each_others_ids() {
    runtime().block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..50 {
            tasks.spawn(with_correlation(format!("c{number}"), async move {
                for _ in 0..20 {
                    assert_eq!(here(), format!("c{number}"));
                    yield_now().await;
                }
            }));
            tasks.spawn(async {
                for _ in 0..20 {
                    assert_eq!(here(), "", "a task of no request");
                    yield_now().await;
                }
            });
        }
        while let Some(task) = tasks.join_next().await {
            task.expect("no assertion fails");
        }
    });
    assert_eq!(here(), "");
}

#[test]
fn an_id_moves_with_its_task_from_thread_to_thread() {
    let mut task = Box::pin(with_correlation("c1", async {
        let mut seen = Vec::new();
        for _ in 0..3 {
            seen.push((thread::current().id(), here()));
            yield_now().await;
        }
        seen
    }));
    // As a runtime with several threads does, but for sure: each poll on a new one.
    let seen = loop {
        let (polled, back) = thread::spawn(move || {
            let polled = poll(task.as_mut());
            assert_eq!(here(), "", "nothing is left on the thread");
            (polled, task)
        })
        .join()
        .expect("no assertion fails");
        task = back;
        if let Poll::Ready(seen) = polled {
            break seen;
        }
    };
    assert!(seen.iter().all(|(_, id)| id == "c1"), "{seen:?}");
    assert!(seen[0].0 != seen[1].0 && seen[1].0 != seen[2].0, "{seen:?}");
}

#[test]
fn ids_hold_on_a_runtime_with_several_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).build().expect("it can be built");
    runtime.block_on(async {
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            tasks.spawn(with_correlation(format!("c{number}"), async move {
                for _ in 0..20 {
                    assert_eq!(here(), format!("c{number}"));
                    let child = spawn(async {
                        yield_now().await;
                        here()
                    });
                    assert_eq!(child.await.expect("no assertion fails"), format!("c{number}"));
                }
            }));
        }
        while let Some(task) = tasks.join_next().await {
            task.expect("no assertion fails");
        }
    });
}

#[test]
fn only_tasks_that_carry_the_id_have_it() {
    let seen = runtime().block_on(with_correlation("c1", async {
        let carried = spawn(async {
            yield_now().await;
            // And a task of the task.
            spawn(async { here() }).await.expect("it does not panic")
        });
        let plain = tokio::spawn(async { here() });
        let local = LocalSet::new();
        let on_the_thread = local.run_until(async { tokio::task::spawn_local(carry_future(async { here() })).await });
        let blocking = tokio::task::spawn_blocking(carry(here));
        [carried.await, plain.await, on_the_thread.await, blocking.await].map(|task| task.expect("it does not panic"))
    }));
    assert_eq!(seen, ["c1", "", "c1", "c1"]);
}

#[test]
fn a_task_started_where_no_id_is_current_has_none() {
    let seen = runtime().block_on(async {
        let task = spawn(async { here() });
        // The task is polled while this thread has an id, which is not the task's.
        let _scope = scope("c1");
        task.await.expect("it does not panic")
    });
    assert_eq!(seen, "");
}

#[test]
fn plain_threads_have_the_id_that_is_carried_to_them() {
    let outer = scope("c1");
    let carried = thread::spawn(carry(|| {
        let _inner = scope("c2");
        // A thread of the thread.
        thread::spawn(carry(here)).join().expect("it does not panic") + &here()
    }));
    let plain = thread::spawn(here);
    assert_eq!(carried.join().expect("it does not panic"), "c2c2");
    assert_eq!(plain.join().expect("it does not panic"), "");
    assert_eq!(here(), "c1");
    drop(outer);
}

#[test]
fn a_panic_within_a_poll_leaves_the_threads_own_id() {
    let _scope = scope("thread");
    let mut task = pin!(with_correlation("task", async {
        assert_eq!(here(), "task");
        resume_unwind(Box::new("a fault of the host"));
    }));
    let unwound = catch_unwind(AssertUnwindSafe(|| poll(task.as_mut())));
    assert!(unwound.is_err());
    assert_eq!(here(), "thread");
}

#[test]
fn futures_nest_and_the_inner_id_ends_with_the_inner_future() {
    let seen = runtime().block_on(with_correlation("outer", async {
        let before = here();
        let within = with_correlation("inner", async {
            yield_now().await;
            here()
        })
        .await;
        [before, within, here()]
    }));
    assert_eq!(seen, ["outer", "inner", "outer"]);
}

/// It should not be done, but on a runtime of one thread it can.
#[test]
fn a_scope_that_is_held_across_an_await_stays_with_its_future() {
    let mut task = pin!(with_correlation("task", async {
        let scope = scope("scope");
        yield_now().await;
        let during = here();
        drop(scope);
        yield_now().await;
        [during, here()]
    }));
    for _ in 0..2 {
        assert!(poll(task.as_mut()).is_pending());
        assert_eq!(here(), "", "between two polls");
    }
    assert_eq!(poll(task.as_mut()), Poll::Ready(["scope".to_owned(), "task".to_owned()]));
}

#[test]
fn a_scope_outlives_its_future_without_an_effect() {
    let scope = runtime().block_on(with_correlation("task", async { scope("scope") }));
    assert_eq!(here(), "");
    drop(scope);
    assert_eq!(here(), "");
}

#[test]
fn a_scope_that_a_future_closes_is_closed_on_its_thread() {
    let scope = scope("thread");
    runtime().block_on(with_correlation("task", async { drop(scope) }));
    assert_eq!(here(), "");
}

/// What an aborted request logs while it is dropped belongs to it.
#[test]
fn a_future_that_is_dropped_early_has_its_id_while_it_goes() {
    struct Last(mpsc::Sender<String>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.send(here()).expect("the test listens");
        }
    }
    let (sender, dropped) = mpsc::channel();
    let mut task = Box::pin(with_correlation("c1", async {
        let _last = Last(sender);
        poll_fn(|_| Poll::<()>::Pending).await;
    }));
    assert!(poll(task.as_mut()).is_pending());
    drop(task);
    assert_eq!(dropped.try_recv().expect("it was dropped"), "c1");
    assert_eq!(here(), "");
}

#[test]
fn an_id_that_no_entry_could_carry_is_replaced_by_a_new_one() {
    for unusable in ["", &"x".repeat(257)] {
        let _scope = scope("outer");
        let seen = runtime().block_on(with_correlation(unusable, async {
            let first = here();
            yield_now().await;
            assert_eq!(first, here(), "one for the whole future");
            first
        }));
        assert_eq!(seen.len(), 32, "{seen}");
    }
}
