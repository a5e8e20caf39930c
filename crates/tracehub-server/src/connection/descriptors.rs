//! Descriptors: each connection takes one, and the system's usual 1,024 are fewer than this server is good for.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors that are no connections: the database, its readers, the listener, the log, and those being refused.
const OTHERS: u64 = 512;

/// Has the system allow as many descriptors as so many connections need, as far as it lets us. Gives how many
/// connections there can be.
pub(super) fn make_room(most: usize) -> usize {
    let wanted = most as u64 + OTHERS;
    let mut limit = getrlimit(Resource::Nofile);
    let possible = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if limit.current.is_some_and(|current| current < possible) {
        limit.current = Some(possible);
        if let Err(err) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(error = %err, "the limit of open files cannot be raised");
        }
    }
    // Unlimited is none.
    let Some(granted) = getrlimit(Resource::Nofile).current else { return most };
    let room = usize::try_from(granted.saturating_sub(OTHERS).max(granted / 2)).unwrap_or(usize::MAX);
    if room < most {
        tracing::warn!(
            open_files = granted,
            asked = most,
            connections = room,
            "the system allows fewer open files (ulimit -n) than --max-connections needs"
        );
    }
    room.min(most)
}
