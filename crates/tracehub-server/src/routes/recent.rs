//! `GET /recent`: entries of all chains in order of commit, for those who poll.

use std::collections::VecDeque;

use actix_web::{HttpResponse, web};
use tracehub_core::store::{EntryId, StoreError, StoreReader};
use tracehub_core::wire::read::RecentWriter;

use crate::error::ApiError;
use crate::extract::query::Query;
use crate::state::State;

/// How many entries are given when the request does not say.
pub(crate) const DEFAULT_LIMIT: i64 = 100;
/// The most entries that one answer gives.
pub(crate) const MAX_LIMIT: i64 = 10_000;
/// The most entries that are looked at for one answer.
const MAX_LOOKED_AT: u32 = 50_000;
/// Bytes after which an answer ends early.
const MAX_BYTES: usize = 8 << 20;

pub(crate) async fn recent(state: web::Data<State>, query: Query) -> Result<HttpResponse, ApiError> {
    let limit = query.integer("limit", DEFAULT_LIMIT, 0..=MAX_LIMIT)?;
    let since_id = query.optional_integer("since_id", 0..=i64::MAX)?;
    let since = query.whole_seconds("since")?;
    let source = query.text("source").map(str::to_owned);
    let body = state.reader.query(move |store| {
        let source = source.as_deref();
        let after = match (since_id, since) {
            (None, None) => before_newest(store, limit, source)?,
            (since_id, None) => EntryId(since_id.unwrap_or_default()),
            (since_id, Some(since)) => store.entry_id_before(since)?.max(EntryId(since_id.unwrap_or_default())),
        };
        let mut writer = RecentWriter::default();
        let mut last = after;
        if limit > 0 {
            store.entries_after(after, MAX_LOOKED_AT, &mut |id, entry| {
                last = id;
                if source.is_none_or(|source| source == entry.source_id) {
                    writer.push(id, entry);
                }
                writer.count() < limit.unsigned_abs() && writer.bytes() < MAX_BYTES
            })?;
        }
        Ok(writer.finish(last))
    });
    Ok(HttpResponse::Ok().content_type("application/json").body(body.await?))
}

/// Where the newest entries begin, as many as are wanted: the entry before them.
fn before_newest(store: &dyn StoreReader, limit: i64, source: Option<&str>) -> Result<EntryId, StoreError> {
    let newest = store.newest_entry_id()?;
    let Some(source) = source else {
        // Ids follow each other without gaps.
        return Ok(EntryId((newest.0 - limit).max(0)));
    };
    let mut found = VecDeque::new();
    let window = EntryId((newest.0 - i64::from(MAX_LOOKED_AT)).max(0));
    store.entries_after(window, MAX_LOOKED_AT, &mut |id, entry| {
        if entry.source_id == source {
            found.push_back(id);
            if found.len() as u64 > limit.unsigned_abs() {
                found.pop_front();
            }
        }
        true
    })?;
    Ok(found.front().map_or(newest, |first| EntryId(first.0 - 1)))
}
