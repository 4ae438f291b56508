//! Tables in Markdown.

use std::fmt;

/// Rows of cells below names. Columns whose names are marked hold numbers.
#[derive(Debug, Default, Clone)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

#[derive(Debug, Clone)]
struct Column {
    name: String,
    is_number: bool,
}

impl Table {
    /// A table with these columns. A `#` before a name means that they are numbers.
    pub fn new(columns: &[&str]) -> Self {
        let column = |name: &&str| Column {
            name: name.trim_start_matches('#').to_owned(),
            is_number: name.starts_with('#'),
        };
        Self { columns: columns.iter().map(column).collect(), rows: Vec::new() }
    }

    /// Adds a row. Cells that are left out are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for column in &self.columns {
            write!(formatter, "| {} ", column.name)?;
        }
        writeln!(formatter, "|")?;
        for column in &self.columns {
            write!(formatter, "{}", if column.is_number { "|--:" } else { "|--" })?;
        }
        writeln!(formatter, "|")?;
        for row in &self.rows {
            for cell in row {
                write!(formatter, "| {} ", cell.replace('|', "\\|"))?;
            }
            writeln!(formatter, "|")?;
        }
        Ok(())
    }
}

/// So many digits, or a dash where there is no number.
pub fn number(value: impl Into<Option<f64>>, digits: usize) -> String {
    match value.into() {
        Some(value) if value.is_finite() => format!("{value:.digits$}"),
        _ => "–".to_owned(),
    }
}

/// Three digits that mean something: of 12 345, 12 300; of 0.012345, 0.0123.
pub fn rounded(value: impl Into<Option<f64>>) -> String {
    let Some(value) = value.into().filter(|value| value.is_finite()) else {
        return "–".to_owned();
    };
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().max(1e-9).log10().floor();
    let unit = 10_f64.powf(magnitude - 2.0);
    let value = (value / unit).round() * unit;
    let digits = if magnitude >= 2.0 { 0 } else { [2, 1][usize::from(magnitude >= 1.0)] };
    let digits = if magnitude < 0.0 { 4 } else { digits };
    let text = format!("{value:.digits$}");
    if digits > 0 { text } else { grouped(&text) }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        let left = digits.len() - index;
        if index > 0 && left.is_multiple_of(3) && text != "-" {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_markdown_with_numbers_on_the_right() {
        let mut table = Table::new(&["Name", "#Value"]);
        table.row(["a|b".to_owned(), "1".to_owned()]);
        table.row(["short".to_owned()]);
        assert_eq!(table.to_string(), "| Name | Value |\n|--|--:|\n| a\\|b | 1 |\n| short |  |\n");
    }

    #[test]
    fn three_digits_mean_something() {
        let cases = [
            (1_234_567.0, "1\u{a0}230\u{a0}000"),
            (12_345.0, "12\u{a0}300"),
            (999.6, "1\u{a0}000"),
            (123.4, "123"),
            (12.34, "12.3"),
            (1.234, "1.23"),
            (0.0123, "0.0123"),
            (0.0, "0"),
        ];
        for (value, expected) in cases {
            assert_eq!(rounded(value), expected, "{value}");
        }
        assert_eq!(rounded(None), "–");
        assert_eq!(rounded(f64::NAN), "–");
        assert_eq!(number(1.25, 1), "1.2");
        assert_eq!(number(None, 1), "–");
    }
}
