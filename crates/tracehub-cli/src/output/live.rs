//! What is drawn again and again in the same place of a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use anstream::AutoStream;

use super::escape::harmless;
use super::style;
use super::text::Text;

/// The top left corner, and a clean screen below.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";
const HOME: &str = "\u{1b}[H";
/// From here to the end of the line, and of the screen.
const REST_OF_LINE: &str = "\u{1b}[K";
const REST_OF_SCREEN: &str = "\u{1b}[J";
/// Lines that are taken for a terminal's height where that is not known.
const USUAL_LINES: usize = 24;

/// A place to draw. On anything but a terminal, pictures follow each other.
#[derive(Debug)]
pub(crate) struct Live {
    in_place: bool,
    drawn: bool,
    /// What was drawn last.
    picture: Vec<u8>,
}

impl Live {
    /// `can_move` says whether a terminal, if there is one, moves its cursor when told.
    pub(crate) fn new(can_move: bool) -> Self {
        Self { in_place: io::stdout().is_terminal() && can_move, drawn: false, picture: Vec::new() }
    }

    /// Whether pictures replace each other.
    pub(crate) fn is_in_place(&self) -> bool {
        self.in_place
    }

    /// Says something above the last picture.
    pub(crate) fn say(&mut self, text: &str) -> io::Result<()> {
        let said = Text::styled(style::BAD, harmless(text));
        let mut picture = AutoStream::new(Vec::new(), AutoStream::choice(&io::stdout()));
        said.write(&mut picture, super::terminal().map(|(width, _)| width), 0)?;
        let mut picture = picture.into_inner();
        picture.push(b'\n');
        picture.extend_from_slice(&self.picture);
        self.put(&picture)
    }

    /// Shows a picture instead of the one before.
    pub(super) fn draw(&mut self, picture: Vec<u8>) -> io::Result<()> {
        let outcome = self.put(&picture);
        self.picture = picture;
        outcome
    }

    fn put(&mut self, picture: &[u8]) -> io::Result<()> {
        let first = !std::mem::replace(&mut self.drawn, true);
        let mut out = io::stdout().lock();
        if self.in_place {
            let height = super::terminal().map_or(USUAL_LINES, |(_, height)| height);
            // Without going blank in between, or it would flicker.
            out.write_all(if first { CLEAR } else { HOME }.as_bytes())?;
            out.write_all(&frame(picture, height))?;
        } else {
            out.write_all(if first { b"" } else { b"\n" })?;
            out.write_all(picture)?;
        }
        out.flush()
    }
}

/// As many lines of a picture as fit, each over whatever stood there.
fn frame(picture: &[u8], height: usize) -> Vec<u8> {
    let lines: Vec<&[u8]> = picture.strip_suffix(b"\n").unwrap_or(picture).split(|byte| *byte == b'\n').collect();
    // The last line of the terminal is the cursor's.
    let room = height.saturating_sub(1).max(1);
    let shown = if lines.len() > room { room - 1 } else { lines.len() };
    let mut frame = Vec::with_capacity(picture.len() + lines.len() * REST_OF_LINE.len());
    for line in &lines[..shown] {
        frame.extend_from_slice(line);
        frame.extend_from_slice(REST_OF_LINE.as_bytes());
        frame.push(b'\n');
    }
    if shown < lines.len() {
        frame.extend_from_slice(format!("… {} more below{REST_OF_LINE}\n", lines.len() - shown).as_bytes());
    }
    frame.extend_from_slice(REST_OF_SCREEN.as_bytes());
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_takes_no_more_lines_than_there_are() {
        let text = |height| String::from_utf8(frame(b"a\nb\nc\n", height)).unwrap().replace('\u{1b}', "^");
        assert_eq!(text(4), "a^[K\nb^[K\nc^[K\n^[J");
        assert_eq!(text(3), "a^[K\n… 2 more below^[K\n^[J");
        assert_eq!(text(0), "… 3 more below^[K\n^[J");
    }
}
