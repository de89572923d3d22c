use super::*;

const LEAST: &str = "type: AWS::X::Y\nservice: x\nlist: { operation: ListY, items: Ys }\nid: \"{item.Id}\"\n";

/// What loading `text` complains of, as line and message.
fn complaints(text: &str) -> Vec<String> {
    let (types, errors) = ResourceTypes::load_files([("y.yml", text)]);
    assert_eq!(types.is_empty(), !errors.is_empty(), "a file with an error does not load");
    errors.iter().map(ToString::to_string).collect()
}

#[test]
fn the_least_file_loads() {
    assert_eq!(complaints(LEAST), Vec::<String>::new());
}

#[test]
fn an_error_says_where_it_is_and_what_was_expected() {
    for (more, expected) in [
        ("nosuch: 1\n", "y.yml:5:1: unknown field `nosuch`"),
        ("arn: \"{item.Id\"\n", "y.yml:5:6: `{item.Id` has a `{` that is not closed"),
        ("arn: \"{itm.Id}\"\n", "y.yml:5:6: `itm.Id` reads the unknown name `itm`; known here: account, item"),
        ("arn: \"{parent.id}\"\n", "y.yml:5:6: `parent.id` reads the unknown name `parent`"),
        ("properties:\n  A: item.A\n  B: \"item.[\"\n", "y.yml:7:6: `item.[` is not JMESPath"),
        (
            "properties:\n  B: lower(item.A, item.B)\n",
            "y.yml:6:6: `lower(item.A, item.B)`: `lower` takes 1 argument, not 2",
        ),
        ("scope: everywhere\n", "y.yml:5:8: `everywhere` is neither `regional` nor `global`"),
        ("redact: [Properties.Secret]\n", "y.yml:5:10: `Properties.Secret`: the type has no `Secret` there"),
        ("permissions: { GetY: \"x:GetY\" }\n", "y.yml:5:16: the file makes no call of `GetY`"),
        ("permissions: { ListY: everything }\n", "y.yml:5:16: `everything` is not an IAM action"),
        (
            "details:\n  - { into: a, operation: A, input: { X: \"{b.C}\" } }\n  - { into: b, operation: B }\n",
            "y.yml:6:37: `b.C` reads the unknown name `b`; known here: account, item, partition, region; a detail may use only those before it",
        ),
        ("details:\n  - { into: item, operation: A }\n", "y.yml:6:13: `item` already means something else"),
        (
            "details:\n  - { into: a, operation: A, pick: { key: k, of: \"{item.Id}\" } }\n",
            "y.yml:6:13: `pick` and `batch` need `items`",
        ),
        (
            "details:\n  - { into: a, operation: A, items: I, batch: { input: i, of: \"{item.Id}\", size: 0, key: k } }\n",
            "`size` is not between 1 and 1000",
        ),
    ] {
        let found = complaints(&format!("{LEAST}{more}"));
        assert_eq!(found.len(), 1, "{more}: {found:?}");
        assert!(found[0].contains(expected), "{more}\n  expected {expected}\n  got      {}", found[0]);
    }
}

#[test]
fn every_error_of_a_file_is_found() {
    let text = format!("{LEAST}arn: \"{{itm}}\"\nproperties:\n  A: \"item.[\"\n  B: nosuch(item)\n");
    assert_eq!(complaints(&text).len(), 3);
}

#[test]
fn a_list_is_a_call_or_one_item() {
    for list in ["{ operation: ListY }", "{ one: true, operation: ListY }", "{ operation: A, items: I, when: item.X }"]
    {
        let text = format!("type: AWS::X::Y\nservice: x\nlist: {list}\nid: \"{{account}}\"\n");
        assert_eq!(complaints(&text).len(), 1, "{list}");
    }
}

fn child(kind: &str, parent: &str, more: &str) -> String {
    format!("type: {kind}\nservice: x\nlist: {{ operation: L, items: I, for: {parent} }}\nid: \"{{item.Id}}\"\n{more}")
}

#[test]
fn parents_exist_agree_and_form_no_circle() {
    let check = |files: &[(&str, String)]| -> Vec<String> {
        let (_, errors) = ResourceTypes::load_files(files.iter().map(|(name, text)| (*name, text.as_str())));
        errors.iter().map(|error| error.message.clone()).collect()
    };
    let parent = LEAST.to_owned();
    assert!(
        check(&[("a", parent.clone()), ("b", child("AWS::X::B", "AWS::X::Y", "arn: \"{parent.id}\"\n"))]).is_empty()
    );
    assert_eq!(
        check(&[("a", parent.clone()), ("b", child("AWS::X::B", "AWS::X::Y", "arn: \"{parent.policy}\"\n"))]),
        ["`parent.policy`: AWS::X::Y has no such name"]
    );
    assert!(check(&[("b", child("AWS::X::B", "AWS::X::Nothing", ""))])[0].contains("no file has this type"));
    assert!(
        check(&[("a", parent.clone()), ("b", child("AWS::X::B", "AWS::X::Y", "scope: global\n"))])[0]
            .contains("global")
    );
    let circle = [("a", child("AWS::X::A", "AWS::X::B", "")), ("b", child("AWS::X::B", "AWS::X::A", ""))];
    assert!(check(&circle).iter().all(|message| message.contains("in a circle")));
    assert!(check(&[("a", parent.clone()), ("b", parent)])[0].contains("is also in a"));
}

#[test]
fn details_that_need_nothing_of_each_other_share_a_level() {
    let text = format!(
        "{LEAST}details:\n  - {{ into: a, operation: A }}\n  - {{ into: b, operation: B }}\n  - {{ into: c, operation: C, input: {{ X: \"{{b.X}}\" }} }}\n"
    );
    let (types, errors) = ResourceTypes::load_files([("y.yml", text.as_str())]);
    assert_eq!(errors, []);
    let levels: Vec<_> = types.get(&"AWS::X::Y".into()).unwrap().details.iter().map(|detail| detail.level).collect();
    assert_eq!(levels, [0, 0, 1]);
}
