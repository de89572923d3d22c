use proptest::prelude::*;

use super::*;

fn now() -> DateTime<Utc> {
    "2026-01-05T10:00:00Z".parse().unwrap()
}

fn declared(file: &str, kind: Kind) -> Declared {
    Declared { file: file.to_owned(), kind, name: None, format: None }
}

fn shown(list: &ReadList) -> Vec<String> {
    let named = |indicator: &Indicator| match indicator {
        Indicator::Addresses(start, end) if start == end => start.to_string(),
        Indicator::Addresses(start, end) => format!("{start}-{end}"),
        Indicator::Name(name) => name.to_string(),
        Indicator::Hash(hash) => hash.to_string(),
    };
    let place = |place: &Where| match place {
        Where::Line(line) => line.to_string(),
        Where::Object(id) => id.clone(),
    };
    let problem = |error: &dyn std::error::Error| {
        let source = error.source().map(|why| format!(": {why}")).unwrap_or_default();
        format!("{error}{source}")
    };
    let taken = list.indicators.iter().map(named);
    taken.chain(list.unusable.iter().map(|(at, why)| format!("! {}: {}", place(at), problem(why)))).collect()
}

/// Reads a list of hostile things without being told its format.
fn check(text: &str, format: Format, expected: &[&str]) {
    let read = read(text.as_bytes(), &declared("x", Kind::Malicious), now()).unwrap();
    assert_eq!((read.format, shown(&read)), (format, expected.iter().map(|line| (*line).to_owned()).collect()));
}

fn refused(text: &str, expected: &str) {
    let error = read(text.as_bytes(), &declared("x", Kind::Malicious), now()).unwrap_err();
    assert_eq!(error.to_string(), expected);
}

#[test]
fn plain_lists_hold_one_thing_a_line() {
    check(
        "# a remark\n198.51.100.7\n198.51.100.0/24 ; block\n2001:DB8::1\n\nBad.Example.COM.\n*.evil.example.net # why\n\
         hxxps://phish[.]example[.]org/login?x=1\n203.0.113.1-203.0.113.9\r\n198.51.100.9:8080\n[2001:db8::2]:443\n\
         http://198.51.100.10:81/x\n0123456789abcdef0123456789ABCDEF\n0.0.0.0 ads.example.com track.example.com\n127.0.0.1 localhost\n\
         192.0.2.1#4#2#Malicious Host#US##0.0,0.0#3\n198.51.100.7\nhost.example.com/path\n日本語.example\n",
        Format::Plain,
        &[
            "198.51.100.7",
            "198.51.100.0-198.51.100.255",
            "2001:db8::1",
            "bad.example.com",
            "evil.example.net",
            "phish.example.org",
            "203.0.113.1-203.0.113.9",
            "198.51.100.9",
            "2001:db8::2",
            "198.51.100.10",
            "0123456789abcdef0123456789abcdef",
            "ads.example.com",
            "track.example.com",
            "192.0.2.1",
            "host.example.com",
            "xn--wgv71a119e.example",
        ],
    );
}

#[test]
fn a_bad_line_is_named_and_the_others_used() {
    check(
        "198.51.100.7\n198.51.100.300\nco.uk\ngithub.io\ncom\n0.0.0.0/0\n10.0.0.1\n::/3\nhello world\n198.51.100.9-198.51.100.1\n-\n192.168.0.0/16\nok.example.com\n",
        Format::Plain,
        &[
            "198.51.100.7",
            "ok.example.com",
            "! 2: `198.51.100.300` is not used: this is no address, network, domain, url or file hash",
            "! 3: `co.uk` is not used: this is a public suffix, under which anybody may have a name",
            "! 4: `github.io` is not used: this is a public suffix, under which anybody may have a name",
            "! 5: `com` is not used: this is a public suffix, under which anybody may have a name",
            "! 6: `0.0.0.0/0` is not used: the network is wider than /8 (IPv4) or /19 (IPv6)",
            "! 7: `10.0.0.1` is not used: the address is not of the public internet",
            "! 8: `::/3` is not used: the network is wider than /8 (IPv4) or /19 (IPv6)",
            "! 9: `hello world` holds more than one word: remarks stand behind `#`",
            "! 10: `198.51.100.9-198.51.100.1` is not used: the range ends before it starts",
            "! 11: `-` is not used: this is no address, network, domain, url or file hash",
            "! 12: `192.168.0.0/16` is not used: the address is not of the public internet",
        ],
    );
}

#[test]
fn columns_are_told_by_their_names_or_by_what_is_in_them() {
    // Proofpoint ET
    check(
        "ip, category, score, first_seen, last_seen, ports (|)\n198.51.100.1, 1, 100, 2000-01-01, 2000-01-02, 80\n203.0.113.2, 1, 100, 2000-01-01, 2000-01-02, 80\n",
        Format::Csv,
        &["198.51.100.1", "203.0.113.2"],
    );
    // OTX
    check(
        "Indicator type,Indicator,Description\nCIDR,192.0.2.0/24,example\nIPv4,198.51.100.3,\"a, b\"\nemail,x@example.com,\ndomain,bad.example.com,x\nIPv4,nonsense,\n",
        Format::Csv,
        &[
            "192.0.2.0-192.0.2.255",
            "198.51.100.3",
            "bad.example.com",
            "! 6: `nonsense` is not used: this is a public suffix, under which anybody may have a name",
        ],
    );
    // FireEye iSIGHT
    check(
        "reportId,title,ip,cidr,domain,url,md5,actor\n01-0001,\"Many, words\",198.51.100.4,,,,,x\n01-0002,t,,198.51.100.0/28,c2.example.com,http://u.example.com/a,,\n",
        Format::Csv,
        &["198.51.100.4", "198.51.100.0-198.51.100.15", "c2.example.com", "u.example.com"],
    );
    // abuse.ch: names behind a remark
    check(
        "################\n# \"first_seen_utc\",\"dst_ip\",\"dst_port\",\"malware\"\n\"2026-01-01 00:00:00\",\"198.51.100.5\",\"443\",\"X\"\n# END\n",
        Format::Csv,
        &["198.51.100.5"],
    );
    // a quote that is never closed costs its own line
    check(
        "ip,note\n198.51.100.1,\"a \"\"b\"\" c\"\n198.51.100.4,\"two, two\nlines\"\n198.51.100.5,x\n",
        Format::Csv,
        &["198.51.100.1", "198.51.100.4", "198.51.100.5"],
    );
    let open = format!("ip,note\n198.51.100.1,\"open\n{}", "198.51.100.2,x\n".repeat(200));
    check(&open, Format::Csv, &["198.51.100.2", "! 2: a quotation mark is not closed"]);
    // no names
    check(
        "1,198.51.100.6,x\n2,bad,y\n3,198.51.100.8\n",
        Format::Csv,
        &[
            "198.51.100.6",
            "198.51.100.8",
            "! 2: `bad` is not used: this is a public suffix, under which anybody may have a name",
        ],
    );
    refused("a b,c d\ne f,g h\n", "no column holds addresses, domains, urls or hashes");
}

#[test]
fn stix_2_bundles_hold_indicators() {
    let text = r#"{"type":"bundle","id":"bundle--1","objects":[
        {"type":"identity","id":"identity--1","name":"x"},
        {"type":"indicator","id":"indicator--1","pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.1' OR domain-name:value = 'bad.example.com']"},
        {"type":"indicator","id":"indicator--2","pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.2']","valid_until":"2026-01-05T09:59:59Z"},
        {"type":"indicator","id":"indicator--3","pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.3']","valid_until":"2027-01-01T00:00:00.000Z"},
        {"type":"indicator","id":"indicator--4","pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.4']","revoked":true},
        {"type":"indicator","id":"indicator--5","pattern_type":"stix","pattern":"[ipv4-addr:value = '198.51.100.5' AND file:name = 'x']"},
        {"type":"indicator","id":"indicator--6","pattern_type":"yara","pattern":"rule x {}"},
        {"type":"indicator","id":"indicator--7","pattern_type":"stix"},
        {"type":"indicator","id":"indicator--8","pattern":17},
        {"type":"indicator","id":"indicator--9","indicator_types":["benign"],"pattern":"[ipv4-addr:value = '198.51.100.9']"},
        {"type":"indicator","id":"indicator--10","pattern":"[ipv4-addr:value = '10.0.0.1']"}
    ]}"#;
    check(
        text,
        Format::Stix2,
        &[
            "198.51.100.1",
            "bad.example.com",
            "198.51.100.3",
            "! indicator--5: the pattern cannot be used as a list: it asks for several things at once",
            "! indicator--6: the pattern is of the language `yara`, not `stix`",
            "! indicator--7: the object has no `pattern`",
            "! indicator--8: the object has no `pattern`",
            "! indicator--10: `10.0.0.1` is not used: the address is not of the public internet",
        ],
    );
}

#[test]
fn json_that_is_cut_is_not_taken_for_a_shorter_one() {
    for text in [
        r#"{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '198.51.100.1']"}"#,
        r#"["198.51.100.1", "198.51.100.2""#,
        r#"{"indicators":[{"indicator":"198.51.100.1"}],"#,
    ] {
        let read = read(text.as_bytes(), &declared("x", Kind::Malicious), now());
        assert!(matches!(read, Err(Unread::Json(_))), "{text}: {read:?}");
    }
    refused("{}", "it is neither a stix bundle nor otx json: it has neither `objects` nor `indicators`");
}

#[test]
fn otx_pulses_hold_indicators() {
    let indicators = r#"[{"indicator":"198.51.100.1","type":"IPv4","is_active":1},{"indicator":"bad.example.com","type":"hostname","expiration":"2025-01-01T00:00:00"},
        {"indicator":"evil.example.com","type":"domain","expiration":null},{"indicator":"x@example.com","type":"email"},{"type":"IPv4"},{"indicator":"198.51.100.3","is_active":0}]"#;
    let expected = ["198.51.100.1", "evil.example.com", "! 5: the object has no `indicator`"];
    check(&format!(r#"{{"id":"1","indicators":{indicators}}}"#), Format::Otx, &expected);
    check(&format!(r#"{{"count":1,"results":[{{"name":"p","indicators":{indicators}}}]}}"#), Format::Otx, &expected);
}

#[test]
fn stix_1_holds_observables() {
    let text = r#"<?xml version="1.0"?>
<stix:STIX_Package xmlns:stix="http://stix.mitre.org/stix-1" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <stix:Observables>
  <cybox:Object><cybox:Properties xsi:type="AddressObj:AddressObjectType" category="ipv4-addr">
   <AddressObj:Address_Value condition="Equals" apply_condition="ANY">198.51.100.1##comma##198.51.100.2##comma##198.51.100.0/28</AddressObj:Address_Value>
  </cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="DomainNameObj:DomainNameObjectType"><DomainNameObj:Value>bad.example.com</DomainNameObj:Value></cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="URIObj:URIObjectType"><URIObj:Value>http://u.example.com/?a=1&amp;b=2</URIObj:Value></cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="AddressObj:AddressObjectType" category="e-mail"><AddressObj:Address_Value>x@example.com</AddressObj:Address_Value></cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="FileObj:FileObjectType"><cyboxCommon:Simple_Hash_Value>0123456789abcdef0123456789abcdef</cyboxCommon:Simple_Hash_Value></cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="AddressObj:AddressObjectType"><AddressObj:Address_Value condition="InclusiveBetween">203.0.113.1##comma##203.0.113.3</AddressObj:Address_Value></cybox:Properties></cybox:Object>
  <cybox:Object><cybox:Properties xsi:type="AddressObj:AddressObjectType"><AddressObj:Address_Value>300.1.1.1</AddressObj:Address_Value></cybox:Properties></cybox:Object>
 </stix:Observables>
</stix:STIX_Package>"#;
    check(
        text,
        Format::Stix1,
        &[
            "198.51.100.1",
            "198.51.100.2",
            "198.51.100.0-198.51.100.15",
            "bad.example.com",
            "u.example.com",
            "0123456789abcdef0123456789abcdef",
            "203.0.113.1-203.0.113.3",
            "! 12: `300.1.1.1` is not used: this is no address, network, domain, url or file hash",
        ],
    );
    let cut = text.get(..600).unwrap();
    assert!(matches!(read(cut.as_bytes(), &declared("x", Kind::Malicious), now()), Err(Unread::Xml(_))));
}

#[test]
fn a_list_of_nothing_usable_is_an_error_and_an_empty_one_is_not() {
    refused("com\nnet\n", "none of its 2 entries can be used; the first: `com` is not used");
    check("# nothing today\n", Format::Plain, &[]);
    check("", Format::Plain, &[]);
}

#[test]
fn limits_hold() {
    let long = format!("198.51.100.7\n{}\n", "a".repeat(LINE_BYTES_MAX + 1));
    check(&long, Format::Plain, &["198.51.100.7", "! 2: the line is longer than 8192 bytes"]);
    let mut bad = "com\n".repeat(PROBLEMS_MAX + 5);
    bad.push_str("ok.example.com\n");
    let read = read(bad.as_bytes(), &declared("x", Kind::Malicious), now()).unwrap();
    assert_eq!((read.unusable.len(), read.unusable_count), (PROBLEMS_MAX, PROBLEMS_MAX + 5));
}

fn lists(files: &[(&str, Kind, &str)]) -> Lists {
    let files =
        files.iter().map(|(name, kind, text)| ListFile { declared: declared(name, *kind), bytes: text.as_bytes() });
    let (lists, problems) = Lists::new(files, now());
    assert_eq!(problems, []);
    lists
}

fn kinds(hits: Hits<'_>) -> Vec<&'static str> {
    hits.kinds().iter().map(Kind::as_str).collect()
}

#[test]
fn lists_answer_for_addresses_names_and_hashes() {
    let lists = lists(&[
        ("tor", Kind::Tor, "198.51.100.7\n2001:db8::/32\n"),
        ("bad", Kind::Malicious, "198.51.100.0/24\nexample.com\n0123456789abcdef0123456789abcdef"),
        ("phish", Kind::Phishing, "login.example.com"),
        ("ours", Kind::Trusted, "198.51.100.9\nwww.example.com\n10.0.0.0/8"),
    ]);
    let address = |text: &str| lists.address(text.parse().unwrap());
    assert_eq!(kinds(address("198.51.100.7")), ["malicious", "tor"]);
    assert_eq!(kinds(address("::ffff:198.51.100.7")), ["malicious", "tor"]);
    assert_eq!(kinds(address("198.51.100.8")), ["malicious"]);
    assert_eq!(kinds(address("198.51.101.0")), Vec::<&str>::new());
    assert_eq!(kinds(address("2001:db8:ffff::1")), ["tor"]);
    assert!(address("198.51.100.9").is_trusted() && kinds(address("198.51.100.9")).is_empty());
    assert!(address("10.1.2.3").is_trusted());
    let names: Vec<&str> = address("198.51.100.9").lists().map(|list| list.declared.name()).collect();
    assert_eq!(names, ["bad", "ours"]);
    assert_eq!(kinds(lists.name("a.b.Login.Example.com.")), ["malicious", "phishing"]);
    assert_eq!(kinds(lists.name("xlogin.example.com")), ["malicious"]);
    assert_eq!(kinds(lists.name("-x\\032y.login.example.com")), ["malicious", "phishing"]);
    assert_eq!(kinds(lists.name("notexample.com")), Vec::<&str>::new());
    assert_eq!(kinds(lists.name("com")), Vec::<&str>::new());
    assert!(lists.name("www.example.com").is_trusted());
    assert_eq!(kinds(lists.hash(&Hash::parse("0123456789ABCDEF0123456789abcdef").unwrap())), ["malicious"]);
}

#[test]
fn a_reload_takes_over_what_is_the_same() {
    let file =
        |name: &str, text: &'static str| ListFile { declared: declared(name, Kind::Tor), bytes: text.as_bytes() };
    let before = [file("a", "198.51.100.7"), file("b", "198.51.100.8")];
    let (old, _) = Lists::new(before.clone(), now());
    assert!(old.is_current(before));
    let after = [file("a", "198.51.100.7"), file("b", "198.51.100.9"), file("c", "com\n")];
    assert!(!old.is_current(after.clone()));
    let (new, problems) = old.reload(after, now());
    assert!(Arc::ptr_eq(&old.lists()[0].read, &new.lists()[0].read));
    assert!(matches!(problems.as_slice(), [Problem::Unread { file, .. }] if file == "c"), "{problems:?}");
    let hit = |lists: &Lists, text: &str| lists.address(text.parse().unwrap()).kinds().has(Kind::Tor);
    assert_eq!((hit(&old, "198.51.100.8"), hit(&new, "198.51.100.8"), hit(&new, "198.51.100.9")), (true, false, true));
    let mut gone = declared("a", Kind::Scanner);
    gone.name = Some("renamed".to_owned());
    let (renamed, _) = new.reload([ListFile { declared: gone, bytes: b"198.51.100.7" }], now());
    assert!(renamed.address("198.51.100.7".parse().unwrap()).kinds().has(Kind::Scanner));
}

prop_compose! {
    /// A range of one of few addresses, so that ranges meet, touch and nest often.
    fn range()(low in 0_u8..40, width in 0_u8..12, end in prop::bool::weighted(0.1), v6: bool) -> (IpAddr, IpAddr) {
        let at = |last: u8| -> IpAddr {
            if v6 {
                std::net::Ipv6Addr::from_bits((0x2001_0db8_u128 << 96) | u128::from(last)).into()
            } else {
                std::net::Ipv4Addr::new(198, 51, 100, last).into()
            }
        };
        let low = if end { 255 - width } else { low };
        (at(low), at(low + width))
    }
}

proptest! {
    #[test]
    fn networks_find_what_a_scan_finds(
        ranges in prop::collection::vec((range(), 0_u8..4), 0..30),
        asked in prop::collection::vec(range(), 1..40),
    ) {
        let mut sets = Sets::new(Kind::ALL.into_iter().take(4));
        let networks = Networks::new(ranges.iter().map(|((first, last), list)| (*first, *last, *list)), &mut sets);
        let edges = ranges.iter().flat_map(|((first, last), _)| [(*first, *last), (*last, *first)]);
        for (address, _) in asked.into_iter().chain(edges) {
            let mut expected: Vec<u8> =
                ranges.iter().filter(|((first, last), _)| *first <= address && address <= *last && first.is_ipv4() == address.is_ipv4())
                    .map(|(_, list)| *list).collect();
            expected.sort_unstable();
            expected.dedup();
            let found = networks.find(address).map(|set| sets.get(set).0.to_vec()).unwrap_or_default();
            prop_assert_eq!(found, expected, "{}", address);
        }
    }

    #[test]
    fn names_find_what_a_scan_finds(
        listed in prop::collection::vec(("[ab](\\.[ab]){0,3}", 0_u8..4), 0..20),
        asked in prop::collection::vec("[ab]{1,2}(\\.[ab]){0,4}", 1..30),
    ) {
        let mut sets = Sets::new(Kind::ALL.into_iter().take(4));
        let names = Names::new(listed.iter().map(|(name, list)| (name.as_str(), *list)), &mut sets);
        for name in asked {
            let mut expected: Vec<u8> = listed.iter()
                .filter(|(above, _)| name == *above || name.ends_with(&format!(".{above}")))
                .map(|(_, list)| *list).collect();
            expected.sort_unstable();
            expected.dedup();
            let found = names.find(&name).map(|set| sets.get(set).0.to_vec()).unwrap_or_default();
            prop_assert_eq!(found, expected, "{}", name);
        }
    }

    #[test]
    fn no_file_breaks_a_parser(bytes in prop::collection::vec(any::<u8>(), 0..400), format in 0_usize..6) {
        let formats = [None, Some(Format::Plain), Some(Format::Csv), Some(Format::Stix1), Some(Format::Stix2), Some(Format::Otx)];
        let declared = Declared { format: formats[format], ..declared("x", Kind::Malicious) };
        let _ = read(&bytes, &declared, now());
    }

    #[test]
    fn nearly_right_texts_break_nothing(text in r#"([\[\]{}",:'=<>/# \n]|objects|indicators|type|indicator|pattern|198\.51\.100\.7|ipv4-addr:value|OR|AND|<a>|</a>){0,40}"#) {
        let _ = read(text.as_bytes(), &declared("x", Kind::Malicious), now());
        let _ = pattern::values(&text);
    }

    #[test]
    fn what_is_written_is_found(address in any::<u32>(), prefix in 8_u8..=32) {
        let network = ipnet::Ipv4Net::new(address.into(), prefix).unwrap().trunc();
        let read = read(network.to_string().as_bytes(), &declared("x", Kind::Trusted), now()).unwrap();
        let (first, last) = (network.network().into(), network.broadcast().into());
        prop_assert_eq!(read.indicators, [Indicator::Addresses(first, last)]);
    }
}
