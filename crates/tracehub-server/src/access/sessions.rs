//! Who has signed in at the page: random ids in a cookie, because a browser's event stream cannot send a header.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{self, HeaderMap};
use sha2::{Digest as _, Sha256};

/// The cookie.
pub(crate) const NAME: &str = "tracehub_session";
/// What every such cookie says: no script reads it, no page of another site has it sent. `Secure` joins them where the
/// server itself speaks TLS: over plain HTTP a browser would not keep the cookie.
const FLAGS: &str = "HttpOnly; SameSite=Strict; Path=/";
const SECURE: &str = "; Secure";
/// How long a session lasts, from signing in: a working day.
const LIFE: Duration = Duration::from_hours(12);
/// Sessions that are open at a time. Beyond them the oldest ends: who knows the secret cannot fill the memory either.
const MAX_SESSIONS: usize = 1_024;

/// The open sessions, and when each was opened. A restart forgets them.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Instant>>);

/// What is kept of an id: who reads the memory of the server cannot sign in with it.
type Digest = [u8; 32];

impl Sessions {
    /// Opens a session; gives its id, which nobody can guess.
    pub(super) fn open(&self, now: Instant) -> Result<String, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        let id = bytes.iter().fold(String::new(), |mut id, byte| {
            // Writing into a string cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        });
        let mut sessions = self.lock();
        sessions.retain(|_, opened| is_alive(*opened, now));
        if sessions.len() >= MAX_SESSIONS
            && let Some(oldest) = sessions.iter().min_by_key(|(_, opened)| **opened).map(|(id, _)| *id)
        {
            sessions.remove(&oldest);
        }
        sessions.insert(digest(&id), now);
        Ok(id)
    }

    /// Whether an id is of a session that is open.
    pub(super) fn is_open(&self, id: &str, now: Instant) -> bool {
        self.lock().get(&digest(id)).is_some_and(|opened| is_alive(*opened, now))
    }

    /// Ends a session, if there is one of this id.
    pub(super) fn close(&self, id: &str) {
        self.lock().remove(&digest(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Instant>> {
        // Each change under the lock leaves the map whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_alive(opened: Instant, now: Instant) -> bool {
    now.saturating_duration_since(opened) < LIFE
}

fn digest(id: &str) -> Digest {
    Sha256::digest(id.as_bytes()).into()
}

/// The session ids that came along. There may be several: a host's ports share their cookies.
pub(crate) fn ids(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(';')).filter_map(|pair| {
        let (name, id) = pair.split_once('=')?;
        (name.trim() == NAME).then(|| id.trim())
    })
}

/// The header value that has a browser keep an id until it is closed.
pub(super) fn cookie(id: &str, has_tls: bool) -> String {
    let secure = if has_tls { SECURE } else { "" };
    format!("{NAME}={id}; {FLAGS}{secure}")
}

/// The header value that has a browser forget it.
pub(super) fn no_cookie(has_tls: bool) -> String {
    format!("{}; Max-Age=0", cookie("", has_tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_lasts_until_it_is_closed_or_twelve_hours_are_over() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let (one, other) = (sessions.open(start).unwrap(), sessions.open(start).unwrap());
        assert_eq!((one.len(), one == other), (64, false));
        assert!(sessions.is_open(&one, start + LIFE.saturating_sub(Duration::from_secs(1))));
        assert!(!sessions.is_open(&one, start + LIFE));
        sessions.close(&one);
        assert!(!sessions.is_open(&one, start) && sessions.is_open(&other, start));
        assert!(!sessions.is_open("", start) && !sessions.is_open(&other[1..], start));
    }

    #[test]
    fn the_oldest_ends_when_there_are_too_many() {
        let sessions = Sessions::default();
        let start = Instant::now();
        let at = |number: usize| start + Duration::from_secs(number as u64);
        let ids: Vec<String> = (0..=MAX_SESSIONS).map(|number| sessions.open(at(number)).unwrap()).collect();
        let now = at(MAX_SESSIONS);
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
        assert!(!sessions.is_open(&ids[0], now) && ids[1..].iter().all(|id| sessions.is_open(id, now)));
        sessions.open(start + LIFE * 2).unwrap();
        assert_eq!(sessions.lock().len(), 1, "those that are over make room");
    }

    #[test]
    fn ids_are_found_among_other_cookies() {
        let mut headers = HeaderMap::new();
        for text in ["a=b; tracehub_session=one;c", "tracehub_session = two; tracehub_sessions=three"] {
            headers.append(header::COOKIE, text.parse().unwrap());
        }
        assert_eq!(ids(&headers).collect::<Vec<_>>(), ["one", "two"]);
    }
}
