//! The only place that prints. Colour and format are decided here, once; text of others is made harmless on its way.

mod escape;
mod format;
mod json;
mod style;
mod table;
mod time_spent;
mod tree;

mod entry_file;
mod pager;
mod progress;
mod tools;

use std::io::{self, BufWriter, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use jiff::tz::TimeZone;
use tracehub_client::{ChainAnswer, CleanupAnswer, CorrelationsAnswer, HealthAnswer, TraceEntry};

use crate::args::{ColorWhen, Format, OutputArgs};
use crate::failure::Failure;

pub(crate) use self::entry_file::EntryFile;
pub(crate) use self::pager::Pager;
pub(crate) use self::progress::Progress;
pub(crate) use self::tools::Setting;

/// Standard output, and how to write to it.
pub(crate) struct Screen {
    out: BufWriter<AutoStream<io::Stdout>>,
    format: Format,
    zone: TimeZone,
    is_terminal: bool,
    pager: Option<Pager>,
    choice: ColorChoice,
}

impl Screen {
    pub(crate) fn new(args: &OutputArgs) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let choice = match (args.output, args.color) {
            // JSON has no colours, and a stream that takes colours away would take U+007F out of its strings too.
            (Format::Json, _) => ColorChoice::AlwaysAnsi,
            (Format::Table, ColorWhen::Auto) => AutoStream::choice(&stdout),
            (Format::Table, ColorWhen::Always) => ColorChoice::Always,
            (Format::Table, ColorWhen::Never) => ColorChoice::Never,
        };
        let zone = if args.utc { TimeZone::UTC } else { TimeZone::system() };
        Self {
            out: BufWriter::new(AutoStream::new(stdout, choice)),
            format: args.output,
            zone,
            is_terminal,
            pager: None,
            choice,
        }
    }

    /// Shows what is long page by page, on a terminal.
    pub(crate) fn with_pager(self, pager: Option<Pager>) -> Self {
        Self { pager: pager.filter(|_| self.is_terminal), ..self }
    }

    /// For output that another program reads whatever the format is: a stream that takes colours away would take U+007F
    /// out of strings too.
    pub(crate) fn for_programs(self) -> Self {
        Self { out: BufWriter::new(AutoStream::new(io::stdout(), ColorChoice::AlwaysAnsi)), ..self }
    }

    /// Text that may be long, as `render` writes it: to the pager if there is one and it is, to the screen otherwise.
    fn long(&mut self, render: impl FnOnce(&mut AutoStream<Vec<u8>>) -> io::Result<()>) -> io::Result<()> {
        // Colours are decided by the terminal that is behind all this, not by what is in between.
        let choice = if self.choice == ColorChoice::Never { ColorChoice::Never } else { ColorChoice::AlwaysAnsi };
        let mut text = AutoStream::new(Vec::new(), choice);
        render(&mut text)?;
        let text = text.into_inner();
        self.out.flush()?;
        match &self.pager {
            Some(pager) if pager.show(&text)? => Ok(()),
            _ => self.out.write_all(&text),
        }
    }

    pub(crate) fn correlations(&mut self, answer: &CorrelationsAnswer) -> io::Result<()> {
        match self.format {
            Format::Table => table::correlations(&mut self.out, answer, &self.zone),
            Format::Json => self.json(json::serialize(answer)?),
        }
    }

    pub(crate) fn chain(&mut self, answer: &ChainAnswer) -> io::Result<()> {
        match self.format {
            Format::Table => {
                let zone = self.zone.clone();
                self.long(|out| tree::chain(out, answer, &zone))
            }
            Format::Json => self.json(json::chain(answer)),
        }
    }

    pub(crate) fn entry(&mut self, entry: &TraceEntry) -> io::Result<()> {
        match self.format {
            Format::Table => table::entry(&mut self.out, entry, &self.zone),
            Format::Json => self.json(json::entry(entry)),
        }
    }

    pub(crate) fn health(&mut self, url: &str, answer: &HealthAnswer) -> io::Result<()> {
        match self.format {
            Format::Table => table::health(&mut self.out, url, answer),
            Format::Json => self.json(json::serialize(answer)?),
        }
    }

    pub(crate) fn cleanup(&mut self, answer: CleanupAnswer) -> io::Result<()> {
        match self.format {
            Format::Table => writeln!(self.out, "deleted {}", format::entries(answer.deleted)),
            Format::Json => self.json(json::serialize(&answer)?),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// One line of JSON: to a program byte for byte, to a terminal with what could steer it written as escapes.
    fn json(&mut self, json: Vec<u8>) -> io::Result<()> {
        let json = json::one_line(json);
        let json = if self.is_terminal { json::harmless(json) } else { json };
        self.out.write_all(&json)?;
        self.out.write_all(b"\n")
    }
}

/// Says on standard error why the command failed.
pub(crate) fn complain(failure: &Failure) {
    let mut stderr = anstream::stderr();
    let text = escape::harmless(&failure.to_string()).into_owned();
    // With standard error closed there is nobody to tell.
    let _ = writeln!(stderr, "{}tracehub-cli:{} {text}", style::BAD.render(), style::BAD.render_reset());
}

/// Says on standard error what should be known.
pub(crate) fn warn(text: &str) {
    // With standard error closed there is nobody to tell.
    let _ = writeln!(anstream::stderr(), "tracehub-cli: warning: {}", escape::harmless(text));
}

/// Asks on standard error, so that the answer's own output stays clean.
pub(crate) fn ask(question: &str) {
    let mut stderr = anstream::stderr();
    // A terminal that is gone ends the reading of the answer too, and no answer is a no.
    let _ = write!(stderr, "{}", escape::harmless(question));
    let _ = stderr.flush();
}
