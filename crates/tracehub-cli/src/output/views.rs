//! What the commands that look at traces show, in each format.

use std::io::{self, Write as _};

use tracehub_client::{ChainAnswer, CompareAnswer, CorrelationsAnswer, EntryId, RecentAnswer, RecentEntry, TraceEntry};
use tracehub_core::wire::read::RecentWriter;

use super::escape::harmless;
use super::{Live, Screen, chains, diff, json, log, tree};
use crate::args::Format;

impl Screen {
    /// A list of chains; `filtered` says whether there may be others.
    pub(crate) fn chains(&mut self, answer: &CorrelationsAnswer, filtered: bool) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let is_terminal = self.is_terminal;
                self.long(|out, look| {
                    if answer.correlations.is_empty() {
                        return chains::none(out, filtered);
                    }
                    chains::table(out, answer, true, look)?;
                    match answer.next_cursor {
                        Some(EntryId(cursor)) if is_terminal => chains::more(out, cursor),
                        _ => Ok(()),
                    }
                })
            }
            Format::Json => self.json(json::serialize(answer)?),
            Format::Ndjson | Format::Raw => self.chains_page(answer, false),
        }
    }

    /// A part of a long list, line by line.
    pub(crate) fn chains_page(&mut self, answer: &CorrelationsAnswer, first: bool) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let look = self.look();
                chains::table(&mut self.out, answer, first, &look)
            }
            Format::Raw => {
                let mut ids = answer.correlations.iter().map(|chain| harmless(&chain.correlation_id));
                ids.try_for_each(|id| writeln!(self.out, "{id}"))
            }
            Format::Json | Format::Ndjson => {
                answer.correlations.iter().try_for_each(|chain| self.json(json::serialize(chain)?))
            }
        }
    }

    /// A list of chains again, where it was before.
    pub(crate) fn redraw_chains(&mut self, live: &mut Live, answer: &CorrelationsAnswer) -> io::Result<()> {
        if !self.is_table() {
            self.chains(answer, true)?;
            return self.flush();
        }
        let picture = self.rendered(|out, look| {
            if answer.correlations.is_empty() {
                chains::none(out, true)
            } else {
                chains::table(out, answer, true, look)
            }
        })?;
        live.draw(picture)
    }

    /// A chain as a tree, or as the list of its entries.
    pub(crate) fn chain(&mut self, answer: &ChainAnswer, as_log: bool) -> io::Result<()> {
        match self.format {
            Format::Table if as_log => self.long(|out, look| log::chain(out, answer, look)),
            Format::Table => self.long(|out, look| tree::chain(out, answer, look)),
            Format::Json => self.json(json::chain(answer)),
            Format::Ndjson | Format::Raw => answer.traces.iter().try_for_each(|entry| self.entry(entry, false)),
        }
    }

    /// A chain's tree again, where it was before.
    pub(crate) fn redraw_chain(&mut self, live: &mut Live, answer: &ChainAnswer, as_log: bool) -> io::Result<()> {
        let picture =
            self.rendered(
                |out, look| {
                    if as_log { log::chain(out, answer, look) } else { tree::chain(out, answer, look) }
                },
            )?;
        live.draw(picture)
    }

    /// One entry; with the id of its chain where others are around it.
    pub(crate) fn entry(&mut self, entry: &TraceEntry, with_id: bool) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let look = self.look();
                log::entry(&mut self.out, entry, with_id, &look)
            }
            Format::Json | Format::Ndjson => self.json(json::entry(entry)),
            Format::Raw => log::raw(&mut self.out, entry),
        }
    }

    pub(crate) fn recent(&mut self, answer: &RecentAnswer) -> io::Result<()> {
        match self.format {
            Format::Table if answer.traces.is_empty() => writeln!(self.out, "no entries"),
            Format::Table => {
                self.long(|out, look| log::entries(out, answer.traces.iter().map(|recent| &recent.entry), look))
            }
            Format::Json => {
                let mut writer = RecentWriter::default();
                for RecentEntry { id, entry, .. } in &answer.traces {
                    writer.push(*id, &entry.as_ref());
                }
                self.json(writer.finish(answer.last_id))
            }
            Format::Ndjson => answer.traces.iter().try_for_each(|recent| self.json(json::recent(recent))),
            Format::Raw => answer.traces.iter().try_for_each(|recent| self.entry(&recent.entry, true)),
        }
    }

    pub(crate) fn diff(&mut self, answer: &CompareAnswer) -> io::Result<()> {
        match self.format {
            Format::Table => self.long(|out, look| diff::table(out, answer, look)),
            Format::Json | Format::Raw => self.json(json::serialize(answer)?),
            Format::Ndjson => answer.calls.iter().try_for_each(|call| self.json(json::serialize(call)?)),
        }
    }
}
