use super::*;
use crate::context::Context;
use crate::event::Input;
use crate::source::Source;

fn check(name: &str, more: &serde_json::Value, expected: &[&str]) {
    let mut query =
        serde_json::json!({ "query_timestamp": "2026-01-05T10:00:00Z", "query_name": name, "srcaddr": "10.0.0.5" });
    query.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let text = query.to_string();
    let event = Event::read(&Input::new(Source::named("route53resolver").unwrap(), &text), &Context::EMPTY).unwrap();
    for fact in expected {
        let (name, value) = fact.split_once('=').unwrap();
        assert_eq!(event.texts(&format!("fact.{name}")).join(","), value, "{text}: {name}");
    }
}

#[test]
fn names_are_cut_at_their_public_suffix() {
    let none = || serde_json::json!({});
    check(
        "WWW.Shop.Example.co.uk.",
        &none(),
        &[
            "name=www.shop.example.co.uk",
            "domain=example.co.uk",
            "suffix=co.uk",
            "subdomain.bytes=7",
            "label.bytes=7",
            "internal=false",
        ],
    );
    check(
        "example.com.",
        &none(),
        &["domain=example.com", "subdomain.bytes=0", "subdomain.entropy=", "subdomain.spelling="],
    );
    check("mine.github.io.", &none(), &["domain=mine.github.io", "suffix=github.io"]);
    check("co.uk.", &none(), &["domain=", "subdomain.bytes=", "generated="]);
    check("localhost.", &none(), &["domain=", "internal=true"]);
    check("ip-10-0-0-5.ap-northeast-1.compute.internal.", &none(), &["internal=true"]);
    check("5.0.0.10.in-addr.arpa.", &none(), &["internal=true"]);
    check("notinternal.", &none(), &["internal=true"]);
    check("a.notinternal.", &none(), &["internal=false"]);
    check(".", &none(), &["name=", "domain=", "internal=", "trusted="]);
    check("abab.example.com.", &none(), &["subdomain.entropy=100", "generated=false"]);
    check("xjwqkzvbnpfh.example.com.", &none(), &["generated=false"]);
    check("www.xjwqkzvbnpfh.com.", &none(), &["generated=true"]);
    check("dns.google.", &none(), &["resolver=true"]);
}

#[test]
fn answers_are_read_as_a_list_or_as_a_text() {
    let list = serde_json::json!([{ "Rdata": "169.254.169.254", "Type": "A" }, { "Rdata": "cname.example.com.", "Type": "CNAME" }, { "Type": "A" }]);
    for answers in [list.clone(), serde_json::Value::String(list.to_string())] {
        check(
            "a.example.com.",
            &serde_json::json!({ "rcode": "NOERROR", "answers": answers }),
            &["answers.address=169.254.169.254", "answers.metadata=true", "answered=true"],
        );
    }
    check(
        "a.example.com.",
        &serde_json::json!({ "rcode": "NXDOMAIN", "answers": [] }),
        &["answers.address=", "answers.metadata=false", "answered=false"],
    );
    check("a.example.com.", &serde_json::json!({ "rcode": "NOERROR", "answers": "not json" }), &["answered=false"]);
}

#[test]
fn who_asked_is_the_instance_where_the_log_says_it() {
    check(
        "a.example.com.",
        &serde_json::json!({ "srcids": { "instance": "i-1" } }),
        &["principal=i-1", "source.address=10.0.0.5"],
    );
    check("a.example.com.", &serde_json::json!({ "srcids_instance": "i-2" }), &["principal=i-2"]);
    check(
        "a.example.com.",
        &serde_json::json!({ "srcids": { "resolver_endpoint": "rslvr-in-1" } }),
        &["principal=rslvr-in-1"],
    );
    check("a.example.com.", &serde_json::json!({}), &["principal=10.0.0.5", "source.network=10.0.0.0/16"]);
}
