//! Figures as a table for people or as JSON lines for programs.

use serde::Serialize;

/// One figure.
#[derive(Serialize)]
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// The number, in `unit`.
    pub(crate) value: f64,
    /// `us`, `ns/op`, `x` for a ratio, `bytes`, …
    pub(crate) unit: &'static str,
}

impl Row {
    pub(crate) fn new(figure: impl Into<String>, value: f64, unit: &'static str) -> Row {
        Row {
            figure: figure.into(),
            value,
            unit,
        }
    }
}

/// Prints the rows to standard output.
pub(crate) fn print(rows: &[Row], json: bool) -> anyhow::Result<()> {
    let width = rows
        .iter()
        .map(|row| row.figure.chars().count())
        .max()
        .unwrap_or(0);
    for row in rows {
        if json {
            println!("{}", serde_json::to_string(row)?);
        } else {
            println!("{:width$}  {:>12.3} {}", row.figure, row.value, row.unit);
        }
    }
    Ok(())
}
