//! Where an address is, and whose network it is in: `MaxMind`'s databases, when the owner has them.

use std::net::IpAddr;

use maxminddb::geoip2;

use crate::context::{self, Place};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// It is no `MaxMind` database, or is damaged.
    #[error("`{name}` is no maxmind database")]
    Malformed {
        /// The file as the caller names it.
        name: String,
        /// What the reader says.
        #[source]
        why: Box<maxminddb::MaxMindDbError>,
    },
    /// It is one, of something else.
    #[error("`{name}` is a database of `{holds}`: expected one of countries, cities or autonomous systems")]
    Other {
        /// The file as the caller names it.
        name: String,
        /// What it says that it holds.
        holds: String,
    },
}

/// What a database holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Country,
    City,
    Asn,
}

/// The databases that the owner has. Where two of them know of an address, the first that was given says.
#[derive(Debug, Default)]
pub struct Places {
    databases: Vec<(Holds, maxminddb::Reader<Vec<u8>>)>,
}

impl Places {
    /// Adds the content of a database file, called `name` in errors. City databases know the country too.
    pub fn add(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), PlaceError> {
        let database = maxminddb::Reader::from_source(bytes)
            .map_err(|why| PlaceError::Malformed { name: name.to_owned(), why: Box::new(why) })?;
        let holds = match database.metadata().database_type.as_str() {
            of_type if of_type.ends_with("City") || of_type.ends_with("Enterprise") => Holds::City,
            of_type if of_type.ends_with("Country") => Holds::Country,
            of_type if of_type.ends_with("ASN") || of_type.ends_with("ISP") => Holds::Asn,
            other => return Err(PlaceError::Other { name: name.to_owned(), holds: other.to_owned() }),
        };
        self.databases.push((holds, database));
        Ok(())
    }

    /// Whether nothing is known of any address.
    pub fn is_empty(&self) -> bool {
        self.databases.is_empty()
    }

    /// What is known of `address`. A damaged record is as one that is not there.
    pub fn find(&self, address: IpAddr) -> Place {
        let mut place = Place::default();
        for (holds, database) in &self.databases {
            let Ok(found) = database.lookup(address) else { continue };
            match holds {
                Holds::Country => {
                    if let Ok(Some(record)) = found.decode::<geoip2::Country<'_>>() {
                        let country = record.country.iso_code.or(record.registered_country.iso_code);
                        fill(&mut place.country, country);
                    }
                }
                Holds::City => {
                    if let Ok(Some(record)) = found.decode::<geoip2::City<'_>>() {
                        let country = record.country.iso_code.or(record.registered_country.iso_code);
                        fill(&mut place.country, country);
                        fill(&mut place.city, record.city.names.english);
                        let millidegrees =
                            (millidegrees(record.location.latitude), millidegrees(record.location.longitude));
                        place.latitude_millidegrees = place.latitude_millidegrees.or(millidegrees.0);
                        place.longitude_millidegrees = place.longitude_millidegrees.or(millidegrees.1);
                    }
                }
                Holds::Asn => {
                    if let Ok(Some(record)) = found.decode::<geoip2::Asn<'_>>() {
                        place.asn = place.asn.or(record.autonomous_system_number);
                        fill(&mut place.organisation, record.autonomous_system_organization);
                    }
                }
            }
        }
        place
    }
}

impl context::Places for Places {
    fn place(&self, address: IpAddr) -> Option<Place> {
        Some(self.find(address)).filter(|place| *place != Place::default())
    }
}

/// Degrees in thousandths; what is no degree is not known.
fn millidegrees(degrees: Option<f64>) -> Option<i32> {
    let degrees = degrees.filter(|degrees| degrees.abs() <= 180.0)?;
    // INVARIANT: at most 180,000.
    #[expect(clippy::cast_possible_truncation, reason = "the value is small")]
    let thousandths = (degrees * 1000.0).round() as i32;
    Some(thousandths)
}

fn fill(known: &mut Option<String>, found: Option<&str>) {
    if known.is_none() {
        *known = found.map(str::to_owned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of the database's own encoding.
    enum Data<'a> {
        Map(Vec<(&'a str, Data<'a>)>),
        Text(&'a str),
        Number(u32),
        Short(u16),
        Long(u64),
        List(Vec<Data<'a>>),
    }

    impl Data<'_> {
        fn write(&self, out: &mut Vec<u8>) {
            let number = |out: &mut Vec<u8>, of_type: u8, bytes: &[u8]| {
                let bytes: Vec<u8> = bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
                // Types beyond 7 stand in a second byte.
                if of_type > 7 {
                    out.extend([u8::try_from(bytes.len()).unwrap(), of_type - 7]);
                } else {
                    out.push(of_type << 5 | u8::try_from(bytes.len()).unwrap());
                }
                out.extend(bytes);
            };
            match self {
                Self::Text(text) => {
                    // Lengths from 29 on stand in a second byte, less 29.
                    match u8::try_from(text.len()).unwrap() {
                        length @ ..29 => out.push(0x40 | length),
                        length => out.extend([0x5d, length - 29]),
                    }
                    out.extend(text.as_bytes());
                }
                Self::Map(members) => {
                    out.push(7 << 5 | u8::try_from(members.len()).unwrap());
                    for (key, value) in members {
                        Data::Text(key).write(out);
                        value.write(out);
                    }
                }
                Self::List(items) => {
                    out.extend([u8::try_from(items.len()).unwrap(), 11 - 7]);
                    for item in items {
                        item.write(out);
                    }
                }
                Self::Short(value) => number(out, 5, &value.to_be_bytes()),
                Self::Number(value) => number(out, 6, &value.to_be_bytes()),
                Self::Long(value) => number(out, 9, &value.to_be_bytes()),
            }
        }
    }

    /// A database of one IPv4 network: a chain of nodes, one for each bit of its prefix, and one record at its end.
    fn database(of_type: &str, network: [u8; 4], prefix: u8, record: &Data<'_>) -> Vec<u8> {
        let address = u32::from_be_bytes(network);
        let node_count = u32::from(prefix);
        let mut out = Vec::new();
        for bit in 0..node_count {
            // Behind the last node comes the data: its start is the number of nodes and the 16 bytes between.
            let next = if bit + 1 == node_count { node_count + 16 } else { bit + 1 };
            let is_right = address >> (31 - bit) & 1 == 1;
            let (left, right) = if is_right { (node_count, next) } else { (next, node_count) };
            out.extend(&left.to_be_bytes()[1..]);
            out.extend(&right.to_be_bytes()[1..]);
        }
        out.extend([0; 16]);
        record.write(&mut out);
        out.extend(b"\xab\xcd\xefMaxMind.com");
        Data::Map(vec![
            ("node_count", Data::Number(node_count)),
            ("record_size", Data::Short(24)),
            ("ip_version", Data::Short(4)),
            ("database_type", Data::Text(of_type)),
            ("languages", Data::List(vec![Data::Text("en")])),
            ("binary_format_major_version", Data::Short(2)),
            ("binary_format_minor_version", Data::Short(0)),
            ("build_epoch", Data::Long(1_767_607_200)),
            ("description", Data::Map(vec![("en", Data::Text("a test"))])),
        ])
        .write(&mut out);
        out
    }

    fn places() -> Places {
        let mut places = Places::default();
        let city = Data::Map(vec![
            ("city", Data::Map(vec![("names", Data::Map(vec![("en", Data::Text("Sapporo"))]))])),
            ("country", Data::Map(vec![("iso_code", Data::Text("JP"))])),
        ]);
        places.add("city.mmdb", database("GeoLite2-City", [198, 51, 100, 0], 24, &city)).unwrap();
        let asn = Data::Map(vec![
            ("autonomous_system_number", Data::Number(64_496)),
            ("autonomous_system_organization", Data::Text("Example Networks")),
        ]);
        places.add("asn.mmdb", database("GeoLite2-ASN", [198, 51, 0, 0], 16, &asn)).unwrap();
        places
    }

    fn check(address: &str, country: Option<&str>, city: Option<&str>, asn: Option<u32>, organisation: Option<&str>) {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let expected = Place {
            country: owned(country),
            city: owned(city),
            asn,
            organisation: owned(organisation),
            ..Place::default()
        };
        assert_eq!(places().find(address.parse().unwrap()), expected, "{address}");
    }

    #[test]
    fn databases_say_where_an_address_is() {
        check("198.51.100.7", Some("JP"), Some("Sapporo"), Some(64_496), Some("Example Networks"));
        check("198.51.7.7", None, None, Some(64_496), Some("Example Networks"));
        check("203.0.113.1", None, None, None, None);
        check("2001:db8::1", None, None, None, None);
    }

    #[test]
    fn degrees_are_kept_in_thousandths() {
        assert_eq!(
            [Some(43.0642), Some(-141.3469), Some(1e9), Some(f64::NAN), None].map(millidegrees),
            [Some(43_064), Some(-141_347), None, None, None]
        );
    }

    #[test]
    fn what_is_no_database_is_refused() {
        let mut places = Places::default();
        let error = places.add("x.mmdb", b"hello".to_vec()).unwrap_err();
        assert_eq!(error.to_string(), "`x.mmdb` is no maxmind database");
        let domains = database("GeoIP2-Domain", [198, 51, 100, 0], 24, &Data::Map(vec![]));
        let error = places.add("d.mmdb", domains).unwrap_err();
        let expected =
            "`d.mmdb` is a database of `GeoIP2-Domain`: expected one of countries, cities or autonomous systems";
        assert_eq!(error.to_string(), expected);
        assert!(places.is_empty());
    }

    #[test]
    fn a_country_is_enough() {
        let country = Data::Map(vec![("country", Data::Map(vec![("iso_code", Data::Text("DE"))]))]);
        let mut places = Places::default();
        places.add("country.mmdb", database("GeoLite2-Country", [192, 0, 2, 0], 24, &country)).unwrap();
        assert_eq!(places.find("192.0.2.9".parse().unwrap()).country.as_deref(), Some("DE"));
    }
}
