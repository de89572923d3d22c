//! The tests inside resource files: those of the fixtures, and those of the content that Yagura ships.

#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use std::path::Path;

use yagura_collect::ResourceTypes;
use yagura_collect::testing::{test_faults, test_types};

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
