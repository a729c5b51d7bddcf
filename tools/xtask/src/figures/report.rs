//! What a sweep found: lines for people, or an object of JSON for programs.

use serde_json::{Map, Value as Json, json};
use std::fmt::Display;

/// The figures of one sweep, in their order.
pub(super) struct Report {
    title: String,
    rows: Vec<(String, String, &'static str)>,
}

impl Report {
    pub(super) fn new(title: String) -> Report {
        Report {
            title,
            rows: Vec::new(),
        }
    }

    /// Adds a count.
    pub(super) fn count(&mut self, name: &str, count: u64) {
        self.figure(name, count, "");
    }

    /// Adds a figure with its unit.
    pub(super) fn figure(&mut self, name: &str, value: impl Display, unit: &'static str) {
        self.rows.push((name.to_owned(), value.to_string(), unit));
    }

    /// Prints the title and the figures.
    pub(super) fn print(&self, json: bool) {
        if json {
            println!("{}", self.to_json());
            return;
        }
        println!("{}", self.title);
        let width = self.rows.iter().map(|(name, ..)| name.len()).max();
        let width = width.unwrap_or(0);
        for (name, value, unit) in &self.rows {
            let line = format!("  {name:width$}  {value} {unit}");
            println!("{}", line.trim_end());
        }
    }

    /// One object; names are written as `snake_case`, with their unit behind.
    fn to_json(&self) -> Json {
        let mut object = Map::from_iter([("sweep".to_owned(), json!(self.title))]);
        for (name, value, unit) in &self.rows {
            let unit = match *unit {
                "%" => "percent",
                unit => unit,
            };
            let name = format!("{name} {unit}").trim_end().replace(' ', "_");
            // Figures are numbers, all of which are JSON as they are written.
            let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
            object.insert(name.to_lowercase(), value);
        }
        Json::Object(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_names_that_programs_can_take() {
        let mut report = Report::new("3 items, seed 1".to_owned());
        report.count("of them trapped", 2);
        report.figure("peak memory", "1.5", "MiB");
        let expected =
            json!({ "sweep": "3 items, seed 1", "of_them_trapped": 2, "peak_memory_mib": 1.5 });
        assert_eq!(report.to_json(), expected);
    }
}
