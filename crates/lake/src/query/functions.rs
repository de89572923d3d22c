//! Functions of our own in SQL.
//!
//! `in_network(text, networks)`: whether an address that stands in the text is in one of the networks (several with
//! blanks between). `event_target(name, request, response, resources)`: what a CloudTrail event was done to.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, StringViewArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err};
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use ipnet::IpNet;

use crate::hunt::{WANTED_MAX, network};
use crate::investigate::target;

/// Every function, to be registered wherever questions are answered.
pub(crate) fn all() -> Vec<ScalarUDF> {
    let text = DataType::Utf8View;
    let of = |name, arguments: usize, result, function| {
        create_udf(name, vec![text.clone(); arguments], result, Volatility::Immutable, function)
    };
    vec![
        of("in_network", 2, DataType::Boolean, Arc::new(in_network)),
        of("event_target", 4, text.clone(), Arc::new(event_target)),
    ]
}

fn in_network(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [texts, networks] = arguments else { return exec_err!("in_network takes two arguments") };
    let rows = rows(arguments);
    let texts = column(texts, rows)?;
    let answer: BooleanArray = match networks {
        ColumnarValue::Scalar(ScalarValue::Utf8View(Some(networks))) => {
            let networks = parsed(networks)?;
            texts.iter().map(|text| text.map(|text| is_within(text, &networks))).collect()
        }
        networks => {
            let networks = column(networks, rows)?;
            let pairs = texts.iter().zip(networks.iter());
            let one = |(text, networks): (Option<&str>, Option<&str>)| match (text, networks) {
                (Some(text), Some(networks)) => Ok(Some(is_within(text, &parsed(networks)?))),
                _ => Ok(None),
            };
            pairs.map(one).collect::<Result<_>>()?
        }
    };
    Ok(ColumnarValue::Array(Arc::new(answer)))
}

fn event_target(arguments: &[ColumnarValue]) -> Result<ColumnarValue> {
    let [name, request, response, resources] = arguments else {
        return exec_err!("event_target takes four arguments");
    };
    let rows = rows(arguments);
    let (name, request) = (column(name, rows)?, column(request, rows)?);
    let (response, resources) = (column(response, rows)?, column(resources, rows)?);
    let columns = name.iter().zip(request.iter()).zip(response.iter().zip(resources.iter()));
    let answer: StringViewArray = columns
        .map(|((name, request), (response, resources))| {
            target::first(
                name?,
                request.unwrap_or_default(),
                response.unwrap_or_default(),
                resources.unwrap_or_default(),
            )
        })
        .collect();
    Ok(ColumnarValue::Array(Arc::new(answer)))
}

fn rows(arguments: &[ColumnarValue]) -> usize {
    let rows = |argument: &ColumnarValue| match argument {
        ColumnarValue::Array(array) => Some(array.len()),
        ColumnarValue::Scalar(_) => None,
    };
    arguments.iter().find_map(rows).unwrap_or(1)
}

fn column(argument: &ColumnarValue, rows: usize) -> Result<StringViewArray> {
    let array: ArrayRef = argument.to_array(rows)?;
    array.as_any().downcast_ref::<StringViewArray>().cloned().ok_or_else(|| {
        DataFusionError::Execution(format!("a text is needed, and this is of the type {}", array.data_type()))
    })
}

fn parsed(networks: &str) -> Result<Vec<IpNet>> {
    let each = networks.split_ascii_whitespace().take(WANTED_MAX);
    let one = |text| {
        network(text).ok_or_else(|| {
            DataFusionError::Execution(format!("`{text}` is not an address and not a network: write `10.0.0.0/8`"))
        })
    };
    each.map(one).collect()
}

/// Whether an address in the text is in one of the networks. The text may be an address, or a list or JSON with some.
fn is_within(text: &str, networks: &[IpNet]) -> bool {
    let within = |address: IpAddr| {
        let address = address.to_canonical();
        networks.iter().any(|network| network.contains(&address))
    };
    let words = text.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '.' | ':')));
    words.filter(|word| word.contains(['.', ':'])).any(|word| {
        let address = word.parse::<IpAddr>().or_else(|_| word.parse::<SocketAddr>().map(|socket| socket.ip()));
        address.is_ok_and(within)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_found_in_texts() {
        for (text, networks, expected) in [
            ("10.1.2.3", "10.0.0.0/8", true),
            ("11.1.2.3", "10.0.0.0/8", false),
            ("11.1.2.3", "10.0.0.0/8 11.1.2.3", true),
            ("2001:DB8:0::1", "2001:db8::/32", true),
            ("::ffff:10.0.0.1", "10.0.0.0/8", true),
            ("203.0.113.9, 10.0.0.1", "10.0.0.0/8", true),
            (r#"{"ipAddressV4":"198.51.100.23","at":"2026-01-05T09:00:00Z"}"#, "198.51.100.0/24", true),
            ("198.51.100.23:443", "198.51.100.23", true),
            ("arn:aws:iam::aws:policy/x", "::/0", false),
            ("s3.amazonaws.com", "0.0.0.0/0", false),
            ("AWS Internal", "0.0.0.0/0", false),
            ("", "0.0.0.0/0", false),
        ] {
            assert_eq!(is_within(text, &parsed(networks).unwrap()), expected, "{text} in {networks}");
        }
        assert!(parsed("10.0.0.0/40").is_err());
    }

    proptest! {
        /// The slow way: the first bits of both numbers are the same.
        #[test]
        fn a_network_holds_the_addresses_that_begin_like_it(address: u32, network: u32, length in 0_u32..=32) {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            let text = std::net::Ipv4Addr::from(address).to_string();
            let networks = parsed(&format!("{}/{length}", std::net::Ipv4Addr::from(network))).unwrap();
            prop_assert_eq!(is_within(&text, &networks), address & mask == network & mask);
        }
    }
}
