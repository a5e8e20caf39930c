//! The only place that prints. Colour and format are decided here, once; text of others is made harmless on its way.

mod bar;
mod chains;
mod columns;
mod diff;
mod entry_file;
mod escape;
mod format;
mod json;
mod live;
mod log;
mod look;
mod pager;
mod progress;
mod style;
#[cfg(test)]
mod tests;
mod text;
mod tools;
mod tree;
mod views;

use std::io::{self, BufWriter, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};

use self::look::Look;
use crate::args::{ColorWhen, Format, OutputArgs};
use crate::failure::Failure;

pub(crate) use self::entry_file::EntryFile;
pub(crate) use self::live::Live;
pub(crate) use self::pager::Pager;
pub(crate) use self::progress::Progress;
pub(crate) use self::tools::Setting;

/// Standard output, and how to write to it.
pub(crate) struct Screen {
    out: BufWriter<AutoStream<io::Stdout>>,
    format: Format,
    look: Look,
    is_terminal: bool,
    pager: Option<Pager>,
    choice: ColorChoice,
}

impl Screen {
    pub(crate) fn new(args: &OutputArgs) -> Self {
        // Standard error does as it is told too.
        match args.color {
            ColorWhen::Auto => {}
            ColorWhen::Always => ColorChoice::Always.write_global(),
            ColorWhen::Never => ColorChoice::Never.write_global(),
        }
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let choice = match (args.output, args.color) {
            (Format::Table, ColorWhen::Auto) => AutoStream::choice(&stdout),
            (Format::Table, ColorWhen::Always) => ColorChoice::Always,
            (Format::Table, ColorWhen::Never) => ColorChoice::Never,
            // JSON has no colours, and a stream that takes colours away would take U+007F out of its strings too.
            _ => ColorChoice::AlwaysAnsi,
        };
        Self {
            out: BufWriter::new(AutoStream::new(stdout, choice)),
            format: args.output,
            look: Look::new(args),
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

    /// Whether output is for people.
    pub(crate) fn is_table(&self) -> bool {
        self.format == Format::Table
    }

    /// Whether output is made of lines that can come one after the other.
    pub(crate) fn is_line_by_line(&self) -> bool {
        self.format != Format::Json
    }

    /// How things look on a terminal as wide as it is now.
    fn look(&self) -> Look {
        let width = if self.is_terminal { terminal().map(|(width, _)| width) } else { None };
        self.look.clone().on(width)
    }

    /// What `render` writes, with colours if any are wanted.
    fn rendered(&self, render: impl FnOnce(&mut AutoStream<Vec<u8>>, &Look) -> io::Result<()>) -> io::Result<Vec<u8>> {
        // Colours are decided by the terminal that is behind all this, not by what is in between.
        let choice = if self.choice == ColorChoice::Never { ColorChoice::Never } else { ColorChoice::AlwaysAnsi };
        let mut text = AutoStream::new(Vec::new(), choice);
        render(&mut text, &self.look())?;
        Ok(text.into_inner())
    }

    /// Text that may be long: to the pager if there is one and it is, to the screen otherwise.
    fn long(&mut self, render: impl FnOnce(&mut AutoStream<Vec<u8>>, &Look) -> io::Result<()>) -> io::Result<()> {
        let text = self.rendered(render)?;
        self.out.flush()?;
        match &self.pager {
            Some(pager) if pager.show(&text)? => Ok(()),
            _ => self.out.write_all(&text),
        }
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Whether a terminal shows what is written.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// One line of JSON: to a program byte for byte; to a terminal, and where text was asked for, with what could steer a
    /// terminal written as escapes.
    fn json(&mut self, json: Vec<u8>) -> io::Result<()> {
        let json = json::one_line(json);
        let json = if self.is_terminal || self.format == Format::Raw { json::harmless(json) } else { json };
        self.out.write_all(&json)?;
        self.out.write_all(b"\n")
    }
}

/// Columns and lines of the terminal that standard output is.
fn terminal() -> Option<(usize, usize)> {
    let (width, height) = terminal_size::terminal_size_of(io::stdout())?;
    // Some terminals do not know, and say 0.
    Some((usize::from(width.0), usize::from(height.0))).filter(|(width, height)| *width > 0 && *height > 0)
}

/// Says on standard error why the command failed.
pub(crate) fn complain(failure: &Failure) {
    let mut stderr = anstream::stderr();
    // Whoever has pressed Ctrl-C knows; the terminal has written `^C` and wants a new line.
    if matches!(failure, Failure::Interrupted) && stderr.is_terminal() {
        let _ = writeln!(stderr);
        return;
    }
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
