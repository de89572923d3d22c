//! A line chart of Unicode braille: two dots wide and four high in each character.

use chrono::{DateTime, Utc};

/// Characters of the labels left of the chart.
const LABEL_WIDTH: usize = 10;

/// The least width that a chart is of any use in.
const WIDTH_MIN: usize = 20;

/// The widest chart; beyond that the eye does not follow a line.
const WIDTH_MAX: usize = 240;

/// What a chart shows.
pub(super) struct Chart<'c> {
    /// When each value begins and ends, in the order of time.
    pub(super) values: &'c [(DateTime<Utc>, DateTime<Utc>, f64)],
    /// From when to when.
    pub(super) span: (DateTime<Utc>, DateTime<Utc>),
    /// The unit, as AWS spells it.
    pub(super) unit: Option<&'c str>,
    /// Characters of a line, labels included.
    pub(super) width: usize,
    /// Lines, without that of the times.
    pub(super) height: usize,
}

impl Chart<'_> {
    /// The lines of the chart; none where there is no value or no room.
    pub(super) fn lines(&self) -> Vec<String> {
        let width = self.width.min(WIDTH_MAX).saturating_sub(LABEL_WIDTH + 2);
        if width < WIDTH_MIN || self.height < 2 || self.values.is_empty() || self.span.0 >= self.span.1 {
            return Vec::new();
        }
        let (low, high) = self.bounds();
        let dots = self.dots(width * 2, self.height * 4, low, high);
        let mut lines = Vec::new();
        for row in 0..self.height {
            let share = ratio(row, self.height - 1);
            let is_labelled =
                row == 0 || row + 1 == self.height || (self.height % 2 == 1 && row * 2 + 1 == self.height);
            let label = if is_labelled { number_text(high - (high - low) * share, self.unit) } else { String::new() };
            let edge = if is_labelled { '┤' } else { '│' };
            let cells: String = (0..width).map(|column| braille(&dots, column, row, self.height * 4)).collect();
            lines.push(format!("{label:>LABEL_WIDTH$} {edge}{}", cells.trim_end_matches('\u{2800}')));
        }
        lines.push(format!("{:LABEL_WIDTH$} └{}", "", "─".repeat(width)));
        lines.push(format!("{:LABEL_WIDTH$}  {}", "", self.times(width)));
        lines
    }

    /// From which value to which: round numbers, and from nothing where the values are not far from it.
    fn bounds(&self) -> (f64, f64) {
        let values = || self.values.iter().map(|(_, _, value)| *value);
        let (least, greatest) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let low = if least >= 0.0 && least < greatest * 0.75 { 0.0 } else { least };
        let (low, high) = if greatest > low {
            (low, greatest)
        } else {
            (low - low.abs() * 0.1, greatest + 1.0_f64.max(greatest.abs() * 0.1))
        };
        let step = round_step((high - low) / 4.0);
        ((low / step).floor() * step, (high / step).ceil() * step)
    }

    /// The rows, counted from below, that are marked in each column of dots: from where to where.
    fn dots(&self, columns: usize, rows: usize, low: f64, high: f64) -> Vec<Option<(usize, usize)>> {
        let total = (self.span.1 - self.span.0).as_seconds_f64();
        let row_of = |value: f64| to_index((value - low) / (high - low) * ratio(rows - 1, 1), rows);
        let mut dots: Vec<Option<(usize, usize)>> = vec![None; columns];
        let mut before: Option<(usize, usize)> = None;
        for (start, end, value) in self.values {
            let column_of = |time: &DateTime<Utc>| (*time - self.span.0).as_seconds_f64() / total * ratio(columns, 1);
            let (first, last) = (
                to_index(column_of(start).max(0.0).floor(), columns),
                to_index((column_of(end) - 0.001).floor(), columns),
            );
            let row = row_of(*value);
            for column in first..=last.max(first) {
                if let Some(cell) = dots.get_mut(column) {
                    *cell = Some(cell.map_or((row, row), |(from, to)| (from.min(row), to.max(row))));
                }
            }
            // The step from the value before, where it ended here.
            if let Some((column, row_before)) = before.filter(|(column, _)| column + 1 >= first)
                && let Some(Some(cell)) = dots.get_mut(first.max(column))
            {
                *cell = (cell.0.min(row_before), cell.1.max(row_before));
            }
            before = Some((last.max(first), row));
        }
        dots
    }

    /// The times under the chart: its beginning, its middle and its end.
    fn times(&self, width: usize) -> String {
        let (start, end) = self.span;
        let days = (end - start).num_days();
        let form = match days {
            0..=1 => "%H:%M",
            2..=7 => "%m-%d %H:%M",
            _ => "%Y-%m-%d",
        };
        let texts = [start, start + (end - start) / 2, end].map(|time| time.format(form).to_string());
        let [left, middle, right] = texts;
        let length = left.chars().count();
        let gap = (width / 2).saturating_sub(length + length / 2);
        let rest = width.saturating_sub(length + gap + length + length);
        format!("{left}{:gap$}{middle}{:rest$}{right}", "", "")
    }
}

/// The character of a cell of two by four dots.
fn braille(dots: &[Option<(usize, usize)>], column: usize, row: usize, rows: usize) -> char {
    // The dots of a character, the left column first, from above.
    const BITS: [[u32; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
    let mut bits = 0;
    for (side, column_bits) in BITS.iter().enumerate() {
        let Some(Some((from, to))) = dots.get(column * 2 + side) else { continue };
        for (line, bit) in column_bits.iter().enumerate() {
            let from_above = row * 4 + line;
            let from_below = rows.saturating_sub(from_above + 1);
            if from_above < rows && (*from..=*to).contains(&from_below) {
                bits |= bit;
            }
        }
    }
    char::from_u32(0x2800 + bits).unwrap_or(' ')
}

/// A step of 1, 2 or 5 times a power of ten, at least as large.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let factor = step / power;
    power * [1.0, 2.0, 5.0].into_iter().find(|round| factor <= *round + 1e-9).unwrap_or(10.0)
}

/// A value with its unit, in three or four digits.
pub(super) fn number_text(value: f64, unit: Option<&str>) -> String {
    let (sign, thousands) = match unit {
        Some("Percent") => (" %", false),
        Some("Seconds") => (" s", false),
        Some("Milliseconds") => (" ms", false),
        Some("Microseconds") => (" µs", false),
        Some("Bytes") => ("B", true),
        Some("Bytes/Second") => ("B/s", true),
        Some("Bits") => ("bit", true),
        Some("Bits/Second") => ("bit/s", true),
        Some("Count/Second") => ("/s", true),
        _ => ("", true),
    };
    let mut value = value;
    let mut prefix = "";
    for next in ["k", "M", "G", "T", "P"] {
        if !thousands || value.abs() < 1_000.0 {
            break;
        }
        (value, prefix) = (value / 1_000.0, next);
    }
    let number = match value.abs() {
        _ if (value - value.round()).abs() < 1e-9 => format!("{value:.0}"),
        100.0.. => format!("{value:.0}"),
        1.0.. => format!("{value:.1}"),
        0.001.. => format!("{value:.3}"),
        _ => format!("{value:.1e}"),
    };
    // A minus zero is nothing.
    let number = if number == "-0" { "0".to_owned() } else { number };
    let has_suffix = !sign.is_empty() || !prefix.is_empty();
    let needs_blank = has_suffix && !sign.starts_with(' ');
    format!("{number}{}{prefix}{sign}", if needs_blank { " " } else { "" })
}

#[expect(clippy::cast_precision_loss, reason = "columns and rows of a terminal")]
fn ratio(number: usize, of: usize) -> f64 {
    number as f64 / of.max(1) as f64
}

/// The whole number next to a position, within a length.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the length before")]
fn to_index(position: f64, length: usize) -> usize {
    let last = ratio(length.saturating_sub(1), 1);
    position.round().clamp(0.0, last) as usize
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn chart(values: &[Option<f64>], width: usize, unit: &str) -> Vec<String> {
        let start: DateTime<Utc> = "2026-11-01T10:00:00Z".parse().unwrap();
        let at = |index: usize| start + TimeDelta::minutes(5 * i64::try_from(index).unwrap());
        let known: Vec<_> = values
            .iter()
            .enumerate()
            .filter_map(|(index, value)| value.map(|value| (at(index), at(index + 1), value)))
            .collect();
        Chart { values: &known, span: (start, at(values.len())), unit: Some(unit), width, height: 5 }.lines()
    }

    #[test]
    fn a_line_rises_falls_and_has_gaps() {
        let values: Vec<Option<f64>> =
            [10.0, 20.0, 40.0, 80.0, 100.0, 60.0].into_iter().map(Some).chain([None, None, Some(0.0)]).collect();
        let lines = chart(&values, 48, "Percent");
        let shown = lines.join("\n");
        assert_eq!(lines.len(), 7, "{shown}");
        assert!(lines[0].starts_with("     100 % ┤") && lines[2].starts_with("      50 % ┤"), "{shown}");
        assert!(lines[4].starts_with("       0 % ┤"), "{shown}");
        assert!(lines[6].contains("10:00") && lines[6].trim_end().ends_with("10:45"), "{shown}");
        // Nothing is drawn where there is no value, and something wherever there is one.
        let is_marked = |column: usize| {
            lines[..5]
                .iter()
                .any(|line| line.chars().nth(LABEL_WIDTH + 2 + column).is_some_and(|c| c != '\u{2800}' && c != ' '))
        };
        let columns: String = (0..36).map(|column| if is_marked(column) { 'x' } else { '.' }).collect();
        assert_eq!(columns, "xxxxxxxxxxxxxxxxxxxxxxxx........xxxx", "{shown}");
    }

    #[test]
    fn every_value_is_drawn_at_its_height() {
        let at = |value: f64| {
            let lines = chart(&[Some(0.0), Some(value), Some(8.0)], 60, "Count");
            let column = LABEL_WIDTH + 2 + 24;
            lines[..5].iter().position(|line| line.chars().nth(column).is_some_and(|c| c != '\u{2800}' && c != ' '))
        };
        assert_eq!([8.0, 6.0, 4.0, 2.0, 0.0].map(at), [0, 1, 2, 3, 4].map(Some));
        // One value, or only the same: still a line.
        assert_eq!(chart(&[Some(7.0)], 60, "Count").len(), 7);
        assert_eq!(chart(&[Some(0.0), Some(0.0)], 60, "Count").len(), 7);
        assert_eq!(chart(&[Some(1.0)], 25, "Count").len(), 0);
    }

    #[test]
    fn numbers_are_short_and_have_their_unit() {
        for (value, unit, expected) in [
            (70.0, Some("Percent"), "70 %"),
            (69.95, Some("Percent"), "70.0 %"),
            (1_234.0, Some("Percent"), "1234 %"),
            (1_500_000.0, Some("Bytes"), "1.5 MB"),
            (512.0, Some("Bytes"), "512 B"),
            (12_000.0, None, "12 k"),
            (3.0, Some("Count"), "3"),
            (0.0123, Some("Seconds"), "0.012 s"),
            (0.000_012, Some("Seconds"), "1.2e-5 s"),
            (0.0, None, "0"),
            (-5.0, None, "-5"),
        ] {
            assert_eq!(number_text(value, unit), expected);
        }
        let steps = [0.3, 7.0, 10.0, 12.0, 45.0].map(|step| round_step(step).to_string());
        assert_eq!(steps, ["0.5", "10", "10", "20", "50"]);
    }
}
