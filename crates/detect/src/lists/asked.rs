//! The lists as the facts of events ask them.

use std::net::IpAddr;

use super::{Hash, Hits, Kind, Lists};
use crate::context::{self, ListKind, Listed};

impl context::Lists for Lists {
    fn address(&self, address: IpAddr) -> Vec<Listed<'_>> {
        listed(self.address(address))
    }

    fn domain(&self, domain: &str) -> Vec<Listed<'_>> {
        listed(self.name(domain))
    }

    fn hash(&self, hash: &str) -> Vec<Listed<'_>> {
        Hash::parse(hash).map(|hash| listed(self.hash(&hash))).unwrap_or_default()
    }
}

fn listed(hits: Hits<'_>) -> Vec<Listed<'_>> {
    let entry = |kind: Kind| if kind == Kind::Trusted { ListKind::Trusted } else { ListKind::Threat };
    let lists = hits.lists();
    lists
        .map(|list| Listed {
            list: list.declared.name(),
            kind: entry(list.declared.kind),
            category: Some(list.declared.kind.as_str()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Declared, Format, ListFile};
    use super::*;

    #[test]
    fn facts_see_every_list_with_its_kind() {
        let declared = |file: &str, kind| Declared {
            file: file.to_owned(),
            kind,
            name: Some(format!("the {file}")),
            format: Some(Format::Plain),
        };
        let files = [
            ListFile { declared: declared("a", Kind::Tor), bytes: b"198.51.100.0/24\nbad.example.com\n" },
            ListFile {
                declared: declared("b", Kind::Trusted),
                bytes: b"198.51.100.7\n0123456789abcdef0123456789abcdef\n",
            },
        ];
        let (lists, problems) = Lists::new(files, chrono::DateTime::UNIX_EPOCH);
        assert_eq!(problems, []);
        let asked: &dyn context::Lists = &lists;
        let tor = Listed { list: "the a", kind: ListKind::Threat, category: Some("tor") };
        let ours = Listed { list: "the b", kind: ListKind::Trusted, category: Some("trusted") };
        assert_eq!(asked.address("198.51.100.7".parse().unwrap()), [tor.clone(), ours.clone()]);
        assert_eq!(asked.domain("X.Bad.Example.com."), [tor]);
        assert_eq!(asked.hash("0123456789ABCDEF0123456789ABCDEF"), [ours]);
        assert_eq!(asked.hash("not a hash"), []);
    }
}
