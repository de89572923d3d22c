//! The tests inside resource files: those of the fixtures, and those of the content that Yagura ships.

#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use std::path::Path;

use yagura_collect::ResourceTypes;
use yagura_collect::testing::{impossible_paths, test_faults, test_types};

fn check(folder: &Path) {
    let (types, errors) = ResourceTypes::load_dir(folder);
    let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    let report = futures::executor::block_on(test_types(&types));
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(report.run > 0, "no test in {}", folder.display());
    let report = futures::executor::block_on(test_faults(&types));
    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(report.run > 0, "no call in {}", folder.display());
}

#[test]
fn fixtures_do_what_their_tests_say() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/resources"));
}

#[test]
fn resources_do_what_their_tests_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources");
    if !folder.exists() {
        eprintln!("skipped: there is no resources folder");
        return;
    }
    check(&folder);
}

#[test]
fn resources_make_only_calls_that_exist_and_only_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources");
    if !folder.exists() {
        eprintln!("skipped: there is no resources folder");
        return;
    }
    let (types, _) = ResourceTypes::load_dir(&folder);
    let models = yagura_aws::model::Models::embedded().expect("the models are built in");
    let mut problems = Vec::new();
    for definition in types.iter() {
        for (service, operation) in definition.operations() {
            let model = models.service(service);
            match model.as_ref().and_then(|model| model.operation(operation)) {
                Some(operation) if operation.read_only => {}
                Some(_) => problems.push(format!("{}: {service}:{operation} does not only read", definition.file())),
                None => problems.push(format!("{}: there is no {service}:{operation}", definition.file())),
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What the models do not have, or have otherwise, and AWS answers all the same: the whole line as it is told.
const ANSWERED_ALL_THE_SAME: [&str; 0] = [];

#[test]
fn resources_ask_answers_only_for_what_can_be_there() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../resources");
    if !folder.exists() {
        eprintln!("skipped: there is no resources folder");
        return;
    }
    let (types, _) = ResourceTypes::load_dir(&folder);
    let models = yagura_aws::model::Models::embedded().expect("the models are built in");
    let mut problems = impossible_paths(&types, models);
    problems.retain(|problem| !ANSWERED_ALL_THE_SAME.contains(&problem.as_str()));
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn a_misspelt_key_is_found_wherever_it_stands() {
    let check = |lines: &str, expected: &[&str]| {
        let file = format!(
            "type: AWS::S3::Bucket\nservice: s3\nlist: {{ operation: ListBuckets, items: Buckets }}\ndetails:\n  - {{ into: \
             policy, operation: GetBucketAcl, input: {{ Bucket: \"{{item.Name}}\" }} }}\nid: \"{{item.Name}}\"\n{lines}\n"
        );
        let (types, errors) = ResourceTypes::load_files([("b.yml", file.as_str())]);
        assert_eq!(errors, []);
        let models = yagura_aws::model::Models::embedded().expect("the models are built in");
        assert_eq!(impossible_paths(&types, models), expected, "{lines}");
    };
    check("properties: { A: item.CreationDate, B: \"policy.Grants[?Permission == 'READ'].Grantee.URI | [0]\" }", &[]);
    check("properties: { A: item.CreatonDate }", &["b.yml: `item.CreatonDate`: s3:Bucket has no `CreatonDate`"]);
    check("arn: \"arn:{item.Nam}\"", &["b.yml: `item.Nam`: s3:Bucket has no `Nam`"]);
    check(
        "properties: { A: \"policy.Grants[].{X: Grantee.Id}\" }",
        &["b.yml: `policy.Grants[].{X: Grantee.Id}`: s3:Grantee has no `Id`"],
    );
    check(
        "properties: { A: \"policy.Grants[?permission == 'READ']\" }",
        &["b.yml: `policy.Grants[?permission == 'READ']`: s3:Grant has no `permission`"],
    );
    check(
        "properties: { A: policy.Grants.Permission }",
        &["b.yml: `policy.Grants.Permission`: s3:Grants has no `Permission`"],
    );
    check("properties: { A: json(item.Name).anything }", &[]);
    check(
        "properties: { A: \"sort_by(policy.Grants, &Permision)\" }",
        &["b.yml: `sort_by(policy.Grants, &Permision)`: s3:Grant has no `Permision`"],
    );
}
