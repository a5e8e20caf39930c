//! Lines that wait, cut into requests by count, bytes and, where it matters, order. Decisions only.

use std::collections::VecDeque;

use super::Line;

/// The most entries of a request.
pub(super) const MAX_ENTRIES: usize = 500;
/// The most bytes of a request, unless one entry has more.
pub(super) const MAX_BYTES: usize = 256 << 10;

/// What a request may do to the order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A server puts the entries of a request in the order of their timestamps. Within a chain nobody can tell.
    AsTheServerLikes,
    /// It stays as the lines are: no request goes back in time.
    AsTheLinesAre,
}

/// Lines that wait for their request.
pub(super) struct Pending {
    lines: VecDeque<Line>,
    bytes: usize,
    order: Order,
}

impl Pending {
    pub(super) fn new(order: Order) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, order }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether a request can be full.
    pub(super) fn is_enough(&self) -> bool {
        self.lines.len() >= MAX_ENTRIES || self.bytes >= MAX_BYTES
    }

    pub(super) fn extend(&mut self, lines: Vec<Line>) {
        self.bytes += lines.iter().map(bytes).sum::<usize>();
        self.lines.extend(lines);
    }

    /// Takes off the lines of the next request: all that fit, at least one if there is any.
    pub(super) fn cut(&mut self) -> Vec<Line> {
        let (mut taken, mut taken_bytes, mut latest) = (0, 0, f64::NEG_INFINITY);
        for line in &self.lines {
            let goes_back = self.order == Order::AsTheLinesAre && line.timestamp.is_some_and(|time| time < latest);
            let fits = taken < MAX_ENTRIES && taken_bytes + bytes(line) <= MAX_BYTES && !goes_back;
            if taken > 0 && !fits {
                break;
            }
            taken += 1;
            taken_bytes += bytes(line);
            latest = line.timestamp.unwrap_or(latest);
        }
        self.bytes -= taken_bytes;
        self.lines.drain(..taken).collect()
    }
}

/// What a line takes of a request, its comma included.
fn bytes(line: &Line) -> usize {
    line.json.as_ref().map_or(0, |json| json.len() + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(number: u64, bytes: usize, timestamp: Option<f64>) -> Line {
        Line { number, end: number, json: Ok("x".repeat(bytes)), timestamp }
    }

    fn cut_all(order: Order, lines: Vec<Line>) -> Vec<Vec<Line>> {
        let mut pending = Pending::new(order);
        pending.extend(lines);
        let mut requests = Vec::new();
        while !pending.is_empty() {
            requests.push(pending.cut());
        }
        assert_eq!(pending.bytes, 0);
        requests
    }

    #[test]
    fn a_request_never_goes_back_in_time_where_order_matters() {
        let times = [Some(1.0), Some(1.0), Some(3.0), Some(2.0), None, Some(1.0)];
        let lines = || (1..).zip(times).map(|(number, time)| line(number, 1, time)).collect();
        let lengths = |order| cut_all(order, lines()).iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(lengths(Order::AsTheLinesAre), [3, 2, 1]);
        assert_eq!(lengths(Order::AsTheServerLikes), [6]);
    }

    proptest! {
        #[test]
        fn cutting_keeps_every_line_in_its_place_and_every_bound(
            lines in prop::collection::vec((0_usize..90_000, prop::option::of(0_u8..9)), 0..40),
            kept in any::<bool>(),
        ) {
            let order = if kept { Order::AsTheLinesAre } else { Order::AsTheServerLikes };
            let count = lines.len() as u64;
            let lines = (1..).zip(lines).map(|(number, (bytes, time))| line(number, bytes, time.map(f64::from)));
            let requests = cut_all(order, lines.collect());
            for request in &requests {
                prop_assert!(!request.is_empty() && request.len() <= MAX_ENTRIES);
                prop_assert!(request.len() == 1 || request.iter().map(bytes).sum::<usize>() <= MAX_BYTES);
                prop_assert!(!kept || request.iter().filter_map(|line| line.timestamp).is_sorted());
            }
            let numbers: Vec<u64> = requests.iter().flatten().map(|line| line.number).collect();
            prop_assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_request_ends_at_500_entries() {
        let lines = (0..1_200).map(|number| line(number, 10, None)).collect();
        assert_eq!(cut_all(Order::AsTheServerLikes, lines).iter().map(Vec::len).collect::<Vec<_>>(), [500, 500, 200]);
    }
}
