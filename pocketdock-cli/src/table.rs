//! Tables that fit the terminal.
//!
//! ```text
//! NAME  STATUS   IMAGE              where there is room, or no terminal
//! box   running  localhost/tools:1
//!
//! NAME  STATUS   IMAGE              the widest columns are cut, but not the first
//! box   running  localhost/t…
//!
//! NAME    box                       where that is not enough: a line each
//! STATUS  running
//! ```
//!
//! In a pipe nothing is ever cut. Widths count columns of a terminal: two for the wide characters
//! of East Asian scripts and emoji, none for combining marks.

use crate::output::visible;
use crate::paint::Paint;

/// The narrowest that a column is cut to: as wide as a short ID.
const WIDTH_MIN: usize = 12;

/// Spaces between columns.
const GAP: usize = 2;

/// Rows under headings, columns aligned by padding.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One field: its text with control characters spelled out, and the code of its colour.
#[derive(Debug)]
struct Cell {
    text: String,
    color: &'static str,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; `fields` are shown with control characters spelled out.
    pub(crate) fn row(&mut self, fields: &[&str]) {
        self.colored_row(fields, |_, _| Paint::PLAIN);
    }

    /// Adds a row whose fields have the colours that `color` gives them, by heading and text.
    pub(crate) fn colored_row(
        &mut self,
        fields: &[&str],
        color: impl Fn(&str, &str) -> &'static str,
    ) {
        let cells = self.headings.iter().zip(fields).map(|(heading, field)| {
            let text = visible(field);
            let color = color(heading, &text);
            Cell { text, color }
        });
        self.rows.push(cells.collect());
    }

    /// The whole table, on a terminal with this many columns or anywhere.
    pub(crate) fn render(&self, paint: Paint, columns: Option<usize>) -> String {
        let mut widths = self.widths();
        if columns.is_some_and(|columns| !fit(&mut widths, &self.headings, columns)) {
            return self.stacked(paint);
        }
        let mut text = String::new();
        let headings = self.headings.iter().map(|heading| (*heading, Paint::BOLD));
        push_row(&mut text, headings, &widths, paint);
        for row in &self.rows {
            let cells = row.iter().map(|cell| (cell.text.as_str(), cell.color));
            push_row(&mut text, cells, &widths, paint);
        }
        text
    }

    /// A line for each field that says something, an empty one between rows.
    fn stacked(&self, paint: Paint) -> String {
        let widest = self.headings.iter().map(|heading| heading.len()).max();
        let widths = [widest.unwrap_or_default(), usize::MAX];
        let mut text = String::new();
        for (idx, row) in self.rows.iter().enumerate() {
            if 0 < idx {
                text.push('\n');
            }
            let fields = self.headings.iter().zip(row);
            for (heading, cell) in fields.filter(|(_, cell)| !cell.text.is_empty()) {
                let cells = [(*heading, Paint::BOLD), (cell.text.as_str(), cell.color)];
                push_row(&mut text, cells.into_iter(), &widths, paint);
            }
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let column = |idx: usize, heading: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(idx));
            let widths = cells.map(|cell| width(&cell.text));
            widths.fold(heading.len(), usize::max)
        };
        let headings = self.headings.iter().enumerate();
        headings
            .map(|(idx, heading)| column(idx, heading))
            .collect()
    }
}

/// Narrows the widest columns but the first until all have room; whether they have.
fn fit(widths: &mut [usize], headings: &[&str], columns: usize) -> bool {
    let total = widths.iter().fold(0, |sum, width| sum + width + GAP);
    let surplus = total.saturating_sub(columns + GAP);
    for _ in 0..surplus {
        let can_give = |(width, heading): &(&mut usize, &&str)| {
            let narrowest = heading.len().max(WIDTH_MIN);
            narrowest < **width
        };
        let others = widths.iter_mut().zip(headings).skip(1).filter(can_give);
        let Some((widest, _)) = others.max_by_key(|(width, _)| **width) else {
            return false;
        };
        *widest -= 1;
    }
    true
}

/// Fields with their colours, up to the last that says something.
fn push_row<'c>(
    text: &mut String,
    cells: impl Iterator<Item = (&'c str, &'static str)>,
    widths: &[usize],
    paint: Paint,
) {
    let mut space = 0;
    for ((field, color), &room) in cells.zip(widths) {
        let shown = cut(field, room);
        if !shown.is_empty() {
            text.push_str(&" ".repeat(space));
            text.push_str(&paint.wrap(color, &shown));
            space = 0;
        }
        space = space.saturating_add(room.saturating_sub(width(&shown)).saturating_add(GAP));
    }
    text.push('\n');
}

/// As much of `text` as there is room for, the last column saying that there is more.
fn cut(text: &str, room: usize) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut left = room.saturating_sub(1);
    for c in text.chars() {
        match left.checked_sub(columns_of(c)) {
            Some(rest) => left = rest,
            None => break,
        }
        shown.push(c);
    }
    shown.push('…');
    shown
}

/// The columns that a terminal needs for a text.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

/// Source: Unicode, EastAsianWidth.txt, by blocks; what is wide by itself in a block that is not is
/// counted as one column.
fn columns_of(c: char) -> usize {
    match c {
        '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{20d0}'..='\u{20ff}' => 0,
        '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "STATUS", "IMAGE", "PROJECT"]);
        table.row(&["web", "running", "localhost/tools:1", ""]);
        table.row(&["a-long-name", "exited", "debian:trixie-slim", "home"]);
        table.row(&["x\n", "", "", ""]);
        table
    }

    #[test]
    fn columns_line_up_and_lines_do_not_end_in_spaces() {
        let want = "NAME         STATUS   IMAGE               PROJECT\n\
                    web          running  localhost/tools:1\n\
                    a-long-name  exited   debian:trixie-slim  home\n\
                    x\\n\n";
        for columns in [None, Some(49), Some(200)] {
            assert_eq!(table().render(Paint(false), columns), want, "{columns:?}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_and_then_stacked() {
        let want = "NAME         STATUS   IMAGE         PROJECT\n\
                    web          running  localhost/t…\n\
                    a-long-name  exited   debian:trix…  home\n\
                    x\\n\n";
        assert_eq!(table().render(Paint(false), Some(43)), want);
        let want = "NAME     web\n\
                    STATUS   running\n\
                    IMAGE    localhost/tools:1\n\n\
                    NAME     a-long-name\n\
                    STATUS   exited\n\
                    IMAGE    debian:trixie-slim\n\
                    PROJECT  home\n\n\
                    NAME     x\\n\n";
        for columns in [0, 1, 20, 42] {
            assert_eq!(
                table().render(Paint(false), Some(columns)),
                want,
                "{columns}"
            );
        }
    }

    #[test]
    fn a_table_is_never_wider_than_its_terminal() {
        let mut table = Table::new(&["A", "B", "C"]);
        table.row(&["漢字", &"字".repeat(90), &"é\u{301}".repeat(99)]);
        table.row(&["x", "y", "z"]);
        for columns in 32..300 {
            let shown = table.render(Paint(false), Some(columns));
            for line in shown.lines() {
                assert!(width(line) <= columns, "{columns} {line:?}");
            }
        }
    }

    #[test]
    fn colour_does_not_change_the_widths() {
        let mut table = Table::new(&["STATUS", "NAME"]);
        table.colored_row(&["running", "a"], |_, text| Paint::status(text));
        let shown = table.render(Paint(true), None);
        assert!(shown.contains("\x1b[32mrunning\x1b[0m  "), "{shown:?}");
        assert!(
            shown.contains("\x1b[1mSTATUS\x1b[0m   \x1b[1mNAME"),
            "{shown:?}"
        );
    }
}
