//! Plain text tables whose columns line up, also where a cell holds Chinese characters, which are two columns wide.

/// A table being filled.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With its column titles.
    pub fn new(titles: &[&str]) -> Self {
        Self { rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Columns of figures stand to the right, columns of words to the left.
    fn is_figures(&self, column: usize) -> bool {
        let is_figure = |cell: &String| cell.starts_with(|c: char| c.is_ascii_digit() || "-–".contains(c));
        self.rows.iter().skip(1).filter_map(|row| row.get(column)).all(is_figure)
    }

    /// The text.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &columns))| {
                    let padding = " ".repeat(columns.saturating_sub(width(cell)));
                    if self.is_figures(column) { format!("{padding}{cell}") } else { format!("{cell}{padding}") }
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
            if number == 0 {
                text.push_str(&"-".repeat(widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1)));
                text.push('\n');
            }
        }
        text
    }
}

/// Columns that a terminal gives the text.
fn width(text: &str) -> usize {
    // CJK ideographs, kana, punctuation and full-width forms; all that our texts use beyond single-width letters.
    let is_wide = |c: char| matches!(c, '\u{2E80}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7A3}' | '\u{F900}'..='\u{FAFF}' | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FF60}');
    text.chars().map(|c| if is_wide(c) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_chinese_in_them() {
        let mut table = Table::new(&["operator", "samples"]);
        table.row(vec!["中国移动".into(), "1200".into()]);
        table.row(vec!["b".into(), "7".into()]);
        assert_eq!(table.text(), "operator  samples\n-----------------\n中国移动     1200\nb               7\n");
    }
}
