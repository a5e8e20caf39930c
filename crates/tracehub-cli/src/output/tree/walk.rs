//! The calls and marks of a chain in the order of a tree's lines, each with what is drawn in front of it.

use tracehub_core::chain::Chain;

/// Calls further in are drawn at this depth: lines must not grow with what strangers send.
const MAX_DRAWN_DEPTH: usize = 40;

/// A call or a mark, and where it stands.
pub(super) struct Node {
    pub(super) what: What,
    depth: usize,
    /// Whether it is the last of its siblings.
    last: bool,
}

/// By its place in the chain.
#[derive(Clone, Copy)]
pub(super) enum What {
    Call(usize),
    Mark(usize),
}

/// Gives every node and its prefix to `visit`.
pub(super) fn each(chain: &Chain<'_>, mut visit: impl FnMut(&Node, &str)) {
    // For each depth, whether more siblings follow below: then a line goes on down there.
    let mut open: Vec<bool> = Vec::new();
    let mut waiting: Vec<Node> = Vec::new();
    stack(&mut waiting, siblings(chain, &chain.roots, &chain.loose_marks), 0);
    while let Some(node) = waiting.pop() {
        open.truncate(node.depth.min(MAX_DRAWN_DEPTH));
        visit(&node, &prefix(&open, &node));
        open.push(!node.last);
        if let What::Call(call) = node.what {
            let call = &chain.calls[call];
            stack(&mut waiting, siblings(chain, &call.children, &call.marks), node.depth + 1);
        }
    }
}

/// Calls and marks of one parent in the order of time.
fn siblings(chain: &Chain<'_>, calls: &[usize], marks: &[usize]) -> Vec<What> {
    let first = |call: usize| chain.calls[call].enter.or(chain.calls[call].leave).unwrap_or_default();
    let mut all: Vec<(usize, What)> = calls.iter().map(|&call| (first(call), What::Call(call))).collect();
    all.extend(marks.iter().map(|&mark| (mark, What::Mark(mark))));
    all.sort_by_key(|(place, _)| *place);
    all.into_iter().map(|(_, what)| what).collect()
}

fn stack(waiting: &mut Vec<Node>, siblings: Vec<What>, depth: usize) {
    let count = siblings.len();
    let nodes = siblings.into_iter().enumerate().map(|(place, what)| Node { what, depth, last: place + 1 == count });
    waiting.extend(nodes.rev());
}

fn prefix(open: &[bool], node: &Node) -> String {
    if node.depth == 0 {
        return String::new();
    }
    let mut prefix = String::new();
    for &goes_on in open.iter().skip(1) {
        prefix.push_str(if goes_on { "│  " } else { "   " });
    }
    prefix.push_str(if node.last { "└─ " } else { "├─ " });
    if node.depth > MAX_DRAWN_DEPTH {
        prefix = prefix + "(" + &node.depth.to_string() + " deep) ";
    }
    prefix
}
