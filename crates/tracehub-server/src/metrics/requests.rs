//! Requests by route, method and status, and how long each route takes. Every label comes from a list, so that a stranger
//! cannot make the table grow.

use std::time::Duration;

use actix_web::http::{Method, StatusCode};

use super::kinds::{Counter, Histogram};
use crate::route::Route;

/// The methods that are told apart; what is none of them comes last.
const METHODS: [&str; 6] = ["GET", "POST", "HEAD", "DELETE", "OPTIONS", "other"];
/// The statuses that are told apart; what is none of them comes last.
const STATUSES: [u16; 24] = [
    200, 204, 206, 301, 304, 307, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 416, 421, 422, 429, 431, 500, 503,
    0,
];
/// Bounds in ns: what is kept in memory takes 0.1 ms, a commit some milliseconds, a question five seconds at the most.
const DURATIONS: [u64; 15] = [
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Requests that were answered since the start.
#[derive(Debug)]
pub(crate) struct Requests {
    /// By route, method, status, in this order.
    counts: Vec<Counter>,
    /// By route.
    durations: Vec<Histogram<{ DURATIONS.len() }>>,
}

impl Default for Requests {
    fn default() -> Self {
        let counts = Route::COUNT * METHODS.len() * STATUSES.len();
        Self {
            counts: std::iter::repeat_with(Counter::new).take(counts).collect(),
            durations: std::iter::repeat_with(|| Histogram::new(&DURATIONS)).take(Route::COUNT).collect(),
        }
    }
}

impl Requests {
    /// Counts one.
    pub(crate) fn count(&self, route: Route, method: &Method, status: StatusCode, duration: Duration) {
        let place = place(route.index(), method_index(method), status_index(status));
        if let (Some(count), Some(durations)) = (self.counts.get(place), self.durations.get(route.index())) {
            count.add(1);
            durations.observe(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// Route, method, status and count of every kind of request that has come.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, &'static str, u16, u64)> {
        Route::all().flat_map(move |route| {
            METHODS.iter().enumerate().flat_map(move |(method_index, method)| {
                STATUSES.iter().enumerate().filter_map(move |(status_index, status)| {
                    let count = self.counts.get(place(route.index(), method_index, status_index))?.get();
                    (count > 0).then_some((route.pattern(), *method, *status, count))
                })
            })
        })
    }

    /// How long the requests of each route took, of routes that were asked for.
    pub(crate) fn durations(&self) -> impl Iterator<Item = (&'static str, &Histogram<{ DURATIONS.len() }>)> {
        let all = Route::all().map(Route::pattern).zip(&self.durations);
        all.filter(|(_, histogram)| histogram.sum() > 0)
    }
}

fn place(route: usize, method: usize, status: usize) -> usize {
    (route * METHODS.len() + method) * STATUSES.len() + status
}

fn method_index(method: &Method) -> usize {
    let name = method.as_str();
    METHODS.iter().position(|known| *known == name).unwrap_or(METHODS.len() - 1)
}

fn status_index(status: StatusCode) -> usize {
    let number = status.as_u16();
    STATUSES.iter().position(|known| *known == number).unwrap_or(STATUSES.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_told_apart_and_what_is_unknown_shares_one_place() {
        let requests = Requests::default();
        let millisecond = Duration::from_millis(1);
        requests.count(Route::of("/ingest"), &Method::POST, StatusCode::OK, millisecond);
        requests.count(Route::of("/ingest"), &Method::POST, StatusCode::OK, millisecond);
        requests.count(Route::of("/traces/a"), &Method::GET, StatusCode::OK, millisecond);
        for number in 0..10 {
            let method = Method::from_bytes(format!("M{number}").as_bytes()).unwrap();
            let status = StatusCode::from_u16(560 + number).unwrap();
            requests.count(Route::of(&format!("/{number}")), &method, status, millisecond);
        }
        let mut counts: Vec<_> = requests.counts().collect();
        counts.sort_unstable();
        assert_eq!(
            counts,
            [("/ingest", "POST", 200, 2), ("/traces/{correlation_id}", "GET", 200, 1), ("other", "other", 0, 10)]
        );
        let durations: Vec<_> =
            requests.durations().map(|(route, times)| (route, times.cumulated().last().unwrap().1)).collect();
        assert_eq!(durations.len(), 3);
        assert!(durations.contains(&("/ingest", 2)));
    }
}
