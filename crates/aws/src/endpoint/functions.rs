//! The library that endpoint rules call.

use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::partition::{PartitionInfo, Partitions};
use super::value::{Step, Value, steps};

/// A function of the rules engine. Arguments of an unexpected type give [`Value::Absent`]: the condition fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Function {
    IsSet,
    Not,
    /// With the path, which is always a literal.
    GetAttr(Vec<Step>),
    Substring,
    StringEquals,
    BooleanEquals,
    UriEncode,
    ParseUrl,
    IsValidHostLabel,
    Partition,
    ParseArn,
    IsVirtualHostableS3Bucket,
}

/// A host label is at most this long (RFC 1123).
const LABEL_BYTES_MAX: usize = 63;

/// A bucket's name is at least this long.
const BUCKET_BYTES_MIN: usize = 3;

/// What stays as it is in `uriEncode`: RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

impl Function {
    /// The function called `name`, with how many arguments it takes; `path` is the second argument where that is text.
    pub(super) fn named(name: &str, path: Option<&str>) -> Option<(Self, usize)> {
        Some(match name {
            "isSet" => (Self::IsSet, 1),
            "not" => (Self::Not, 1),
            "getAttr" => (Self::GetAttr(steps(path?, '.')?), 2),
            "substring" => (Self::Substring, 4),
            "stringEquals" => (Self::StringEquals, 2),
            "booleanEquals" => (Self::BooleanEquals, 2),
            "uriEncode" => (Self::UriEncode, 1),
            "parseURL" => (Self::ParseUrl, 1),
            "isValidHostLabel" => (Self::IsValidHostLabel, 2),
            "aws.partition" => (Self::Partition, 1),
            "aws.parseArn" => (Self::ParseArn, 1),
            "aws.isVirtualHostableS3Bucket" => (Self::IsVirtualHostableS3Bucket, 2),
            _ => return None,
        })
    }

    pub(super) fn call(&self, arguments: &[Value], partitions: &Partitions) -> Value {
        use Value::{Bool, Integer, Text};
        match (self, arguments) {
            (Self::IsSet, [value]) => Bool(*value != Value::Absent),
            (Self::Not, [value]) => Bool(!value.holds()),
            (Self::GetAttr(path), [value, _]) => value.at(path),
            (Self::Substring, [Text(text), Integer(start), Integer(stop), Bool(reverse)]) => {
                substring(text, *start, *stop, *reverse).map_or(Value::Absent, Value::from)
            }
            (Self::StringEquals, [Text(left), Text(right)]) => Bool(left == right),
            (Self::BooleanEquals, [Bool(left), Bool(right)]) => Bool(left == right),
            (Self::UriEncode, [Text(text)]) => Value::from(utf8_percent_encode(text, RESERVED).to_string().as_str()),
            (Self::ParseUrl, [Text(text)]) => parse_url(text).unwrap_or(Value::Absent),
            (Self::IsValidHostLabel, [Text(text), Bool(dots)]) => Bool(is_host_label(text, *dots)),
            (Self::Partition, [Text(region)]) => {
                partitions.of_region(region).map_or(Value::Absent, PartitionInfo::record)
            }
            (Self::ParseArn, [Text(text)]) => parse_arn(text).unwrap_or(Value::Absent),
            (Self::IsVirtualHostableS3Bucket, [Text(text), Bool(dots)]) => Bool(is_virtual_hostable(text, *dots)),
            (Self::IsValidHostLabel | Self::IsVirtualHostableS3Bucket, _) => Bool(false),
            _ => Value::Absent,
        }
    }
}

fn substring(text: &str, start: usize, stop: usize, reverse: bool) -> Option<&str> {
    if start >= stop || text.len() < stop || !text.is_ascii() {
        return None;
    }
    if reverse { text.get(text.len() - stop..text.len() - start) } else { text.get(start..stop) }
}

fn is_host_label(text: &str, dots: bool) -> bool {
    if dots {
        return text.split('.').all(|label| is_host_label(label, false));
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    (1..=LABEL_BYTES_MAX).contains(&text.len())
        && text.bytes().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_virtual_hostable(text: &str, dots: bool) -> bool {
    text.len() >= BUCKET_BYTES_MIN
        && !text.bytes().any(|byte| byte.is_ascii_uppercase())
        && text.parse::<Ipv4Addr>().is_err()
        && is_host_label(text, dots)
}

/// `arn:partition:service:region:account:resource`, the resource split at both of its usual separators.
fn parse_arn(text: &str) -> Option<Value> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
    let (partition, service, region) = (parts.next()?, parts.next()?, parts.next()?);
    let (account, resource) = (parts.next()?, parts.next()?);
    if partition.is_empty() || service.is_empty() || resource.is_empty() {
        return None;
    }
    let resource: Vec<Value> = resource.split([':', '/']).map(Value::from).collect();
    Some(Value::Record(
        [
            ("partition", partition.into()),
            ("service", service.into()),
            ("region", region.into()),
            ("accountId", account.into()),
            ("resourceId", Value::List(resource.into())),
        ]
        .into(),
    ))
}

/// The parts of an `http` or `https` URL without a query.
fn parse_url(text: &str) -> Option<Value> {
    let (scheme, rest) = text.split_once("://")?;
    let rest = rest.split_once('#').map_or(rest, |(before, _)| before);
    let rest = match rest.split_once('?') {
        Some((_, query)) if !query.is_empty() => return None,
        Some((before, _)) => before,
        None => rest,
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host_of(authority)?;
    if !matches!(scheme, "http" | "https") || host.is_empty() {
        return None;
    }
    let is_ip = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(|host| host.parse::<Ipv6Addr>().is_ok()),
        None => host.parse::<Ipv4Addr>().is_ok(),
    };
    let normalized = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    Some(Value::Record(
        [
            ("scheme", scheme.into()),
            ("authority", authority.into()),
            ("path", path.into()),
            ("normalizedPath", normalized.as_str().into()),
            ("isIp", is_ip.into()),
        ]
        .into(),
    ))
}

/// The host of `host`, `host:port` or `[address]:port`; `None` where the port is no number.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => authority.split_at(colon),
        _ => (authority, ""),
    };
    match port.strip_prefix(':') {
        Some(port) if !port.is_empty() => port.parse::<u16>().ok().map(|_| host),
        _ => Some(host),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_label_is_short_and_plain() {
        let cases = [
            ("bucket", false, true),
            ("a-b", false, true),
            ("-a", false, false),
            ("a-", false, false),
            ("a.b", false, false),
            ("a.b", true, true),
            ("a..b", true, false),
            ("a_b", true, false),
            ("", false, false),
        ];
        for (text, dots, expected) in cases {
            assert_eq!(is_host_label(text, dots), expected, "{text} {dots}");
        }
        assert!(is_host_label(&"a".repeat(63), false));
        assert!(!is_host_label(&"a".repeat(64), false));
    }

    #[test]
    fn an_address_or_capitals_are_no_host_of_a_bucket() {
        assert!(is_virtual_hostable("my.bucket", true));
        assert!(!is_virtual_hostable("my.bucket", false));
        assert!(!is_virtual_hostable("192.0.2.1", true));
        assert!(!is_virtual_hostable("MyBucket", false));
        assert!(!is_virtual_hostable("ab", false));
    }

    #[test]
    fn an_arn_needs_partition_service_and_resource() {
        let arn = parse_arn("arn:aws:s3:us-east-1:111122223333:accesspoint/name:more").unwrap();
        assert_eq!(arn.at(&steps("resourceId[2]", '.').unwrap()), Value::from("more"));
        assert_eq!(arn.at(&steps("resourceId[3]", '.').unwrap()), Value::Absent);
        assert_eq!(parse_arn("arn:aws:s3:us-east-1:111122223333:"), None);
        assert_eq!(parse_arn("arn:aws::us-east-1:111122223333:x"), None);
        assert_eq!(parse_arn("arn:aws:s3"), None);
    }

    #[test]
    fn a_url_is_cut_into_its_parts() {
        let part = |url: &str, name: &str| parse_url(url).map(|url| url.at(&steps(name, '.').unwrap()));
        assert_eq!(part("http://127.0.0.1:5000", "isIp"), Some(Value::from(true)));
        assert_eq!(part("https://[::1]:443/a", "isIp"), Some(Value::from(true)));
        assert_eq!(part("https://[::1]", "authority"), Some(Value::from("[::1]")));
        assert_eq!(part("https://example.com:8443/a/b", "authority"), Some(Value::from("example.com:8443")));
        assert_eq!(part("https://example.com/a/b", "normalizedPath"), Some(Value::from("/a/b/")));
        assert_eq!(part("https://example.com", "normalizedPath"), Some(Value::from("/")));
        for refused in
            ["ftp://example.com", "https://example.com?a=b", "https://example.com:x", "example.com", "https://"]
        {
            assert_eq!(parse_url(refused), None, "{refused}");
        }
    }

    #[test]
    fn a_substring_counts_from_either_end() {
        assert_eq!(substring("abcdef", 0, 2, false), Some("ab"));
        assert_eq!(substring("abcdef", 0, 2, true), Some("ef"));
        assert_eq!(substring("abcdef", 4, 7, false), None);
        assert_eq!(substring("abc", 2, 2, false), None);
        assert_eq!(substring("äbc", 0, 1, false), None);
    }
}
