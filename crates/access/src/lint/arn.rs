//! An ARN in a policy, in its six parts.

/// The parts of an ARN as written; a colon inside a variable (`${aws:username}`) parts nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Arn<'t> {
    pub(super) partition: &'t str,
    pub(super) service: &'t str,
    pub(super) region: &'t str,
    pub(super) account: &'t str,
    pub(super) resource: &'t str,
}

/// How far a text is an ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Read<'t> {
    /// All parts are there.
    Whole(Arn<'t>),
    /// It begins like one and has fewer parts.
    Short(usize),
    /// It does not begin with `arn:`.
    Other,
}

/// The parts after `arn`.
const PARTS: usize = 5;

pub(super) fn read(text: &str) -> Read<'_> {
    let Some(rest) = text.strip_prefix("arn:") else { return Read::Other };
    let mut parts = [""; PARTS];
    let (mut rest, mut count) = (rest, 0);
    for part in &mut parts {
        count += 1;
        let Some(at) = colon(rest).filter(|_| count < PARTS) else {
            *part = rest;
            break;
        };
        *part = rest.get(..at).unwrap_or_default();
        rest = rest.get(at + 1..).unwrap_or_default();
    }
    if count < PARTS {
        return Read::Short(count + 1);
    }
    let [partition, service, region, account, resource] = parts;
    Read::Whole(Arn { partition, service, region, account, resource })
}

/// The first colon outside of a variable.
fn colon(text: &str) -> Option<usize> {
    let mut inside = false;
    let mut before = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' if before == b'$' => inside = true,
            b'}' => inside = false,
            b':' if !inside => return Some(at),
            _ => {}
        }
        before = byte;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_has_six_parts() {
        let whole = |partition, service, region, account, resource| {
            Read::Whole(Arn { partition, service, region, account, resource })
        };
        for (text, expected) in [
            ("arn:aws:s3:::bucket/key", whole("aws", "s3", "", "", "bucket/key")),
            ("arn:aws:sns:us-east-1:111122223333:a:b", whole("aws", "sns", "us-east-1", "111122223333", "a:b")),
            (
                "arn:${aws:Partition}:s3:::${aws:username}/*",
                whole("${aws:Partition}", "s3", "", "", "${aws:username}/*"),
            ),
            ("arn:aws:s3:*", Read::Short(4)),
            ("arn:", Read::Short(2)),
            ("*", Read::Other),
            ("", Read::Other),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
