//! One value of one row: as the log writes it, and as the column keeps it.

use std::borrow::Cow;

use super::time::TimeFormat;

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Text as it stands.
    Text,
    /// A whole number of 32 bits.
    Int32,
    /// A whole number of 64 bits.
    Int64,
    /// A number with a fraction.
    Double,
    /// True or false.
    Bool,
    /// A moment, in microseconds, UTC.
    Time(TimeFormat),
    /// Any JSON, as compact text.
    Json,
}

/// Which part of a field a column keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// Of `192.0.2.1:443` or `[2001:db8::1]:443`, the address.
    Host,
    /// Of the same, the port.
    Port,
}

/// A value as a column keeps it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Text(Cow<'r, str>),
    Int(i64),
    Double(f64),
    Bool(bool),
    Time(i64),
}

impl Kind {
    /// The value that the text says; an error, without words, if it says none of this kind.
    pub(super) fn cell<'r>(&self, part: Part, text: Cow<'r, str>) -> Result<Cell<'r>, ()> {
        let Some(text) = part.of(text) else { return Ok(Cell::Null) };
        Ok(match self {
            Self::Text | Self::Json => Cell::Text(text),
            Self::Int32 => Cell::Int(i64::from(text.trim().parse::<i32>().map_err(drop)?)),
            Self::Int64 => Cell::Int(text.trim().parse().map_err(drop)?),
            Self::Double => Cell::Double(text.trim().parse::<f64>().map_err(drop).and_then(finite)?),
            Self::Bool => Cell::Bool(match text.trim() {
                "true" | "True" | "TRUE" | "Yes" | "yes" => true,
                "false" | "False" | "FALSE" | "No" | "no" => false,
                _ => return Err(()),
            }),
            Self::Time(format) => Cell::Time(format.micros(text.trim()).ok_or(())?),
        })
    }

    /// What a column of this kind holds, for a sentence.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Int32 | Self::Int64 => "a whole number",
            Self::Double => "a number",
            Self::Bool => "true or false",
            Self::Time(_) => "a time",
            Self::Json => "JSON",
        }
    }
}

fn finite(number: f64) -> Result<f64, ()> {
    if number.is_finite() { Ok(number) } else { Err(()) }
}

impl Part {
    fn of(self, text: Cow<'_, str>) -> Option<Cow<'_, str>> {
        let wanted = match self {
            Self::Whole => return Some(text),
            Self::Host => host(&text).map(str::len).map(|len| (usize::from(text.starts_with('[')), len)),
            Self::Port => port(&text).map(|port| (text.len() - port.len(), port.len())),
        };
        let (from, len) = wanted?;
        Some(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.get(from..from + len)?),
            Cow::Owned(text) => Cow::Owned(text.get(from..from + len)?.to_owned()),
        })
    }
}

fn host(text: &str) -> Option<&str> {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split_once(']').map(|(host, _)| host);
    }
    let host = match text.rsplit_once(':') {
        // Two colons and no bracket: an IPv6 address without port, or with one that cannot be told from it.
        Some((host, _)) if host.contains(':') => text,
        Some((host, _)) => host,
        None => text,
    };
    (!host.is_empty() && host != "-").then_some(host)
}

fn port(text: &str) -> Option<&str> {
    let (host, port) = text.rsplit_once(':')?;
    let is_one = (host.ends_with(']') || !host.contains(':')) && !port.is_empty() && port != "-";
    is_one.then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_come_apart() {
        for (text, expected_host, expected_port) in [
            ("192.0.2.1:443", Some("192.0.2.1"), Some("443")),
            ("[2001:db8::1]:443", Some("2001:db8::1"), Some("443")),
            ("2001:db8::1", Some("2001:db8::1"), None),
            ("192.0.2.1", Some("192.0.2.1"), None),
            ("192.0.2.1:-", Some("192.0.2.1"), None),
            ("[2001:db8::1", None, None),
            (":", None, None),
            ("", None, None),
        ] {
            let part = |part: Part| part.of(Cow::Borrowed(text)).map(Cow::into_owned);
            assert_eq!(part(Part::Host).as_deref(), expected_host, "{text}");
            assert_eq!(part(Part::Port).as_deref(), expected_port, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_number_is_an_error_and_not_a_null() {
        assert_eq!(Kind::Int32.cell(Part::Whole, "80".into()), Ok(Cell::Int(80)));
        assert_eq!(Kind::Int32.cell(Part::Whole, "4294967296".into()), Err(()));
        assert_eq!(Kind::Int64.cell(Part::Whole, "4294967296".into()), Ok(Cell::Int(4_294_967_296)));
        assert_eq!(Kind::Double.cell(Part::Whole, "NaN".into()), Err(()));
        assert_eq!(Kind::Bool.cell(Part::Whole, "maybe".into()), Err(()));
    }
}
