//! What `GET /compare` answers: two chains side by side, call by call.

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::calls::{CallAnswer, CallsAnswer};
use super::number::finite;
use crate::chain::CallStatus;

/// Two chains side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CompareAnswer {
    /// The one.
    pub a: ComparedChain,
    /// The other.
    pub b: ComparedChain,
    /// The calls of `a` as they would be drawn, each with its like in `b`; after them those that `b` alone has.
    pub calls: Vec<ComparedCall>,
    /// Calls that `a` has and `b` lacks.
    pub missing: u64,
    /// Calls that `b` has and `a` lacks.
    pub added: u64,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedChain {
    /// Its id.
    pub correlation_id: String,
    /// How many entries it has.
    pub count: u64,
    /// Whether there is an enter and there are as many leaves as enters.
    pub complete: bool,
    /// From its first to its last entry, in ms.
    pub duration_ms: f64,
}

/// A call of either, or of both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedCall {
    /// Who logged it.
    pub source_id: String,
    /// What.
    pub operation: String,
    /// Of what.
    pub endpoint: String,
    /// How it was in `a`; none if it is added.
    pub a: Option<ComparedSide>,
    /// How it was in `b`; none if it is missing.
    pub b: Option<ComparedSide>,
    /// How much longer it took in `b`, in ms; negative if it was faster. Of calls that are finished in both.
    pub slower_ms: Option<f64>,
}

/// A call in one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ComparedSide {
    /// Its place in the chain's `calls`.
    pub call: usize,
    /// How many calls enclose it.
    pub depth: usize,
    /// Whether both ends are known.
    pub status: CallStatus,
    /// When it began after the chain's first entry, in ms; none for an orphan.
    pub start_ms: Option<f64>,
    /// How long it took, in ms; of finished calls.
    pub duration_ms: Option<f64>,
    /// The time that no call inside it took, in ms; of finished calls.
    pub self_ms: Option<f64>,
}

impl CompareAnswer {
    /// Compares two chains. Calls are alike if source, operation and endpoint are; the first of each kind is matched with
    /// the first, the second with the second, and so on. Hosts may differ: that is often the point.
    #[must_use]
    pub fn new(a: &CallsAnswer, b: &CallsAnswer) -> Self {
        let mut unmatched: HashMap<_, VecDeque<usize>> = HashMap::new();
        for (place, call) in b.calls.iter().enumerate() {
            unmatched.entry(kind(call)).or_default().push_back(place);
        }
        let mut is_matched = vec![false; b.calls.len()];
        let mut calls: Vec<ComparedCall> = Vec::with_capacity(a.calls.len());
        for (place, call) in a.calls.iter().enumerate() {
            let like = unmatched.get_mut(&kind(call)).and_then(VecDeque::pop_front);
            if let Some(like) = like {
                is_matched[like] = true;
            }
            calls.push(compared(call, Some(side(a, place)), like.map(|like| side(b, like))));
        }
        let missing = calls.iter().filter(|call| call.b.is_none()).count() as u64;
        let added = b.calls.iter().enumerate().filter(|(place, _)| !is_matched[*place]);
        let both_or_missing = calls.len();
        calls.extend(added.map(|(place, call)| compared(call, None, Some(side(b, place)))));
        let added = (calls.len() - both_or_missing) as u64;
        Self { a: chain(a), b: chain(b), calls, missing, added }
    }
}

fn kind(call: &CallAnswer) -> (&str, &str, &str) {
    (&call.source_id, &call.operation, &call.endpoint)
}

fn compared(call: &CallAnswer, a: Option<ComparedSide>, b: Option<ComparedSide>) -> ComparedCall {
    let duration = |side: &Option<ComparedSide>| side.as_ref().and_then(|side| side.duration_ms);
    ComparedCall {
        source_id: call.source_id.clone(),
        operation: call.operation.clone(),
        endpoint: call.endpoint.clone(),
        slower_ms: duration(&a).zip(duration(&b)).map(|(a, b)| finite(b - a)),
        a,
        b,
    }
}

fn side(chain: &CallsAnswer, place: usize) -> ComparedSide {
    let call = &chain.calls[place];
    ComparedSide {
        call: place,
        depth: call.depth,
        status: call.status,
        start_ms: call.start.zip(chain.start).map(|(start, first)| finite(start - first)),
        duration_ms: call.duration_ms,
        self_ms: call.self_ms,
    }
}

fn chain(chain: &CallsAnswer) -> ComparedChain {
    ComparedChain {
        correlation_id: chain.correlation_id.clone(),
        count: chain.count,
        complete: chain.complete,
        duration_ms: chain.duration_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TraceEntry;

    /// `source operation start end` for each call; an end of `-` is none.
    fn calls(id: &str, notes: &str) -> CallsAnswer {
        let mut entries: Vec<TraceEntry> = Vec::new();
        for (number, note) in notes.split(',').enumerate() {
            let words: Vec<&str> = note.split_whitespace().collect();
            for (direction, time) in [("->", words[2]), ("<-", words[3])] {
                if let Ok(timestamp) = time.parse::<f64>() {
                    let entry = TraceEntry::builder(words[0], id).operation(words[1]).endpoint("/x");
                    let entry = entry.direction(direction.into()).timestamp(timestamp).suffix(number.to_string());
                    entries.push(entry.build().unwrap());
                }
            }
        }
        entries.sort_by(|a, b| a.timestamp().total_cmp(&b.timestamp()));
        CallsAnswer::new(id, entries.iter().map(TraceEntry::as_ref), true)
    }

    #[test]
    fn calls_are_matched_in_turn_and_what_differs_is_said() {
        let good = calls("good", "MA a 0 100, WK b 10 20, WK b 30 40, VM c 50 60");
        let bad = calls("bad", "MA a 1000 1900, WK b 1010 1050, WK d 1100 1200, VM c 1300 -");
        let answer = CompareAnswer::new(&good, &bad);
        let drawn: Vec<_> = answer
            .calls
            .iter()
            .map(|call| (call.operation.as_str(), call.a.is_some(), call.b.is_some(), call.slower_ms))
            .collect();
        assert_eq!(
            drawn,
            [
                ("a", true, true, Some(800.0)),
                ("b", true, true, Some(30.0)),
                ("b", true, false, None),
                ("c", true, true, None),
                ("d", false, true, None),
            ]
        );
        assert_eq!((answer.missing, answer.added), (1, 1));
        assert_eq!(answer.calls[3].b.as_ref().map(|side| side.status), Some(CallStatus::Unfinished));
        assert_eq!(answer.calls[1].b.as_ref().and_then(|side| side.start_ms), Some(10.0));
    }

    #[test]
    fn a_chain_is_like_itself() {
        let chain = calls("c", "MA a 0 100, WK b 10 20");
        let answer = CompareAnswer::new(&chain, &chain);
        assert!(answer.calls.iter().all(|call| call.a == call.b && call.slower_ms == Some(0.0)));
        assert_eq!((answer.missing, answer.added), (0, 0));
    }
}
