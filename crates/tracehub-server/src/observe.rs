//! What is noted of every request: that it came, how it was answered, how long that took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, web};

use crate::route::Route;
use crate::state::State;

/// A request that took longer is said at `warn`.
const SLOW: Duration = Duration::from_secs(1);

/// Notes a request. Streams are noted when they begin: their end is their reader's business.
///
/// One line at debug, with the path escaped: a request must not be able to write lines of its own.
pub(crate) async fn note(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return next.call(request).await;
    };
    let route = Route::of(request.path());
    let method = request.method().clone();
    let path = tracing::enabled!(tracing::Level::DEBUG).then(|| request.path().to_owned());
    let outcome = next.call(request).await;
    let status = match &outcome {
        Ok(response) => response.status(),
        Err(err) => err.as_response_error().status_code(),
    };
    let duration = started.elapsed();
    state.requests.count(route, &method, status, duration);
    if let Some(path) = path {
        let milliseconds = duration.as_secs_f64() * 1000.0;
        tracing::debug!(%method, ?path, status = status.as_u16(), milliseconds, "request");
    }
    if duration > SLOW && !route.is_stream() {
        state.slow.say(route, &method, status.as_u16(), duration, state.started.elapsed());
    }
    outcome
}

/// Says which requests were slow, one line a second at the most: a server in trouble is slow with all of them.
#[derive(Debug, Default)]
pub(crate) struct SlowRequests {
    /// The second since the start after which there may be another line.
    quiet_until: AtomicU64,
    unsaid: AtomicU64,
}

impl SlowRequests {
    fn say(&self, route: Route, method: &Method, status: u16, duration: Duration, now: Duration) {
        let Some(others) = self.admit(now.as_secs()) else { return };
        let (route, milliseconds) = (route.pattern(), duration.as_secs_f64() * 1000.0);
        tracing::warn!(%method, route, status, milliseconds, others, "a slow request");
    }

    /// Whether there may be a line now, and if so how many there were since the last one.
    fn admit(&self, second: u64) -> Option<u64> {
        let quiet_until = self.quiet_until.load(Ordering::Relaxed);
        let wins = second >= quiet_until
            && self.quiet_until.compare_exchange(quiet_until, second + 1, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if wins {
            return Some(self.unsaid.swap(0, Ordering::Relaxed));
        }
        self.unsaid.fetch_add(1, Ordering::Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_slow_requests_are_one_line_a_second() {
        let slow = SlowRequests::default();
        assert_eq!(slow.admit(5), Some(0));
        assert_eq!((slow.admit(5), slow.admit(5)), (None, None));
        assert_eq!(slow.admit(6), Some(2));
        assert_eq!((slow.admit(6), slow.admit(9)), (None, Some(1)));
    }
}
