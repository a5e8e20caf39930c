//! A list of chains of any length, page by page.

use tracehub_core::store::EntryId;
use tracehub_core::wire::read::CorrelationsAnswer;

use super::{CorrelationQuery, TraceHubQueryClient};
use crate::error::QueryError;

/// The pages of a list of chains, one in memory at a time. Made by
/// [`TraceHubQueryClient::correlation_pages`].
///
/// A chain that becomes active while the pages are read moves to the list's beginning: it may be missing from the pages
/// that follow, and no chain comes twice.
#[derive(Debug)]
pub struct CorrelationPages {
    client: TraceHubQueryClient,
    query: CorrelationQuery,
    ended: bool,
}

impl CorrelationPages {
    pub(super) fn new(client: TraceHubQueryClient, query: CorrelationQuery) -> Self {
        Self { client, query, ended: false }
    }

    /// The next page, or none after the last. A page may be empty although more follow.
    ///
    /// An error ends the pages; [`CorrelationQuery::cursor`] with the `next_cursor` of the last page goes on.
    /// [`QueryError::Unsupported`] if the list is longer than one page and the server is the Python one, which has no
    /// pages.
    pub async fn next(&mut self) -> Option<Result<CorrelationsAnswer, QueryError>> {
        if self.ended {
            return None;
        }
        let page = self.client.correlations(&self.query).await.and_then(|page| {
            self.check(&page)?;
            Ok(page)
        });
        let next = page.as_ref().ok().and_then(|page| page.next_cursor);
        match next {
            Some(cursor) => self.query = self.query.clone().cursor(cursor),
            None => self.ended = true,
        }
        Some(page)
    }

    fn check(&self, page: &CorrelationsAnswer) -> Result<(), QueryError> {
        let before = self.query.cursor_is().unwrap_or(EntryId(i64::MAX));
        match page.next_cursor {
            // A cursor that does not get closer to the end would never reach it.
            Some(next) if next >= before || next < EntryId::ZERO => Err(self
                .client
                .malformed(format!("after the cursor {before} comes the cursor {next}, which is not before it"))),
            Some(_) => Ok(()),
            None => {
                let limit = self.query.limit_is().map_or(50, |limit| limit as usize);
                let says_whether_complete = page.correlations.iter().all(|chain| chain.complete.is_some());
                if page.correlations.len() >= limit && !says_whether_complete {
                    return Err(self.client.unsupported("GET /correlations with pages"));
                }
                Ok(())
            }
        }
    }
}
