//! What a benchmark measured: named figures, ours and the peers', as JSON for scripts and as a table for people.

use std::fmt;

use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};

use crate::output::{Table, thousands};

/// One measured value. Over several runs it is the median; `low` and `high` are the worst and best of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The value, in `unit`.
    pub value: f64,
    /// `1/s`, `ms`, `s`, `bytes`, `events`, `ratio`, or empty for a metric without one.
    pub unit: &'static str,
    /// Least and greatest of the runs, where there were several.
    pub range: Option<(f64, f64)>,
}

impl Figure {
    /// A value measured once.
    pub fn once(value: f64, unit: &'static str) -> Self {
        Self { value, unit, range: None }
    }

    /// The median of `runs` with their range; NaN where there are none.
    pub fn median(runs: &[f64], unit: &'static str) -> Self {
        let mut sorted = runs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let value = match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        };
        let range = (sorted.len() > 1).then(|| (sorted[0], sorted[sorted.len() - 1]));
        Self { value, unit, range }
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.range.is_some() { 4 } else { 2 };
        let mut out = serializer.serialize_struct("Figure", fields)?;
        out.serialize_field("value", &self.value)?;
        out.serialize_field("unit", self.unit)?;
        if let Some((low, high)) = self.range {
            out.serialize_field("low", &low)?;
            out.serialize_field("high", &high)?;
        }
        out.end()
    }
}

/// Figures by name, in the order they were added.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(Vec<(String, Figure)>);

impl Figures {
    /// Adds a figure; names are unique within a benchmark.
    pub fn add(&mut self, name: impl Into<String>, figure: Figure) {
        self.0.push((name.into(), figure));
    }

    /// The figure of that name.
    pub fn get(&self, name: &str) -> Option<&Figure> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, figure)| figure)
    }

    /// Names and figures, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Figure)> {
        self.0.iter().map(|(name, figure)| (name.as_str(), figure))
    }
}

impl Serialize for Figures {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, figure) in self.iter() {
            map.serialize_entry(name, figure)?;
        }
        map.end()
    }
}

/// The result of one benchmark.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The benchmark's name: `serve`.
    pub bench: &'static str,
    /// Ours.
    pub figures: Figures,
    /// The peers', by name and version.
    pub beside: Vec<(String, Figures)>,
    /// What a reader of the table should know: sizes, settings, why a peer is missing.
    pub notes: Vec<String>,
}

impl Report {
    /// An empty report.
    pub fn new(bench: &'static str) -> Self {
        Self { bench, ..Self::default() }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Beside<'a>(&'a [(String, Figures)]);
        impl Serialize for Beside<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_map(self.0.iter().map(|(name, figures)| (name, figures)))
            }
        }
        let mut out = serializer.serialize_struct("Report", 4)?;
        out.serialize_field("bench", self.bench)?;
        out.serialize_field("figures", &self.figures)?;
        out.serialize_field("beside", &Beside(&self.beside))?;
        out.serialize_field("notes", &self.notes)?;
        out.end()
    }
}

impl fmt::Display for Report {
    /// A table: a row per figure, a column for us and for each peer that has the figure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&str> = self.figures.iter().map(|(name, _)| name).collect();
        for (name, _) in self.beside.iter().flat_map(|(_, figures)| figures.iter()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let columns: Vec<(&str, &Figures)> = std::iter::once(("headwater", &self.figures))
            .chain(self.beside.iter().map(|(name, figures)| (name.as_str(), figures)))
            .collect();
        let header = std::iter::once(self.bench).chain(columns.iter().map(|(peer, _)| *peer));
        let mut table = Table::new(header);
        for name in names {
            let cells = columns.iter().map(|(_, figures)| figures.get(name).map_or("-".into(), cell));
            table.row(std::iter::once(name.to_owned()).chain(cells));
        }
        f.write_str(&table.render())?;
        self.notes.iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

fn cell(figure: &Figure) -> String {
    let own = readable(figure.value, figure.unit);
    match figure.range {
        Some((low, high)) => {
            format!("{own} ({} to {})", readable(low, figure.unit), readable(high, figure.unit))
        }
        None => own,
    }
}

/// A number as a person reads it: MiB instead of bytes, thousands grouped, three or four digits that matter.
fn readable(value: f64, unit: &str) -> String {
    match unit {
        "bytes" => format!("{:.1} MiB", value / f64::from(1 << 20)),
        "" => format!("{value:.4}"),
        "ratio" => format!("{value:.2}x"),
        unit if value.abs() >= 1_000.0 || unit == "events" => {
            format!("{} {unit}", thousands(value.round().max(0.0) as u64))
        }
        unit => format!("{value:.3} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut report = Report::new("serve");
        report.figures.add("answers_per_second", Figure::median(&[3_100.0, 3_120.0, 3_500.0], "1/s"));
        report.figures.add("resident_bytes", Figure::once(104_857_600.0, "bytes"));
        let mut peer = Figures::default();
        peer.add("answers_per_second", Figure::once(1_600.0, "1/s"));
        report.beside.push(("gorse 0.5.9".into(), peer));
        report.notes.push("16 connections".into());
        report
    }

    #[test]
    fn json_keeps_the_promised_shape_and_the_order() {
        assert_eq!(
            serde_json::to_string(&report()).unwrap(),
            concat!(
                r#"{"bench":"serve","figures":{"answers_per_second":{"value":3120.0,"unit":"1/s","low":3100.0,"high":3500.0},"#,
                r#""resident_bytes":{"value":104857600.0,"unit":"bytes"}},"#,
                r#""beside":{"gorse 0.5.9":{"answers_per_second":{"value":1600.0,"unit":"1/s"}}},"notes":["16 connections"]}"#
            )
        );
    }

    #[test]
    fn the_table_sets_the_peer_beside_us() {
        assert_eq!(
            report().to_string(),
            "serve               headwater                           gorse 0.5.9\n\
             answers_per_second  3,120 1/s (3,100 1/s to 3,500 1/s)  1,600 1/s\n\
             resident_bytes      100.0 MiB                           -\n\
             16 connections\n"
        );
    }

    #[test]
    fn medians_of_even_and_of_no_runs() {
        assert_eq!(Figure::median(&[4.0, 1.0, 2.0, 3.0], "s").value, 2.5);
        assert_eq!(Figure::median(&[5.0], "s").range, None);
        assert!(Figure::median(&[], "s").value.is_nan());
    }
}
